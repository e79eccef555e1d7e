"""Two hosts without a guest: can anything move from one to the other, and what differs between them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.utils import timezone

from hosts.facts.codec import from_data
from hosts.facts.probe import PeerProbe
from hosts.models import Host, HostPairReading
from hosts.services import host_pairs, inventory, pairs
from hosts.services.bells import ring
from jobs.options import MoveOptions
from jobs.preflight.context import NO_GUEST, HostSide, PreflightContext
from jobs.preflight.findings import Finding, Severity, Verdict, judge_findings
from jobs.preflight.registry import NOT_EVALUATED, run_pair_checks
from jobs.services.asking import ASKED_AT_ONCE, is_aged, is_on_its_way
from jobs.services.stored import build_side

Pair = tuple[int, int]  # source, destination


@dataclass(frozen=True, slots=True)
class PairView:
    """What holds for every guest on its way from `source` to `destination`."""

    source: Host
    destination: Host
    findings: tuple[Finding, ...]
    read_at: datetime | None  # the oldest fact used
    unread: bool  # the two were never asked about each other, and are being asked
    refreshing: bool

    @property
    def state(self) -> str:
        """ready, warnings, blocked, or checking."""
        if self.unread and judge_findings(self.known) is not Verdict.BLOCKED:
            return "checking"
        return judge_findings(self.known).value

    @property
    def known(self) -> tuple[Finding, ...]:
        """While the two are asked for the first time, what is not known yet is no finding."""
        if not self.unread:
            return self.findings
        return tuple(finding for finding in self.findings if finding.id != NOT_EVALUATED)

    @property
    def count(self) -> int:
        """Of blockers, else of warnings."""
        return self._count(Severity.BLOCKER) or self._count(Severity.WARNING)

    @property
    def words(self) -> str:
        if self.state in {"blocked", "warnings"}:
            word = "blocker" if self.state == "blocked" else "warning"
            return f"1 {word}" if self.count == 1 else f"{self.count} {word}s"
        return "checking…" if self.state == "checking" else "ready"

    @property
    def why(self) -> str:
        """The first thing in the way, in one line."""
        telling = [finding for finding in self.known if finding.severity is not Severity.INFO]
        return telling[0].message if telling else ""

    def _count(self, severity: Severity) -> int:
        return sum(finding.severity is severity for finding in self.known)


class Sides:
    """The facts of hosts, each parsed once."""

    def __init__(self) -> None:
        self._sides: dict[int, HostSide] = {}

    def of(self, host: Host) -> HostSide:
        if host.pk not in self._sides:
            self._sides[host.pk] = build_side(host, host.facts)
        return self._sides[host.pk]


def build_pair_context(
    source: Host, destination: Host, reading: HostPairReading | None, sides: Sides | None = None
) -> PreflightContext:
    """The context of two hosts. There is no guest: only checks for pairs may look at it."""
    sides = sides or Sides()
    probe = reading.peer_probe_data if reading is not None else None
    return PreflightContext(
        guest=NO_GUEST,
        options=MoveOptions(),
        source=sides.of(source),
        destination=sides.of(destination),
        neighbours=None,
        destination_reading=None,
        peer_probe=None if probe is None else from_data(probe, PeerProbe),
        host_cpus=host_pairs.host_cpus(reading),
        peer_address=pairs.peer_address(destination),
    )


def list_hosts() -> list[Host]:
    """Those between which guests move, by name. Their secrets stay where they are."""
    hosts = Host.objects.filter(enabled=True).defer("credentials", "known_hosts")
    return sorted(hosts, key=lambda host: host.name.casefold())


def read_pairs(sources: Collection[Host], destinations: Collection[Host]) -> dict[Pair, PairView]:
    """Every pair of two different hosts, evaluated together from stored readings; asks for what has aged."""
    rows = HostPairReading.objects.filter(source__in=sources, destination__in=destinations)
    readings = {(row.source_id, row.destination_id): row for row in rows}
    ways = [(source, to) for source in sources for to in destinations if source.pk != to.pk]
    asked = _ask_for_aged(ways, readings)
    sides = Sides()
    return {
        (source.pk, to.pk): _view(source, to, readings.get((source.pk, to.pk)), sides, asked)
        for source, to in ways
    }


def read_pairs_of(host: Host, others: Collection[Host]) -> dict[Pair, PairView]:
    """The same for one host, to all others and back."""
    both = Q(source=host, destination__in=others) | Q(source__in=others, destination=host)
    readings = {(row.source_id, row.destination_id): row for row in HostPairReading.objects.filter(both)}
    ways = [way for other in others if other.pk != host.pk for way in ((host, other), (other, host))]
    asked = _ask_for_aged(ways, readings)
    sides = Sides()
    return {
        (source.pk, to.pk): _view(source, to, readings.get((source.pk, to.pk)), sides, asked)
        for source, to in ways
    }


def recheck_pair(source: Host, destination: Host) -> None:
    """A person wants it read again, however fresh it is."""
    inventory.request_refresh([source.pk, destination.pk])
    HostPairReading.objects.update_or_create(
        source=source, destination=destination, defaults={"asked_at": timezone.now()}
    )
    ring("hosts.tasks.read_host_pair_task", source.pk, destination.pk)


def _view(
    source: Host, destination: Host, reading: HostPairReading | None, sides: Sides, asked: Collection[Pair]
) -> PairView:
    findings = run_pair_checks(build_pair_context(source, destination, reading, sides))
    answered_at = reading.read_at if reading is not None else None
    moments = (source.read_at, destination.read_at, answered_at)
    return PairView(
        source=source,
        destination=destination,
        findings=findings,
        read_at=min((moment for moment in moments if moment is not None), default=None),
        unread=answered_at is None and not source.silent and not destination.silent,
        refreshing=(source.pk, destination.pk) in asked,
    )


def _ask_for_aged(ways: Iterable[tuple[Host, Host]], readings: Mapping[Pair, HostPairReading]) -> set[Pair]:
    """Pairs whose newer readings are on their way."""
    ways = list(ways)
    asked: set[Pair] = set()
    wanted: list[tuple[Host, Host]] = []
    for source, destination in ways:
        row = readings.get((source.pk, destination.pk))
        if row is not None and is_on_its_way(row.asked_at):
            asked.add((source.pk, destination.pk))
        elif (
            not source.silent and not destination.silent and is_aged(row.read_at if row else None, len(ways))
        ):
            wanted.append((source, destination))
    for source, destination in wanted[: max(0, ASKED_AT_ONCE - len(asked))]:
        host_pairs.request_host_pairs(source, [destination])
        asked.add((source.pk, destination.pk))
    return asked
