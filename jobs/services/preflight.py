"""Preflight of one guest towards one or many destinations, from what was read (pages) or reads now (a run)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from django.utils import timezone

from hosts.facts.codec import from_data
from hosts.facts.device_paths import MOVE_CA, MOVE_CERTIFICATE
from hosts.facts.domain import DomainState, GuestReading
from hosts.facts.host import HostFacts
from hosts.facts.probe import HostProbe, PeerProbe
from hosts.models import Guest, Host, PairReading
from hosts.ports import DestinationReading
from hosts.services import inventory, pairs
from hosts.services.bells import ring
from jobs.engine.plan import build_plan
from jobs.options import Kind, MoveOptions, Storage
from jobs.preflight.context import HostSide, Neighbour, PreflightContext
from jobs.preflight.findings import Finding, Severity, Verdict, judge_findings
from jobs.preflight.registry import NOT_EVALUATED
from jobs.services.judging import find_findings
from jobs.services.known_volumes import add_known_volumes
from jobs.services.planned import NOTHING, list_planned
from jobs.services.recent import NO_RECORD, Record, read_records
from jobs.services.stored import Stored, build_side, read_stored

_STANDSTILL: Final = frozenset({DomainState.SHUT_OFF.value, DomainState.CRASHED.value})


@dataclass(frozen=True, slots=True)
class Evaluation:
    """`read_at`: the oldest fact used. `waiting`: older than a start may rely on; newer readings are wanted.
    `unread`: the two hosts were never asked about this guest, so what is not known is no finding yet."""

    findings: tuple[Finding, ...]
    verdict: Verdict
    virsh_line: str  # "" where it was not asked for
    read_at: datetime | None
    waiting: bool
    unread: bool = False

    @property
    def blockers(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity is Severity.BLOCKER)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity is Severity.WARNING)


@dataclass(frozen=True, slots=True)
class Candidate:
    """`headroom`: share of the host's memory that stays free after the move; None: not known."""

    host: Host
    options: MoveOptions
    evaluation: Evaluation
    headroom: float | None = None
    record: Record = NO_RECORD


@dataclass(frozen=True, slots=True)
class Readings:
    """What was read just now for a run; a page uses what the database has instead."""

    guest: GuestReading
    source_facts: HostFacts
    destination_facts: HostFacts
    neighbours: tuple[GuestReading, ...]
    destination: DestinationReading
    peer_probe: PeerProbe | None
    source_probe: HostProbe | None = None
    destination_probe: HostProbe | None = None


def evaluate(guest: Guest, destination: Host, options: MoveOptions) -> Evaluation:
    """All findings from stored readings: no host is asked here."""
    stored = read_stored(guest.host, [guest], [destination], options.destination_name)
    evaluation = evaluate_stored(stored, guest, destination, options)
    return replace(evaluation, virsh_line=render_line(stored, guest, destination, options))


def list_candidates(guest: Guest, options: MoveOptions | None = None) -> tuple[Candidate, ...]:
    """Every other enabled host, best fit first. Without `options` each with those that suit it best."""
    hosts = list_destinations(guest.host_id)
    new_name = options.destination_name if options is not None else ""
    return judge_candidates(read_stored(guest.host, [guest], hosts, new_name), guest, hosts, options)


def judge_candidates(
    stored: Stored, guest: Guest, hosts: Iterable[Host], options: MoveOptions | None = None
) -> tuple[Candidate, ...]:
    """The same from what was fetched before."""
    hosts = list(hosts)
    records = read_records(guest, hosts)
    candidates = []
    for host in hosts:
        chosen, evaluation = choose(stored, guest, host, options)
        record, headroom = records.get(host.pk, NO_RECORD), _headroom(stored, guest, host)
        candidates.append(Candidate(host, chosen, evaluation, headroom, record))
    return tuple(sorted(candidates, key=_fit))


