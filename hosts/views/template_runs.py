"""Applying a template: the question, the order, and how it goes on every host."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from hosts.models import OperationOutcome, PoolTemplate, StorageOperation, StorageRun
from hosts.services.drift import HostDrift, find_drift
from hosts.services.storage_orders import StorageRefused, expire_lapsed
from hosts.services.templates import apply, retry
from hosts.views.pages import close_and_show, page

_TROUBLE = frozenset(
    {OperationOutcome.REFUSED, OperationOutcome.FAILED, OperationOutcome.UNKNOWN, OperationOutcome.CANCELLED}
)


@login_required
@require_POST
def ask_apply(request: HttpRequest, pk: int) -> HttpResponse:
    """What would be done on the chosen hosts, and the pool's name to be typed where guests lose it for a moment."""
    return _ask(request, get_object_or_404(PoolTemplate, pk=pk))


def _ask(request: HttpRequest, template: PoolTemplate, *, mistyped: bool = False) -> HttpResponse:
    places = _chosen(request, template)
    context = {
        "template": template, "places": places, "stopping": [place for place in places if place.needs_confirmation],
        "mistyped": mistyped, "changed": _is_old(request, template),
    }  # fmt: skip
    return render(request, "hosts/_template_apply.html", context, status=422 if mistyped else 200)


@login_required
@require_POST
def apply_template(request: HttpRequest, pk: int) -> HttpResponse:
    """The order: for real, or with `dry` only looked at. Nothing is done by this process itself."""
    template = get_object_or_404(PoolTemplate, pk=pk)
    places, dry = _chosen(request, template), "dry" in request.POST
    if not places or (not dry and _is_old(request, template)):
        return _ask(request, template)
    typed = request.POST.get("confirmed", "").strip()
    stopping = [place.host.pk for place in places if place.needs_confirmation]
    if stopping and not dry and typed != template.name:
        return _ask(request, template, mistyped=True)
    hosts = [place.host for place in places]
    run = apply(request.user, template, hosts, dry=dry, confirmed=dict.fromkeys(stopping, typed))
    return close_and_show(reverse("hosts:storage_run", args=[run.pk]))


def _chosen(request: HttpRequest, template: PoolTemplate) -> list[HostDrift]:
    return find_drift(template, {int(key) for key in request.POST.getlist("hosts") if key.isdecimal()})


def _is_old(request: HttpRequest, template: PoolTemplate) -> bool:
    """Somebody changed the template after the question was asked."""
    asked = request.POST.get("version", "")
    return bool(asked) and asked != str(template.version)


@login_required
@require_GET
def show_run(request: HttpRequest, pk: int) -> HttpResponse:
    """The page; its living part asks for itself again each second while something is under way."""
    run = get_object_or_404(StorageRun.objects.select_related("template"), pk=pk)
    expire_lapsed()
    return page(request, "hosts/storage_run.html", _view_run(request, run))


@login_required
@require_GET
def show_run_live(request: HttpRequest, pk: int) -> HttpResponse:
    run = get_object_or_404(StorageRun.objects.select_related("template"), pk=pk)
    expire_lapsed()
    return render(request, "hosts/_storage_run_live.html", _view_run(request, run))


def _view_run(request: HttpRequest, run: StorageRun) -> dict[str, Any]:
    latest = latest_by_host(run)
    only = request.GET.get("only", "")
    cards = [item for item in latest if only != "trouble" or item.outcome in _TROUBLE]
    counts = Counter(item.outcome or "under-way" for item in latest)
    return {
        "run": run, "cards": cards, "only": only, "all": len(latest), "under_way": counts["under-way"],
        "trouble": sum(counts[outcome] for outcome in _TROUBLE),
        "outcomes": [(word, counts[value]) for value, word in OperationOutcome.choices if counts[value]],
        "can_retry": run.template is not None,
    }  # fmt: skip


def latest_by_host(run: StorageRun) -> list[StorageOperation]:
    """One for each host: the newest, since a retry is another order of the same run."""
    latest: dict[int, StorageOperation] = {}
    for operation in run.operations.select_related("host").order_by("asked_at", "id"):
        latest[operation.host_id] = operation
    return sorted(latest.values(), key=lambda operation: operation.host.name.casefold())


@login_required
@require_http_methods(["GET", "POST"])
def retry_host(request: HttpRequest, pk: int) -> HttpResponse:
    """The same host again, with the template as it is now."""
    operation = get_object_or_404(StorageOperation.objects.select_related("run__template", "host"), pk=pk)
    template = operation.run.template if operation.run else None
    place = next(iter(find_drift(template, {operation.host_id}) if template else ()), None)
    context: dict[str, Any] = {"operation": operation, "template": template, "place": place}
    if request.method == "GET":
        return render(request, "hosts/_storage_retry.html", context)
    typed = request.POST.get("confirmed", "").strip()
    if template and place and place.needs_confirmation and typed != template.name and not _is_dry(operation):
        return render(request, "hosts/_storage_retry.html", context | {"mistyped": True}, status=422)
    try:
        retry(request.user, operation, confirmed=typed)
    except StorageRefused as refused:
        return render(request, "hosts/_storage_retry.html", context | {"refused": refused}, status=422)
    return close_and_show(reverse("hosts:storage_run", args=[operation.run_id]))


def _is_dry(operation: StorageOperation) -> bool:
    return operation.run is not None and operation.run.dry
