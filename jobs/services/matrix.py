"""All guests of a host towards all other hosts: who can leave now, whereto, and what keeps the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from hosts.models import Guest, Host
from jobs.services import preflight
from jobs.services.asking import ASKED_AT_ONCE, is_aged, is_on_its_way
from jobs.services.dialog_view import count_words
from jobs.services.preflight import Evaluation
from jobs.services.stored import Stored, read_stored

ROWS: Final = 50  # of guests at once; the rest comes as the page is scrolled
MOST_ROWS: Final = 500  # that are drawn anew together
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Cell:
    """One guest towards one host. `count`: of blockers, else of warnings."""

    host: Host
    state: str  # ready, warnings, blocked, checking
    count: int
    why: str

    @property
    def words(self) -> str:
        if self.state == "blocked":
            return count_words(self.count, "blocker")
        return count_words(self.count, "warning") if self.state == "warnings" else self.state


@dataclass(frozen=True, slots=True)
class Row:
    guest: Guest
    cells: tuple[Cell, ...]

    @property
    def possible(self) -> int:
        return sum(cell.state in {"ready", "warnings"} for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Stuck:
    """A guest that can go nowhere, with what keeps it from the host where the least is in the way."""

    guest: Guest
    nearest: Host
    why: str


@dataclass(frozen=True, slots=True)
class Matrix:
    """`rows` is one part of the guests; the sums are of all of them."""

    source: Host
    destinations: tuple[Host, ...]
    rows: tuple[Row, ...]
    guests: int
    can_leave: int
    checking: int
    stuck: tuple[Stuck, ...]
    next_offset: int | None
    shown: int  # rows from the first one on, when these have been added


def read_matrix(source: Host, offset: int = 0, count: int = ROWS) -> Matrix:
    """From stored readings, in as many queries for one guest as for hundreds. Asks for a few readings that are
    missing or have aged; each answer lets the page ask again. `count` rows from `offset` on."""
    guests = list(source.guests.present().order_by("name", "pk"))
    for guest in guests:
        guest.host = source
    destinations = sorted(preflight.list_destinations(source.pk), key=lambda host: host.name.casefold())
    stored = read_stored(source, guests, destinations)
    part = slice(offset, offset + count)
    rows = tuple(_row(stored, guest, destinations) for guest in guests[part])
    others = (*guests[:offset], *guests[offset + count :])
    _ask_for_aged(stored, guests[part], destinations)
    return _sum_up(
        source, destinations, rows, [_glance(stored, guest, destinations) for guest in others], offset
    )


def _sum_up(
    source: Host, destinations: Sequence[Host], rows: tuple[Row, ...], others: list[Row], offset: int
) -> Matrix:
    everyone = (*rows, *others)
    checking = [row for row in everyone if not row.possible and _has(row, "checking")]
    stuck = [row for row in everyone if not row.possible and not _has(row, "checking") and row.cells]
    later = offset + len(rows)
    return Matrix(
        source=source,
        destinations=tuple(destinations),
        rows=rows,
        guests=len(everyone),
        can_leave=sum(row.possible > 0 for row in everyone),
        checking=len(checking),
        stuck=tuple(map(_stuck, stuck)),
        next_offset=later if later < len(everyone) else None,
        shown=later,
    )


def _row(stored: Stored, guest: Guest, destinations: Sequence[Host]) -> Row:
    return Row(guest, tuple(_cells(stored, guest, destinations)))


def _glance(stored: Stored, guest: Guest, destinations: Sequence[Host]) -> Row:
    """Only as far as the first host to which the guest can go: enough for the sums."""
    seen = []
    for cell in _cells(stored, guest, destinations):
        seen.append(cell)
        if cell.state in {"ready", "warnings"}:
            break
    return Row(guest, tuple(seen))


def _cells(stored: Stored, guest: Guest, destinations: Sequence[Host]) -> Iterator[Cell]:
    for host in destinations:
        _, evaluation = preflight.choose(stored, guest, host, None)
        yield _cell(host, evaluation)


def _cell(host: Host, evaluation: Evaluation) -> Cell:
    if evaluation.unread:
        return Cell(host, "checking", 0, "Not known yet: both hosts are being asked.")
    said = evaluation.blockers or evaluation.warnings
    return Cell(host, evaluation.verdict.value, len(said), said[0].message if said else "")


def _stuck(row: Row) -> Stuck:
    nearest = min(row.cells, key=lambda cell: cell.count)
    return Stuck(row.guest, nearest.host, nearest.why)


def _has(row: Row, state: str) -> bool:
    return any(cell.state == state for cell in row.cells)


def _ask_for_aged(stored: Stored, guests: Sequence[Guest], destinations: Sequence[Host]) -> None:
    """Those never read first, then the oldest; never more on their way than ASKED_AT_ONCE."""
    free = ASKED_AT_ONCE - sum(is_on_its_way(pair.asked_at) for pair in stored.pairs.values())
    if stored.source.silent or free <= 0:
        return
    shown = len(guests) * len(destinations)
    aged = [
        (guest, host) for guest in guests for host in destinations if _is_aged(stored, guest, host, shown)
    ]
    aged.sort(key=lambda way: _read_at(stored, *way) or _LONG_AGO)
    for guest, host in aged[:free]:
        preflight.request_readings(guest, [host])


def _is_aged(stored: Stored, guest: Guest, host: Host, shown: int) -> bool:
    pair = stored.pair(guest, host)
    if host.silent or (pair is not None and is_on_its_way(pair.asked_at)):
        return False
    return is_aged(_read_at(stored, guest, host), shown)


def _read_at(stored: Stored, guest: Guest, host: Host) -> datetime | None:
    pair = stored.pair(guest, host)
    return pair.read_at if pair is not None else None
