"""The list of guests: of all hosts, or of one."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.http import HttpRequest

from hosts.facts.domain import ACTIVE_STATES, DomainState
from hosts.models import Guest, Host
from hosts.views.pages import read_order, read_page

SORTS = {
    "name": ("name",),
    "state": ("state", "name"),
    "host": ("host__name", "name"),
    "memory": ("memory_bytes", "name"),
    "vcpus": ("vcpus", "name"),
    "age": ("read_at", "name"),
}
STATES = (
    "active",
    *(state.value for state in DomainState if state not in {DomainState.NO_STATE, DomainState.BLOCKED}),
)


def guest_list(request: HttpRequest, host: Host | None = None) -> dict[str, Any]:
    """One page of guests by `?q= &state= &host= &sort= &page=`, with what the page needs to say so."""
    order = read_order(request, list(SORTS), "name")
    query, state = request.GET.get("q", "").strip()[:100], request.GET.get("state", "")
    wanted = request.GET.get("host", "")
    guests = Guest.objects.present().defer("reading_data").select_related("host")
    guests = guests.defer("host__facts_data", "host__credentials", "reading_data")
    if host is not None:
        guests = guests.filter(host=host)
    elif wanted.isdecimal():
        guests = guests.filter(host_id=int(wanted))
    fields = [f"-{name}" if order.descending else name for name in SORTS[order.name]]
    found = _matching(guests, query, state).order_by(*fields, "pk")
    return {
        "guests": read_page(request, found), "order": order, "query": query, "state": state, "states": STATES,
        "wanted_host": wanted, "of_host": host, "filtered": bool(query or state or (wanted and host is None)),
    }  # fmt: skip


def _matching(guests: Any, query: str, state: str) -> Any:
    if query:
        by_uuid = Q(domain_uuid__istartswith=query) if len(query) >= 8 else Q()
        guests = guests.filter(Q(name__icontains=query) | by_uuid if by_uuid else Q(name__icontains=query))
    if state == "active":
        return guests.filter(state__in=[item.value for item in ACTIVE_STATES])
    return guests.filter(state=state) if state else guests
