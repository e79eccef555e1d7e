"""How the last moves to a host went: what a person may expect of the next one."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from hosts.models import Guest, Host
from jobs.engine.phases import Phase
from jobs.models import Migration

WINDOW: Final = timedelta(days=30)
SHOWN: Final = 5
MOST_LOOKED_AT: Final = 1000  # of a busy host's moves; the newest are what counts


@dataclass(frozen=True, slots=True)
class Ended:
    """One move that ended. Times in milliseconds; None: not measured."""

    domain_uuid: UUID
    phase: str
    duration_ms: int | None
    downtime_ms: int | None


@dataclass(frozen=True, slots=True)
class Record:
    """The last moves to one host, newest first: of this guest where there are any, else of its host's guests."""

    moves: tuple[Ended, ...] = ()
    own: bool = False  # they are this guest's
    own_failures: int = 0  # of this guest to this host within WINDOW

    @property
    def moved(self) -> int:
        return sum(move.phase == Phase.SUCCEEDED for move in self.moves)

    @property
    def failed(self) -> int:
        return sum(move.phase == Phase.FAILED for move in self.moves)

    @property
    def cancelled(self) -> int:
        return len(self.moves) - self.moved - self.failed

    @property
    def duration_ms(self) -> float | None:
        return _median(move.duration_ms for move in self.moves if move.phase == Phase.SUCCEEDED)

    @property
    def downtime_ms(self) -> float | None:
        return _median(move.downtime_ms for move in self.moves if move.phase == Phase.SUCCEEDED)


NO_RECORD: Final = Record()


def read_records(guest: Guest, destinations: Collection[Host]) -> dict[int, Record]:
    """Destination → how moves there ended within WINDOW. One query."""
    whose = Q(source=guest.host_id) | Q(domain_uuid=guest.domain_uuid)
    rows = (
        Migration.objects.ended()
        .filter(whose, requested_at__gte=timezone.now() - WINDOW, destination__in=destinations)
        .order_by("-requested_at")
        .values_list("destination_id", "domain_uuid", "phase", "duration_ms", "downtime_ms")
    )
    by_host: dict[int | None, list[Ended]] = defaultdict(list)
    for destination_id, domain_uuid, phase, duration_ms, downtime_ms in rows[:MOST_LOOKED_AT]:
        by_host[destination_id].append(Ended(domain_uuid, phase, duration_ms, downtime_ms))
    return {host_id: _record(guest, moves) for host_id, moves in by_host.items() if host_id is not None}


def _record(guest: Guest, moves: list[Ended]) -> Record:
    own = [move for move in moves if move.domain_uuid == guest.domain_uuid]
    failures = sum(move.phase == Phase.FAILED for move in own)
    return Record(tuple((own or moves)[:SHOWN]), bool(own), failures)


def _median(values: Iterable[int | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
