"""What surrounds every page: the tree, the status bar and the palette."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET

from hosts.models import Guest, Host, PoolTemplate
from hosts.views.counts import read_counts
from hosts.views.outline import PAGE, read_branch, read_outline
from hosts.views.pools import find_pools

PALETTE_ROWS = 20


@login_required
def start(request: HttpRequest) -> HttpResponse:
    return redirect("hosts:guests" if Guest.objects.present().exists() else "hosts:list")


@login_required
@require_GET
def tree(request: HttpRequest) -> HttpResponse:
    query = request.GET.get("q", "").strip()[:100]
    return render(request, "hosts/_tree.html", {"outline": read_outline(request, query)})


@login_required
@require_GET
def branch(request: HttpRequest, pk: int) -> HttpResponse:
    """The guests of one host that was just unfolded."""
    host = get_object_or_404(Host, pk=pk)
    limit = request.GET.get("limit", "")
    found = read_branch(host, int(limit) if limit.isdecimal() else PAGE)
    return render(request, "hosts/_tree_guests.html", {"branch": found})


@login_required
@require_GET
def status(request: HttpRequest) -> HttpResponse:
    return render(request, "hosts/_status.html", {"counts": read_counts()})


@login_required
@require_GET
def palette(request: HttpRequest) -> HttpResponse:
    """Hosts, guests, pools and templates whose name holds what was typed; those that begin with it first."""
    query = request.GET.get("q", "").strip()[:100]
    hosts = Host.objects.defer("facts_data", "credentials").filter(name__icontains=query)
    guests = (
        Guest.objects.present().defer("reading_data").select_related("host").filter(name__icontains=query)
    )
    if _looks_like_uuid(query):
        guests = (
            Guest.objects.present().defer("reading_data").select_related("host").filter(domain_uuid=query)
        )
    found_hosts, found_guests = list(hosts[:6]), list(guests[:PALETTE_ROWS])
    needle = query.casefold()
    pools, places = find_pools(query)
    found_guests.sort(key=lambda guest: not guest.name.casefold().startswith(needle))
    templates = PoolTemplate.objects.only("name").filter(name__icontains=query)[:4] if query else ()
    others = len(found_hosts) + len(pools) + len(places) + len(templates)
    context = {
        "query": query, "hosts": found_hosts, "pools": pools, "places": places, "templates": templates,
        "guests": found_guests[: PALETTE_ROWS - others],
    }  # fmt: skip
    return render(request, "hosts/_palette.html", context)


def _looks_like_uuid(text: str) -> bool:
    return len(text.replace("-", "")) == 32 and all(c in "0123456789abcdefABCDEF-" for c in text)
