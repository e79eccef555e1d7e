"""The migrate dialog: one fragment, checked again whenever an option changes, started by one press."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from hosts.models import Guest, Host
from jobs.forms import MoveForm
from jobs.options import MoveOptions
from jobs.services import dialog_view, disk_places
from jobs.services.requests import MoveRefused, request_move
from jobs.views.numbers import read_number
from jobs.views.option_groups import STAYS_CHOICES, build_groups, list_choices


def _find_guest(pk: int) -> Guest:
    return get_object_or_404(Guest.objects.select_related("host"), pk=pk)


@login_required
@require_GET
def migrate(request: HttpRequest, pk: int) -> HttpResponse:
    """The dialog with the choices that fit this guest; `?destination=` chooses the target, and options in the
    address are the choices of somebody who comes back to it."""
    guest = _find_guest(pk)
    given = _given_options(guest, request.GET)
    asked = read_number(request.GET.get("destination"))
    board = dialog_view.read_board(guest, given)
    chosen = board.find(asked) or board.find(None)
    options = given or (chosen.options if chosen else dialog_view.suggest_options(guest))
    if given is None and chosen is not None:
        board = dialog_view.choose_options(guest, board, options)
        chosen = board.find(chosen.host.pk)
    form = MoveForm(guest, initial=options)
    query = request.GET.urlencode() if given is not None else _query_of(form)
    context = _outcome(guest, board, chosen, {}) | _choices(guest, form) | {"options_query": query}
    context["places"] = _places(guest, board, chosen, options)
    return render(request, "jobs/_migrate.html", context)


def _choices(guest: Guest, form: MoveForm) -> dict[str, Any]:
    return {
        "form": form,
        "groups": build_groups(form),
        "kind_reason": dialog_view.explain_kind(guest),
        "kinds": list_choices("kind"),
        "storages": list_choices("storage"),
        "stays": STAYS_CHOICES,
    }


def _given_options(guest: Guest, said: QueryDict) -> MoveOptions | None:
    """None: the address names none, or they make no sense any more."""
    if "kind" not in said:
        return None
    form = MoveForm(guest, said)
    return form.options if form.is_valid() else None


def _query_of(form: MoveForm) -> str:
    """What a dialog in which nothing was changed yet sends of its options."""
    return urlencode({name: form[name].value() for name in ("kind", "stays", "storage")})


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
    destination = Host.objects.filter(pk=read_number(request.POST.get("destination")) or 0).first()
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
    chosen = board.find(read_number(request.POST.get("destination")))
    outcome = _outcome(guest, board, chosen, form.problems(), unchecked=form.options is None)
    places = _places(guest, board, chosen, form.options)
    changed = form.options is not None and places.key != request.POST.get("disks_for", "")
    return outcome | {
        "options_query": request.POST.urlencode(),
        "places": places,
        "places_changed": changed,
    }


def _places(
    guest: Guest,
    board: dialog_view.Board,
    chosen: dialog_view.CandidateView | None,
    options: MoveOptions | None,
) -> disk_places.Places:
    host = chosen.host if chosen is not None else None
    return disk_places.list_places(board.stored, guest, host, options or MoveOptions())


def _outcome(
    guest: Guest,
    board: dialog_view.Board,
    chosen: dialog_view.CandidateView | None,
    problems: dict[str, str],
    *,
    unchecked: bool = False,
) -> dict[str, Any]:
    dialog_view.keep_fresh(guest, chosen)
    why_off = dialog_view.refusal(chosen, board.active)
    if problems and (unchecked or not why_off):
        why_off = "Correct what is marked above."
    line = dialog_view.find_line(guest, board, chosen)
    return {
        "guest": guest,
        "board": board,
        "chosen": chosen,
        "virsh_line": line,
        "virsh_notes": dialog_view.find_notes(chosen, line),
        "waiting": board.waiting or (chosen is not None and chosen.evaluation.waiting),
        "problems": problems,
        "why_off": why_off,
        "unchecked": unchecked,
    }
