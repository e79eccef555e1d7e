"""The migrate dialog: one fragment, checked again whenever an option changes, started by one press."""

from __future__ import annotations

import json
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from hosts.models import Guest, Host
from jobs.forms import MoveForm
from jobs.services import dialog_view
from jobs.services.requests import MoveRefused, request_move
from jobs.views.option_groups import STAYS_CHOICES, build_groups, list_choices


def _find_guest(pk: int) -> Guest:
    return get_object_or_404(Guest.objects.select_related("host"), pk=pk)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


@login_required
@require_GET
def migrate(request: HttpRequest, pk: int) -> HttpResponse:
    """The dialog with the choices that fit this guest; `?destination=` chooses the target."""
    guest = _find_guest(pk)
    asked = _number(request.GET.get("destination"))
    board = dialog_view.read_board(guest)
    chosen = board.find(asked) or board.find(None)
    options = dialog_view.suggest_options(guest, chosen.host if chosen else None)
    if options != board.options:
        board = dialog_view.read_board(guest, options)
        chosen = board.find(chosen.host.pk if chosen else None)
    form = MoveForm(guest, initial=options)
    context = _outcome(guest, board, chosen, {}) | {
        "form": form,
        "groups": build_groups(form),
        "kind_reason": dialog_view.explain_kind(guest),
        "kinds": list_choices("kind"),
        "storages": list_choices("storage"),
        "stays": STAYS_CHOICES,
    }
    return render(request, "jobs/_migrate.html", context)


@login_required
@require_POST
def migrate_check(request: HttpRequest, pk: int) -> HttpResponse:
    """Findings, command, verdicts of all candidates and the button, for the options as they are now."""
    guest = _find_guest(pk)
    return render(
        request, "jobs/_migrate_checked.html", _check(request, guest, MoveForm(guest, request.POST))
    )


@login_required
@require_POST
def migrate_start(request: HttpRequest, pk: int) -> HttpResponse:
    """Start the move and go to its page. What is refused is said in the dialog, which keeps every choice."""
    guest = _find_guest(pk)
    form = MoveForm(guest, request.POST)
    destination = Host.objects.filter(pk=_number(request.POST.get("destination")) or 0).first()
    context: dict[str, Any] = {}
    if form.is_valid() and form.options is not None and destination is not None and not form.problems():
        try:
            move = request_move(request.user, guest, destination, form.options, form.cleaned_data["reason"])
        except MoveRefused as refused:
            context = {"refused": refused}
        else:
            return _started(move.pk)
    return render(request, "jobs/_migrate_checked.html", _check(request, guest, form) | context, status=422)


def _started(pk: int) -> HttpResponse:
    """Close the dialog and show the move's page in the main pane."""
    place = {"path": reverse("jobs:move", args=[pk]), "target": "#main", "swap": "innerHTML"}
    headers = {"HX-Location": json.dumps(place), "HX-Trigger": json.dumps({"dialog-close": {"id": pk}})}
    return HttpResponse(status=200, headers=headers)


def _check(request: HttpRequest, guest: Guest, form: MoveForm) -> dict[str, Any]:
    """Options that cannot be understood are not evaluated: findings would be about something else."""
    form.is_valid()
    board = dialog_view.read_board(guest, form.options)
    chosen = board.find(_number(request.POST.get("destination")))
    return _outcome(guest, board, chosen, form.problems(), unchecked=form.options is None)


def _outcome(
    guest: Guest,
    board: dialog_view.Board,
    chosen: dialog_view.CandidateView | None,
    problems: dict[str, str],
    *,
    unchecked: bool = False,
) -> dict[str, Any]:
    why_off = dialog_view.refusal(chosen, board.active)
    if problems and (unchecked or not why_off):
        why_off = "Correct what is marked above."
    return {
        "guest": guest,
        "board": board,
        "chosen": chosen,
        "problems": problems,
        "why_off": why_off,
        "unchecked": unchecked,
    }
