"""All that is stored for the preflight of guests of one host, read in as many queries for one as for hundreds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import Q

from hosts.facts.domain import GuestReading
from hosts.facts.host import HostFacts
from hosts.models import Guest, Host, PairReading
from jobs.preflight.context import HostSide, Neighbour
from jobs.preflight.waiving import GivenWaiver
from jobs.services.judging import list_waivers_of
from jobs.services.planned import NOTHING, Planned, list_planned

Way = tuple[UUID, int]  # domain, destination


class Crowd:
    """The guests that already are on one host, found by what could clash with another one."""

    def __init__(self, neighbours: Iterable[Neighbour]) -> None:
        self._by_mark: dict[str, list[Neighbour]] = defaultdict(list)
        for neighbour in neighbours:
            marks = (neighbour.domain_uuid, neighbour.name, *(mac.lower() for mac in neighbour.macs))
            for mark in set(marks):
                self._by_mark[mark].append(neighbour)

    def find(self, guest: Guest, new_name: str) -> tuple[Neighbour, ...]:
        marks = (str(guest.domain_uuid), guest.name, new_name, *guest.macs.lower().split())
        found = (neighbour for mark in marks for neighbour in self._by_mark.get(mark, ()))
        return tuple({neighbour.domain_uuid: neighbour for neighbour in found}.values())


@dataclass(frozen=True, slots=True)
class Stored:
    """For guests of `source` on their way to some destinations. Made once, asked for each pair of them."""

    source: Host
    pairs: Mapping[Way, PairReading]
    waivers: Mapping[Way, tuple[GivenWaiver, ...]]
    crowds: Mapping[int, Crowd]
    planned: Mapping[int, Planned]
    sides: dict[int, HostSide] = field(default_factory=dict)
    readings: dict[int, GuestReading] = field(default_factory=dict)

    def side(self, host: Host) -> HostSide:
        """Parsed once: the facts of a host are large."""
        if host.pk not in self.sides:
            self.sides[host.pk] = build_side(host, host.facts)
        return self.sides[host.pk]

    def reading(self, guest: Guest) -> GuestReading:
        if guest.pk not in self.readings:
            self.readings[guest.pk] = guest.reading
        return self.readings[guest.pk]

    def pair(self, guest: Guest, destination: Host) -> PairReading | None:
        return self.pairs.get((guest.domain_uuid, destination.pk))

    def planned_for(self, guest: Guest, destination: Host) -> Planned:
        return self.planned.get(destination.pk, NOTHING).without(guest.domain_uuid)


def read_stored(
    source: Host, guests: Sequence[Guest], destinations: Collection[Host], new_name: str = ""
) -> Stored:
    """`new_name`: the name the guest is to get at the destination, when it is not its own."""
    domains = [guest.domain_uuid for guest in guests]
    rows = PairReading.objects.filter(source=source, domain_uuid__in=domains, destination__in=destinations)
    return Stored(
        source=source,
        pairs={(row.domain_uuid, row.destination_id): row for row in rows},
        waivers=list_waivers_of(domains, destinations),
        crowds=_read_crowds(guests, destinations, new_name),
        planned=list_planned(destinations),
    )


def build_side(host: Host, facts: HostFacts | None, silent_reason: str | None = None) -> HostSide:
    if silent_reason is None:
        silent_reason = (host.contact_error or "never reached") if host.silent else ""
    return HostSide(
        name=host.name,
        facts=facts,
        silent_reason=silent_reason if host.enabled else "disabled",
        migration_ports=host.migration_ports,
        migration_address=host.migration_address,
        bandwidth_cap_mib_per_s=host.bandwidth_cap_mib_per_s,
        probe=host.probe,
    )


def _read_crowds(guests: Sequence[Guest], destinations: Collection[Host], new_name: str) -> dict[int, Crowd]:
    """Of one guest only those with which it could clash are fetched; of many, all guests of the destinations."""
    rows = Guest.objects.present().filter(host__in=destinations)
    if len(guests) == 1:
        rows = rows.filter(_clashing(guests[0], new_name))
    found: dict[int, list[Neighbour]] = defaultdict(list)
    for host_id, neighbour in _neighbours(rows.order_by("pk")):
        found[host_id].append(neighbour)
    return {host.pk: Crowd(found[host.pk]) for host in destinations}


def _neighbours(rows: object) -> Iterator[tuple[int, Neighbour]]:
    fields = ("host_id", "domain_uuid", "name", "state", "memory_bytes", "macs")
    for host_id, domain_uuid, name, state, memory, macs in rows.values_list(*fields):  # type: ignore[attr-defined]
        yield host_id, Neighbour(str(domain_uuid), name, state, memory, tuple(macs.split()))


def _clashing(guest: Guest, new_name: str) -> Q:
    clashing = Q(domain_uuid=guest.domain_uuid) | Q(name__in=[guest.name, new_name])
    for mac in guest.macs.split():
        clashing |= Q(macs__icontains=mac)
    return clashing
