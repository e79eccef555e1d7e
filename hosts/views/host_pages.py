"""The list of hosts and the page of one."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from hosts.facts.address import parse_address
from hosts.facts.host import HostFacts
from hosts.models import Contact, Host
from hosts.views.fingerprints import accepted_keys
from hosts.views.guest_rows import guest_list
from hosts.views.pages import page, read_order
from hosts.views.pools import PoolOnHost

TABS = ("summary", "guests", "leave", "readiness", "storage", "networks", "connection")
SORTS = ("name", "state", "guests", "memory", "versions", "age")
_FAR = "9999"


@login_required
@require_GET
def list_hosts(request: HttpRequest) -> HttpResponse:
    order = read_order(request, SORTS, "name")
    present = Q(guests__gone_at=None) & Q(guests__isnull=False)
    hosts = Host.objects.defer("credentials").annotate(
        guest_count=Count("guests", filter=present),
        running_count=Count("guests", filter=present & Q(guests__state="running")),
    )
    if request.GET.get("state") == "silent":
        hosts = hosts.filter(enabled=True).exclude(contact=Contact.REACHABLE)
    rows = sorted(
        ({"host": host, "facts": host.facts} for host in hosts), key=lambda row: _sort_key(row, order.name)
    )
    if order.descending:
        rows.reverse()
    return page(
        request, "hosts/list.html", {"rows": rows, "order": order, "only_silent": "state" in request.GET}
    )


def _sort_key(row: dict[str, Any], name: str) -> tuple[Any, ...]:
    host: Host = row["host"]
    facts: HostFacts | None = row["facts"]
    keys: dict[str, Any] = {
        "name": "",
        "state": (not host.enabled, host.contact),
        "guests": -host.guest_count,  # type: ignore[attr-defined]
        "memory": -(facts.memory_bytes if facts else 0),
        "versions": -(facts.hypervisor_version if facts else 0),
        "age": host.read_at.isoformat() if host.read_at else _FAR,
    }
    return (keys[name], host.name.casefold())


@login_required
@require_GET
def show_host(request: HttpRequest, pk: int) -> HttpResponse:
    host = get_object_or_404(Host, pk=pk)
    tab = request.GET.get("tab", "")
    tab = tab if tab in TABS else "summary"
    facts = host.facts
    context: dict[str, Any] = {
        "host": host,
        "facts": facts,
        "tab": tab,
        "guest_count": host.guests.filter(gone_at=None).count(),
    }
    if tab == "guests":
        context |= guest_list(request, host)
    if tab == "storage" and facts:
        context["pools"] = [PoolOnHost(host, pool) for pool in facts.pools]
    if tab == "connection":
        context |= connection_context(host)
    return page(request, "hosts/detail.html", context)


def connection_context(host: Host) -> dict[str, Any]:
    try:
        address = parse_address(host.address)
    except ValueError as error:
        return {"address": None, "address_error": str(error), "accepted": accepted_keys(host.known_hosts)}
    stored = sorted(key for key, value in (host.credentials or {}).items() if value)
    return {"address": address, "stored": stored, "accepted": accepted_keys(host.known_hosts)}


@login_required
@require_GET
def host_menu(request: HttpRequest, pk: int) -> HttpResponse:
    return render(request, "hosts/_host_menu.html", {"host": get_object_or_404(Host, pk=pk)})
