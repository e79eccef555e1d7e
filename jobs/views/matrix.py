"""All guests of a host towards all other hosts."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from hosts.models import Host
from jobs.services.matrix import MOST_ROWS, ROWS, read_matrix
from jobs.views.numbers import read_number


@login_required
@require_GET
def host_matrix(request: HttpRequest, pk: int) -> HttpResponse:
    """The tab of a host's page. `?from=` gives the further rows of a long list alone; `?shown=` says how many there
    are already, so that a page that is drawn anew keeps them."""
    host = get_object_or_404(Host, pk=pk)
    offset = (read_number(request.GET.get("from")) or 0) // ROWS * ROWS
    shown = [read_number(text) or 0 for text in request.GET.getlist("shown")]
    count = ROWS if offset else min(max([ROWS, *shown]), MOST_ROWS)
    matrix = read_matrix(host, offset, count)
    template = "jobs/_matrix_rows.html" if offset else "jobs/_matrix.html"
    return render(request, template, {"host": host, "matrix": matrix})