def choose(
    stored: Stored, guest: Guest, destination: Host, options: MoveOptions | None
) -> tuple[MoveOptions, Evaluation]:
    """The options asked for; without any, those for the guest's state, its disks copied where that meets fewer
    blockers than sharing them."""
    shared = options or MoveOptions(kind=suggest_kind(guest))
    evaluation = evaluate_stored(stored, guest, destination, shared)
    if options is not None or not _is_about_disks(evaluation):
        return shared, evaluation
    tls = shared.kind is not Kind.OFFLINE and _have_certificates(stored.pair(guest, destination))
    copied = replace(shared, storage=Storage.COPY_ALL, tls=tls)
    other = evaluate_stored(stored, guest, destination, copied)
    better = len(other.blockers) < len(evaluation.blockers)
    return (copied, other) if better else (shared, evaluation)


def evaluate_stored(stored: Stored, guest: Guest, destination: Host, options: MoveOptions) -> Evaluation:
    """Without the virsh line."""
    pair = stored.pair(guest, destination)
    context = _build_context(stored, guest, destination, options, pair)
    waivers = stored.waivers.get((guest.domain_uuid, destination.pk), ())
    findings = find_findings(context, waivers)
    waiting = not pairs.is_fresh(pair) and not destination.silent and not stored.source.silent
    return Evaluation(
        findings=findings,
        verdict=judge_findings(findings),
        virsh_line="",
        read_at=_oldest(guest, stored.source, destination, pair),
        waiting=waiting,
        unread=waiting and (pair is None or pair.read_at is None),
    )


def _have_certificates(pair: PairReading | None) -> bool:
    """Seen on both hosts: then what the disks hold need not travel readable for everybody on the way."""
    data = pair.peer_probe_data if pair is not None else None
    if data is None:
        return False
    probe = from_data(data, PeerProbe)
    sides = (probe.source_files, probe.destination_files)
    return all(path in files for path in (MOVE_CA, MOVE_CERTIFICATE) for files in sides)


def _is_about_disks(evaluation: Evaluation) -> bool:
    """Copying them could help."""
    blocking = {finding.id for finding in evaluation.blockers}
    return NOT_EVALUATED in blocking or any(check_id.startswith(("disk.", "ids.")) for check_id in blocking)


def render_line(stored: Stored, guest: Guest, destination: Host, options: MoveOptions) -> str:
    """The same move for virsh."""
    context = _build_context(stored, guest, destination, options, stored.pair(guest, destination))
    source_uri, destination_uri = stored.source.address, destination.address
    return build_plan(context, source_uri=source_uri, destination_uri=destination_uri).virsh_line


def suggest_kind(guest: Guest) -> Kind:
    if guest.state in _STANDSTILL:
        return Kind.OFFLINE
    return Kind.NON_LIVE if guest.state == DomainState.PAUSED else Kind.LIVE


def list_destinations(source_id: int) -> list[Host]:
    """The hosts a guest of this one could go to. Their secrets stay where they are."""
    return list(Host.objects.filter(enabled=True).exclude(pk=source_id).defer("credentials", "known_hosts"))


def request_readings(guest: Guest, hosts: Iterable[Host]) -> None:
    pairs.request_pairs(guest, (host for host in hosts if not host.silent))


def recheck(guest: Guest, destination: Host) -> None:
    """A person wants it read again, however fresh it is: both hosts, and what they say of this guest."""
    inventory.request_refresh([guest.host_id, destination.pk])
    PairReading.objects.update_or_create(
        domain_uuid=guest.domain_uuid, source=guest.host, destination=destination,
        defaults={"asked_at": timezone.now()},
    )  # fmt: skip
    ring("hosts.tasks.read_pair_task", guest.pk, destination.pk)


