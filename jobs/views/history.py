"""Every move there ever was: filtered, sorted, paged, and all of it in the address."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from jobs.forms import HistoryFilter
from jobs.services import move_view
from jobs.views.page import render_page

PER_PAGE = 50


@login_required
@require_GET
def list_history(request: HttpRequest) -> HttpResponse:
    """A filter that makes no sense is said at its field, and the list then shows what the others select."""
    form = HistoryFilter(request.GET)
    moves = form.select()
    page = Paginator(moves, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "form": form,
        "page": page,
        "views": [move_view.view_move(move) for move in page.object_list],
        "columns": form.columns(),
        "selects": [form[name] for name in ("outcome", "host", "who", "kind", "days")],
        "filtered": form.filtered,
        "query": form.query_without("page"),
    }
    return render_page(request, "jobs/history.html", context)
