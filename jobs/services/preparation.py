"""Before libvirt is called: read both hosts anew, check again, save both definitions, build the plan."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from hosts.errors import GuestNotFound
from hosts.facts.codec import to_data
from hosts.facts.domain import GuestReading
from hosts.models import Host
from hosts.ports import HostPort
from hosts.services import pairs
from hosts.services.probing import Way, ask_pair
from jobs.engine.plan import Plan, build_plan, dump_plan
from jobs.models import Migration
from jobs.options import MoveOptions, Storage
from jobs.preflight.findings import Finding, Severity
from jobs.preflight.places import find_mapping, path_there
from jobs.services import outcome
from jobs.services.judging import find_findings, list_waivers
from jobs.services.preflight import Readings, build_run_context


def prepare(
    migration: Migration,
    source: Host,
    destination: Host,
    options: MoveOptions,
    source_port: HostPort,
    destination_port: HostPort,
) -> Plan | None:
    """The plan, or None when the move ended here (refused or cancelled) with nothing changed. Raises HostError."""
    readings = _read(migration, source, destination, options, source_port, destination_port)
    context = build_run_context(source, destination, options, readings)
    findings = find_findings(context, list_waivers(migration.domain_uuid, destination))
    if _stopped(migration, findings):
        return None
    plan = build_plan(context, source_uri=source.address, destination_uri=destination.address)
    _save(migration, plan, findings, source_port, readings.guest)
    return plan


def _read(
    migration: Migration, source: Host, destination: Host, options: MoveOptions, source_port: HostPort,
    destination_port: HostPort,
) -> Readings:  # fmt: skip
    """Both hosts are read side by side; a move of one second must not wait for one after the other."""
    with ThreadPoolExecutor(max_workers=3) as pool:
        there = pool.submit(lambda: (destination_port.read_facts(), destination_port.read_guests()))
        guest = source_port.find_guest_reading(str(migration.domain_uuid))
        if guest is None:
            raise GuestNotFound(
                f"{migration.guest_name} is no longer on {source.name}.",
                remedy="Open the guest where it is now.",
            )
        paths = pairs.probed_paths(guest)
        probing = pool.submit(ask_pair, source, destination, paths=paths, way=_way(options))
        answer = pool.submit(
            destination_port.read_for_guest, guest, disk_paths=_paths(guest, destination, options)
        )
        source_facts = source_port.read_facts()
        destination_facts, neighbours = there.result()
        probes = probing.result()
        return Readings(
            guest, source_facts, destination_facts, neighbours, answer.result(), probes.peer, probes.source,
            probes.destination,
        )  # fmt: skip


def _paths(guest: GuestReading, destination: Host, options: MoveOptions) -> tuple[str, ...]:
    """Of its disks, and of the places where they are to go."""
    mapped = [
        path_there(destination.facts, disk, options)
        for disk in guest.facts.disks
        if find_mapping(disk, options) is not None
    ]
    return tuple(dict.fromkeys((*pairs.disk_paths(guest), *filter(None, mapped))))


def _way(options: MoveOptions) -> Way:
    return Way(
        migrate_uri=options.migrate_uri,
        disks_uri=options.disks_uri,
        disks_port=options.disks_port,
        copies_disks=options.storage is not Storage.SHARED,
    )


def _stopped(migration: Migration, findings: tuple[Finding, ...]) -> bool:
    blockers = [finding for finding in findings if finding.severity is Severity.BLOCKER]
    if blockers:
        outcome.fail_blocked(migration, findings, blockers)
        return True
    migration.refresh_from_db(fields=["cancel_requested_at", "cancel_requested_by"])
    if migration.cancel_requested_at is not None:
        outcome.cancel_untouched(migration)
        return True
    return False


def _save(
    migration: Migration,
    plan: Plan,
    findings: tuple[Finding, ...],
    source_port: HostPort,
    guest: GuestReading,
) -> None:
    """Both definitions with their secrets are stored first: whatever happens, the guest can be defined again."""
    port = source_port.find_guest(guest.domain_uuid)
    if port is None:
        raise GuestNotFound(f"{guest.name} vanished from {migration.source_name}.")
    status = guest.status
    saved = {"active": port.read_xml(secure=True)} if status.active else {}
    if status.persistent:
        saved["inactive"] = port.read_xml(secure=True, inactive=True)
    migration.write(
        saved_xml=saved, source_autostart=status.autostart, plan_data=dump_plan(plan), plan_digest=plan.digest,
        virsh_line=plan.virsh_line, findings_data=to_data(list(findings)),
    )  # fmt: skip
