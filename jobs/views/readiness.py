"""Where one guest can go: every host with all its findings. Reads the database only; asks the workers for more."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET, require_POST

from hosts.models import Guest, Host
from jobs.services import dialog_view, preflight
from jobs.views.numbers import read_number


@login_required
@require_GET
def guest_readiness(request: HttpRequest, pk: int) -> HttpResponse:
    """The tab of a guest's page. `?to=` unfolds one host."""
    guest = _find_guest(pk)
    board = dialog_view.read_board(guest)
    asked = read_number(request.GET.get("to"))
    opened = board.find(asked) if asked is not None else None
    return render(request, "jobs/_guest_readiness.html", {"guest": guest, "board": board, "opened": opened})


@login_required
@require_GET
def candidate(request: HttpRequest, pk: int, destination_pk: int) -> HttpResponse:
    """All findings of one host, for the part that is unfolded."""
    guest = _find_guest(pk)
    destination = get_object_or_404(Host, pk=destination_pk)
    return render(request, "jobs/_candidate.html", _context(guest, destination))


@login_required
@require_POST
def recheck(request: HttpRequest, pk: int, destination_pk: int) -> HttpResponse:
    """Have both hosts read again now; what they say arrives by itself."""
    guest = _find_guest(pk)
    destination = get_object_or_404(Host, pk=destination_pk)
    preflight.recheck(guest, destination)
    return render(request, "jobs/_candidate.html", _context(guest, destination))


def _context(guest: Guest, destination: Host) -> dict[str, Any]:
    view = dialog_view.read_candidate(guest, destination)
    return {"guest": guest, "candidate": view, "options_query": ""}


def _find_guest(pk: int) -> Guest:
    return get_object_or_404(Guest.objects.select_related("host"), pk=pk)
