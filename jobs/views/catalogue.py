"""The catalogue of checks as people read it: what must hold, how bad it is, where the rule comes from."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from jobs.preflight.registry import CRASHED, NOT_EVALUATED, list_checks
from jobs.views.page import render_page


@login_required
@require_GET
def list_catalogue(request: HttpRequest) -> HttpResponse:
    context = {"checks": list_checks(), "not_evaluated": NOT_EVALUATED, "crashed": CRASHED}
    return render_page(request, "jobs/checks.html", context)
