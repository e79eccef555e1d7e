"""Two hosts without a guest: the board of all of them, of one host, and the page of one pair."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET, require_POST

from hosts.models import Host
from jobs.services import readiness
from jobs.services.comparison import compare_hosts
from jobs.services.stored import build_side
from jobs.views.page import render_page


@login_required
@require_GET
def list_pairs(request: HttpRequest) -> HttpResponse:
    """Every host towards every other one."""
    hosts = readiness.list_hosts()
    views = readiness.read_pairs(hosts, hosts)
    rows = [(source, [views.get((source.pk, to.pk)) for to in hosts]) for source in hosts]
    context = {"hosts": hosts, "rows": rows, "waiting": any(view.unread for view in views.values())}
    return render_page(request, "jobs/pairs.html", context)


@login_required
@require_GET
def host_readiness(request: HttpRequest, pk: int) -> HttpResponse:
    """The tab of a host's page: to every other host and back."""
    host = get_object_or_404(Host, pk=pk)
    others = [other for other in readiness.list_hosts() if other.pk != host.pk]
    views = readiness.read_pairs_of(host, others)
    rows = [(other, views[host.pk, other.pk], views[other.pk, host.pk]) for other in others]
    context = {"host": host, "rows": rows, "waiting": any(view.unread for view in views.values())}
    return render(request, "jobs/_host_readiness.html", context)


@login_required
@require_GET
def show_pair(request: HttpRequest, pk: int, destination_pk: int) -> HttpResponse:
    return render_page(request, "jobs/pair.html", _context(pk, destination_pk))


@login_required
@require_POST
def recheck_pair(request: HttpRequest, pk: int, destination_pk: int) -> HttpResponse:
    """Have both hosts read again now, and asked about each other; what they say arrives by itself."""
    context = _context(pk, destination_pk)
    readiness.recheck_pair(context["source"], context["destination"])
    return render_page(request, "jobs/pair.html", _context(pk, destination_pk))


def _context(pk: int, destination_pk: int) -> dict[str, Any]:
    if pk == destination_pk:
        raise Http404("A host has no way to itself.")
    source, destination = get_object_or_404(Host, pk=pk), get_object_or_404(Host, pk=destination_pk)
    views = readiness.read_pairs_of(source, [destination])
    here, there = build_side(source, source.facts), build_side(destination, destination.facts)
    return {
        "source": source,
        "destination": destination,
        "view": views[source.pk, destination.pk],
        "back": views[destination.pk, source.pk],
        "comparison": compare_hosts(here, there),
    }
