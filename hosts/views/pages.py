"""Answering with a page: whole for a browser that comes in, the main pane alone for one that is already here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers

PAGE_SIZE = 50


def page(request: HttpRequest, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    """Templates choose their frame by `request.htmx`; caches must know that the answer differs by it."""
    response = render(request, template, context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


@dataclass(frozen=True, slots=True)
class Order:
    """How a list is sorted: a name of `fields`, from `?sort=-name`."""

    name: str
    descending: bool

    @property
    def text(self) -> str:
        return f"-{self.name}" if self.descending else self.name


def read_order(request: HttpRequest, names: Sequence[str], default: str) -> Order:
    wanted = request.GET.get("sort", default)
    if wanted.lstrip("-") not in names:
        wanted = default
    return Order(wanted.lstrip("-"), wanted.startswith("-"))


def read_page(request: HttpRequest, rows: QuerySet[Any] | Sequence[Any]) -> Page:
    return Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))


def close_and_show(address: str) -> HttpResponse:
    """Close the dialog and show a page."""
    response = HttpResponse(status=204)
    place = {"path": address, "target": "#main", "swap": "innerHTML scroll:top"}
    response.headers["HX-Location"] = json.dumps(place)
    response.headers["HX-Trigger"] = "dialog-close, inventory-changed"
    return response
