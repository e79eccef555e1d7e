"""One template for the whole page and for the main pane alone."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers


def render_page(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """The whole page to a browser that opens it, the main pane to one that has the shell already."""
    htmx = request.htmx  # type: ignore[attr-defined]  # set by django_htmx's middleware
    inside = bool(htmx) and not htmx.history_restore_request
    context["layout"] = "components/fragment.html" if inside else "base.html"
    response = render(request, template, context)
    patch_vary_headers(response, ["HX-Request"])
    return response
