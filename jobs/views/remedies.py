"""Remedies that the product does itself: read what will change, confirm, see what came of it."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET, require_http_methods

from jobs.models import Remedy
from jobs.services import preflight, remedies, remedy_view
from jobs.services.remedies import RemedyRefused, Wish
from jobs.views.asked import Asked, read_asked


@login_required
@require_http_methods(["GET", "POST"])
def remedy(request: HttpRequest, pk: int, destination_pk: int) -> HttpResponse:
    """The question, and the order when it is confirmed."""
    asked = read_asked(request, pk, destination_pk)
    said = request.POST if request.method == "POST" else request.GET
    wish = Wish(asked.check_id, asked.subject, said.get("fix", "")[:30], said.get("digest", "")[:64])
    if request.method == "GET":
        return render(request, "jobs/_remedy.html", _question(asked, wish))
    try:
        order = remedies.request_remedy(request.user, asked.guest, asked.destination, asked.options, wish)
    except RemedyRefused as refused:
        if refused.under_way is not None:
            return _show(request, refused.under_way, asked.options_query, note=refused.message)
        return render(request, "jobs/_remedy.html", _question(asked, wish) | {"refused": refused}, status=422)
    return _show(request, order, asked.options_query)


@login_required
@require_GET
def show_remedy(request: HttpRequest, pk: int) -> HttpResponse:
    """How it stands. Asked again by the page itself until it is over."""
    order = get_object_or_404(Remedy.objects.select_related("guest__host", "destination", "host"), pk=pk)
    if remedy_view.is_lapsed(order):
        remedies.expire_lapsed()
        order.refresh_from_db()
    return _show(request, order, request.GET.get("options", ""), note=request.GET.get("note", "")[:300])


def _question(asked: Asked, wish: Wish) -> dict[str, Any]:
    """What is offered now, whatever the page was drawn from."""
    evaluation = preflight.evaluate(asked.guest, asked.destination, asked.options)
    offer = remedies.find_offer(evaluation, wish)
    changed = offer is None and bool(wish.digest)
    if changed:
        offer = remedies.find_offer(evaluation, Wish(wish.check_id, wish.subject, wish.kind))
    return {"asked": asked, "offer": offer, "changed": changed and offer is not None}


def _show(request: HttpRequest, order: Remedy, options_query: str, *, note: str = "") -> HttpResponse:
    view = remedy_view.view_remedy(order)
    context = {"view": view, "remedy": order, "options_query": options_query, "note": note}
    return render(request, "jobs/_remedy_state.html", context)
