"""What moves on their way will take from their destinations: nobody may promise the same memory twice."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from hosts.facts.domain import DomainFacts
from hosts.models import Guest, Host, PairReading
from jobs.models import Migration
from jobs.options import MoveOptions, Storage, parse_options
from jobs.preflight.disks import copied_disks
from jobs.preflight.places import find_place


@dataclass(frozen=True, slots=True)
class PlannedMove:
    domain_uuid: UUID
    memory_bytes: int
    storage_bytes: Mapping[str, int] = field(default_factory=dict)  # destination pool → bytes of its copies


@dataclass(frozen=True, slots=True)
class Planned:
    """All moves on their way to one destination."""

    moves: tuple[PlannedMove, ...] = ()

    def without(self, domain_uuid: UUID | str) -> Planned:
        """A guest does not compete with itself."""
        if not self.moves:
            return self
        return Planned(tuple(move for move in self.moves if str(move.domain_uuid) != str(domain_uuid)))

    @property
    def memory_bytes(self) -> int:
        return sum(move.memory_bytes for move in self.moves)

    @property
    def storage_bytes(self) -> dict[str, int]:
        total: Counter[str] = Counter()
        for move in self.moves:
            total.update(move.storage_bytes)
        return dict(total)


NOTHING = Planned()


def list_planned(destinations: Collection[Host]) -> dict[int, Planned]:
    """Destination → its moves on their way. Two queries, three where storage is copied."""
    wanted = {host.pk: host for host in destinations}
    moves = list(
        Migration.objects.active().filter(destination__in=wanted)
        .only("domain_uuid", "source_id", "destination_id", "options_data")
    )  # fmt: skip
    if not moves:
        return {}
    guests = _guests_of(moves)
    capacities = _capacities_of([move for move in moves if _options(move).storage is not Storage.SHARED])
    found: dict[int, list[PlannedMove]] = defaultdict(list)
    for move in moves:
        guest = guests.get((move.domain_uuid, move.source_id))
        if guest is not None and move.destination_id is not None:
            sizes = capacities.get((move.domain_uuid, move.source_id, move.destination_id), {})
            storage = _by_pool(wanted[move.destination_id], guest, _options(move), sizes)
            found[move.destination_id].append(PlannedMove(move.domain_uuid, guest.memory_bytes, storage))
    return {destination: Planned(tuple(planned)) for destination, planned in found.items()}


def _options(move: Migration) -> MoveOptions:
    return parse_options(move.options_data)


def _guests_of(moves: Sequence[Migration]) -> dict[tuple[UUID, int | None], Guest]:
    rows = Guest.objects.present().filter(
        domain_uuid__in={move.domain_uuid for move in moves}, host__in={move.source_id for move in moves}
    )
    return {(row.domain_uuid, row.host_id): row for row in rows}


def _capacities_of(
    moves: Sequence[Migration],
) -> dict[tuple[UUID, int | None, int | None], dict[str, int]]:
    if not moves:
        return {}
    rows = PairReading.objects.filter(
        domain_uuid__in={move.domain_uuid for move in moves},
        destination__in={move.destination_id for move in moves},
    )
    return {
        (row.domain_uuid, row.source_id, row.destination_id): dict(row.disk_capacity_data) for row in rows
    }


def _by_pool(
    destination: Host, guest: Guest, options: MoveOptions, sizes: Mapping[str, int]
) -> dict[str, int]:
    if not sizes or destination.facts is None:
        return {}
    facts: DomainFacts = guest.reading.facts
    total: Counter[str] = Counter()
    for disk in copied_disks(facts, options):
        place = find_place(destination.facts, disk, options)
        if place is not None:
            total[place.pool] += sizes.get(disk.target, 0)
    return dict(total)
