"""Cards of a guest's page that are about moves."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from hosts.models import Guest
from jobs.models import Migration
from jobs.services import dialog_view, move_view

BEST = 8  # hosts on the card; the tab "Readiness" has them all
SHOWN = 20  # of a guest's moves; the rest is one link away in the history


@login_required
@require_GET
def guest_destinations(request: HttpRequest, pk: int) -> HttpResponse:
    """Where can it go: every other host with its verdict. Asks for fresh readings where they have aged."""
    guest = get_object_or_404(Guest.objects.select_related("host"), pk=pk)
    board = dialog_view.read_board(guest)
    more = max(0, len(board.candidates) - BEST)
    context = {"guest": guest, "board": board, "candidates": board.candidates[:BEST], "more": more}
    return render(request, "jobs/_destinations.html", context)


@login_required
@require_GET
def guest_history(request: HttpRequest, pk: int) -> HttpResponse:
    guest = get_object_or_404(Guest, pk=pk)
    moves = Migration.objects.filter(domain_uuid=guest.domain_uuid).defer(
        "saved_xml", "findings_data", "plan_data"
    )
    context = {
        "guest": guest,
        "views": [move_view.view_move(move) for move in moves[:SHOWN]],
        "more": moves.count() - SHOWN,
    }
    return render(request, "jobs/_guest_history.html", context)
