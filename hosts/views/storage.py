"""Storage pools over all hosts, and one pool name compared across them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from hosts.facts.pool_fill import Fill
from hosts.models import Host
from hosts.services.contents import request_contents
from hosts.services.inventory import request_refresh
from hosts.services.pool_compare import PoolComparison, compare_pool, oldest_reading
from hosts.views.pages import page
from hosts.views.pools import PoolRow, read_pools

SHOWS = ("full", "inactive", "differs")


@login_required
@require_GET
def list_pools(request: HttpRequest) -> HttpResponse:
    query, show = request.GET.get("q", "").strip()[:100], request.GET.get("show", "")
    show = show if show in SHOWS else ""
    rows = [row for row in read_pools() if query.casefold() in row.name.casefold() and _is_shown(row, show)]
    hosts = Host.objects.defer("facts_data", "credentials")
    context = {
        "pools": rows, "query": query, "show": show, "filtered": bool(query or show),
        "unread": [host for host in hosts if host.read_at is None],
    }  # fmt: skip
    return page(request, "hosts/storage.html", context)


def _is_shown(row: PoolRow, show: str) -> bool:
    if show == "full":
        return any(place.fill in {Fill.WARN, Fill.ALARM} for place in row.places)
    if show == "inactive":
        return any(not place.facts.active for place in row.places)
    return row.differs if show == "differs" else True


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of one host. `odd`: not what most of the hosts say."""

    value: str
    odd: bool


@login_required
@require_http_methods(["GET", "POST"])
def compare_pool_page(request: HttpRequest, name: str) -> HttpResponse:
    """The same pool on every host? POST: read all of them again."""
    comparison = compare_pool(name)
    if not comparison.places and not comparison.missing_on:
        raise Http404
    if request.method == "POST":
        return _read_all(request, comparison)
    for place in comparison.places:
        if place.facts.active:
            request_contents(place.host, name)
    context = {
        "comparison": comparison, "oldest": oldest_reading(comparison),
        "rows": [(row, _cells(row.values, unknown="")) for row in comparison.rows],
        "differences": [(item.name, _cells(item.seen)) for item in comparison.volume_differences],
    }  # fmt: skip
    return page(request, "hosts/pool_compare.html", context)


def _read_all(request: HttpRequest, comparison: PoolComparison) -> HttpResponse:
    request_refresh([place.host.pk for place in comparison.places])
    for place in comparison.places:
        request_contents(place.host, comparison.name, anew=True)
    messages.info(request, f"{comparison.name} is being read again on {len(comparison.places)} hosts.")
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "components/_only_toasts.html")
    return redirect(request.path)


def _cells(values: tuple[str, ...], unknown: str | None = None) -> list[Cell]:
    """Odd are those that differ from what most say; where no value is more frequent than another, all of them. What is
    not known is not odd."""
    counted = Counter(value for value in values if value != unknown).most_common(2)
    even = len(counted) > 1 and counted[0][1] == counted[1][1]
    return [
        Cell(value, value != unknown and len(counted) > 1 and (even or value != counted[0][0]))
        for value in values
    ]
