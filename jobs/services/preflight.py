"""Preflight of one guest towards one or many destinations, from what was read (pages) or reads now (a run)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, Sum

from hosts.facts.codec import from_data
from hosts.facts.domain import GuestReading
from hosts.facts.host import HostFacts
from hosts.facts.probe import PeerProbe
from hosts.models import Guest, Host, PairReading
from hosts.ports import DestinationReading
from hosts.services import pairs
from jobs.engine.plan import build_plan
from jobs.models import Migration
from jobs.options import MoveOptions
from jobs.preflight.context import HostSide, Neighbour, PreflightContext
from jobs.preflight.findings import Finding, Severity, Verdict, judge_findings
from jobs.services.judging import find_findings, list_waivers


@dataclass(frozen=True, slots=True)
class Evaluation:
    """`read_at`: the oldest fact used. `waiting`: newer readings are on their way, nothing may start on these."""

    findings: tuple[Finding, ...]
    verdict: Verdict
    virsh_line: str
    read_at: datetime | None
    waiting: bool

    @property
    def blockers(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity is Severity.BLOCKER)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity is Severity.WARNING)


@dataclass(frozen=True, slots=True)
class Candidate:
    host: Host
    evaluation: Evaluation


@dataclass(frozen=True, slots=True)
class Readings:
    """What was read just now for a run; a page uses what the database has instead."""

    guest: GuestReading
    source_facts: HostFacts
    destination_facts: HostFacts
    neighbours: tuple[GuestReading, ...]
    destination: DestinationReading
    peer_probe: PeerProbe | None


def evaluate(guest: Guest, destination: Host, options: MoveOptions) -> Evaluation:
    """All findings from stored readings: no host is asked here."""
    pair = pairs.find_pair(guest, destination)
    context = build_context(guest, destination, options, pair)
    findings = find_findings(context, list_waivers(guest.domain_uuid, destination))
    plan = build_plan(context, source_uri=guest.host.address, destination_uri=destination.address)
    ages = [
        moment for moment in (guest.read_at, guest.host.read_at, destination.read_at) if moment is not None
    ]
    return Evaluation(
        findings=findings,
        verdict=judge_findings(findings),
        virsh_line=plan.virsh_line,
        read_at=min(ages, default=None),
        waiting=not pairs.is_fresh(pair) and not destination.silent and not guest.host.silent,
    )


def list_candidates(guest: Guest, options: MoveOptions) -> tuple[Candidate, ...]:
    """Every other enabled host, best fit first: fewest blockers, then warnings, then most free memory."""
    hosts = Host.objects.filter(enabled=True).exclude(pk=guest.host_id)
    candidates = [Candidate(host, evaluate(guest, host, options)) for host in hosts]
    return tuple(sorted(candidates, key=_fit))


def request_readings(guest: Guest, hosts: Iterable[Host]) -> None:
    pairs.request_pairs(guest, (host for host in hosts if not host.silent))


def build_context(
    guest: Guest, destination: Host, options: MoveOptions, pair: PairReading | None
) -> PreflightContext:
    """The context of stored readings. What was never read stays None and becomes a finding, not a pass."""
    reading = pair.destination_reading_data if pair is not None else None
    probe = pair.peer_probe_data if pair is not None else None
    return PreflightContext(
        guest=guest.reading,
        options=options,
        source=build_side(guest.host, guest.host.facts),
        destination=build_side(destination, destination.facts),
        neighbours=None
        if destination.facts_data is None
        else _stored_neighbours(guest, destination, options),
        destination_reading=None if reading is None else from_data(reading, DestinationReading),
        peer_probe=None if probe is None else from_data(probe, PeerProbe),
        peer_address=pairs.peer_address(destination),
        planned_memory_bytes=planned_memory(destination, guest.domain_uuid),
        disk_capacity_bytes=pair.disk_capacity_data if pair is not None else {},
    )


def build_run_context(
    source: Host, destination: Host, options: MoveOptions, readings: Readings
) -> PreflightContext:
    """The context of readings made just now, for the check at run time."""
    return PreflightContext(
        guest=readings.guest,
        options=options,
        source=build_side(source, readings.source_facts, silent_reason=""),
        destination=build_side(destination, readings.destination_facts, silent_reason=""),
        neighbours=tuple(_neighbour(reading) for reading in readings.neighbours),
        destination_reading=readings.destination,
        peer_probe=readings.peer_probe,
        peer_address=pairs.peer_address(destination),
        planned_memory_bytes=planned_memory(destination, readings.guest.domain_uuid),
        disk_capacity_bytes=readings.guest.disk_capacity_bytes,
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


def planned_memory(destination: Host, except_domain: UUID | str) -> int:
    """Bytes that other moves on their way will take on this destination."""
    moving = Migration.objects.active().filter(destination=destination).exclude(domain_uuid=except_domain)
    guests = Guest.objects.filter(
        domain_uuid__in=moving.values("domain_uuid"), host__in=moving.values("source"), gone_at=None
    )
    return guests.aggregate(total=Sum("memory_bytes"))["total"] or 0


def _stored_neighbours(guest: Guest, destination: Host, options: MoveOptions) -> tuple[Neighbour, ...]:
    """Those with which this guest could clash: a host may have hundreds, and a dialog asks many hosts."""
    clashing = Q(domain_uuid=guest.domain_uuid) | Q(name__in=[guest.name, options.destination_name])
    for mac in guest.macs.split():
        clashing |= Q(macs__icontains=mac)
    rows = destination.guests.present().filter(clashing)
    return tuple(
        Neighbour(str(domain_uuid), name, state, memory, tuple(macs.split()))
        for domain_uuid, name, state, memory, macs in rows.values_list(
            "domain_uuid", "name", "state", "memory_bytes", "macs"
        )
    )


def _neighbour(reading: GuestReading) -> Neighbour:
    return Neighbour(
        reading.domain_uuid, reading.name, reading.status.state.value, reading.facts.memory_bytes,
        tuple(nic.mac for nic in reading.facts.nics),
    )  # fmt: skip


def _fit(candidate: Candidate) -> tuple[int, int, int, str]:
    facts = candidate.host.facts
    free = facts.memory_free_bytes if facts is not None else None
    evaluation = candidate.evaluation
    return len(evaluation.blockers), len(evaluation.warnings), -(free or 0), candidate.host.name
