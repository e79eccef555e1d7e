"""Moves under way and their pages. Reads the database only; a change goes through jobs.services."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET, require_POST

from jobs.models import Migration
from jobs.services import control, move_figures, move_view
from jobs.services.requests import MoveRefused
from jobs.views.page import render_page

LATEST = 30  # ended moves on the page of moves; the history has them all
JUMPS = 8  # answers to a jump: what fits without scrolling


@login_required
@require_GET
def list_moves(request: HttpRequest) -> HttpResponse:
    """Active moves first, then those that ended last."""
    rows = Migration.objects.defer("saved_xml", "findings_data", "plan_data")
    active = rows.active().order_by("requested_at", "pk")
    ended = rows.ended().order_by("-requested_at")[:LATEST]
    context = {
        "active": [move_view.view_move(move) for move in active],
        "ended": [move_view.view_move(move) for move in ended],
    }
    return render_page(request, "jobs/moves.html", context)


@login_required
@require_GET
def show_move(request: HttpRequest, pk: int) -> HttpResponse:
    move = get_object_or_404(Migration.objects.defer("saved_xml"), pk=pk)
    return render_page(request, "jobs/move.html", move_view.page_context(move))


@login_required
@require_GET
def move_points(request: HttpRequest, pk: int) -> HttpResponse:
    """The series behind the chart as JSON, after `?after=` milliseconds of the transfer."""
    move = get_object_or_404(Migration.objects.only("pk"), pk=pk)
    try:
        after_ms = int(request.GET.get("after", -1))
    except ValueError:
        return HttpResponseBadRequest("after must be a number of milliseconds.")
    return JsonResponse({"points": move_figures.read_points(move, after_ms)})


@login_required
@require_POST
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask for it and say what happens now, as a toast. The page itself changes by its live connection."""
    move = get_object_or_404(Migration, pk=pk)
    try:
        said = {"tone": "ok", "sentence": control.request_cancel(request.user, move)}
    except MoveRefused as refused:
        said = {"tone": "bad", "sentence": refused.message, "remedy": refused.remedy}
    return render(request, "jobs/_toast.html", said)


@login_required
@require_GET
def dock(request: HttpRequest) -> HttpResponse:
    return render(request, "jobs/_dock.html")


@login_required
@require_GET
def jump(request: HttpRequest) -> HttpResponse:
    """Moves whose guest or host is named like `?q=`, newest first."""
    words = request.GET.get("q", "").strip()
    moves = move_view.search_moves(words)[:JUMPS] if words else []
    return render(request, "jobs/_jump.html", {"views": [move_view.view_move(move) for move in moves]})