def build_context(
    guest: Guest, destination: Host, options: MoveOptions, pair: PairReading | None
) -> PreflightContext:
    """The context of stored readings. What was never read stays None and becomes a finding, not a pass."""
    stored = read_stored(guest.host, [guest], [destination], options.destination_name)
    return _build_context(stored, guest, destination, options, pair)


def build_run_context(
    source: Host, destination: Host, options: MoveOptions, readings: Readings
) -> PreflightContext:
    """The context of readings made just now, for the check at run time."""
    planned = list_planned([destination]).get(destination.pk, NOTHING).without(readings.guest.domain_uuid)
    return PreflightContext(
        guest=readings.guest,
        options=options,
        source=_side_now(source, readings.source_facts, readings.source_probe),
        destination=_side_now(destination, readings.destination_facts, readings.destination_probe),
        neighbours=tuple(_neighbour(reading) for reading in readings.neighbours),
        destination_reading=readings.destination,
        peer_probe=readings.peer_probe,
        peer_address=pairs.peer_address(destination),
        planned_memory_bytes=planned.memory_bytes,
        planned_storage_bytes=planned.storage_bytes,
        disk_capacity_bytes=readings.guest.disk_capacity_bytes,
    )


def _side_now(host: Host, facts: HostFacts, probe: HostProbe | None) -> HostSide:
    side = build_side(host, facts, silent_reason="")
    return side if probe is None else replace(side, probe=probe)


def _build_context(
    stored: Stored, guest: Guest, destination: Host, options: MoveOptions, pair: PairReading | None
) -> PreflightContext:
    reading = pair.destination_reading_data if pair is not None else None
    probe = pair.peer_probe_data if pair is not None else None
    planned = stored.planned_for(guest, destination)
    side, crowd = stored.side(destination), stored.crowds[destination.pk]
    return PreflightContext(
        guest=stored.reading(guest),
        options=options,
        source=stored.side(stored.source),
        destination=side,
        neighbours=None if side.facts is None else crowd.find(guest, options.destination_name),
        destination_reading=None
        if reading is None
        else add_known_volumes(
            from_data(reading, DestinationReading),
            destination,
            side.facts,
            stored.reading(guest).facts,
            options,
        ),
        peer_probe=None if probe is None else from_data(probe, PeerProbe),
        peer_address=pairs.peer_address(destination),
        planned_memory_bytes=planned.memory_bytes,
        planned_storage_bytes=planned.storage_bytes,
        disk_capacity_bytes=pair.disk_capacity_data if pair is not None else {},
    )


def _oldest(guest: Guest, source: Host, destination: Host, pair: PairReading | None) -> datetime | None:
    moments: Collection[datetime | None] = (
        guest.read_at, source.read_at, destination.read_at, pair.read_at if pair is not None else None,
    )  # fmt: skip
    return min((moment for moment in moments if moment is not None), default=None)


def _neighbour(reading: GuestReading) -> Neighbour:
    return Neighbour(
        reading.domain_uuid, reading.name, reading.status.state.value, reading.facts.memory_bytes,
        tuple(nic.mac for nic in reading.facts.nics),
    )  # fmt: skip


def _headroom(stored: Stored, guest: Guest, host: Host) -> float | None:
    facts = stored.side(host).facts
    if facts is None or facts.memory_free_bytes is None or not facts.memory_bytes:
        return None
    taken = guest.memory_bytes + stored.planned_for(guest, host).memory_bytes
    return (facts.memory_free_bytes - taken) / facts.memory_bytes


def _fit(candidate: Candidate) -> tuple[int, int, int, int, float, str]:
    """Fewest blockers, then warnings, then room for memory in steps of a tenth, then how this guest's last moves
    there ended, then the room exactly."""
    evaluation = candidate.evaluation
    headroom = -1.0 if candidate.headroom is None else candidate.headroom
    return (
        len(evaluation.blockers), len(evaluation.warnings), -int(headroom * 10), candidate.record.own_failures,
        -headroom, candidate.host.name,
    )  # fmt: skip
