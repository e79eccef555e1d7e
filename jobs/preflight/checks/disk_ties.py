"""Disks that are tied to their host, or to other guests."""

from __future__ import annotations

from collections.abc import Iterator

from jobs.preflight.context import PreflightContext
from jobs.preflight.copies import copied
from jobs.preflight.findings import Severity
from jobs.preflight.registry import Said, check
from jobs.preflight.say import blocker, graded, sends_memory, warning


@check(
    "disk.shareable",
    title="A disk that several guests write is on storage all of them keep reaching",
    source="libvirt: <shareable/>: neither locked by QEMU nor asked about its cache at a move (qemuMigrationSrcIsSafe)",
    waivable=True,
    severities=(Severity.BLOCKER, Severity.WARNING),
)
def check_shareable(context: PreflightContext) -> Iterator[Said]:
    there = context.destination.name
    to_copy = {disk.target for disk in copied(context)}
    for disk in context.guest.facts.disks:
        if not disk.shareable or disk.empty or disk.readonly:
            continue
        place = disk.source_path or disk.network_source or f"{disk.pool}/{disk.volume}"
        evidence = ((context.source.name, f"{place}, shareable"),)
        if disk.target in to_copy:
            yield blocker(
                f"disk {disk.target}",
                f"{place} is shared with other guests; a copy on {there} would no longer be what they write.",
                "Take it out of the disks to copy, and keep it on storage that both hosts reach.",
                evidence=evidence,
            )
        else:
            yield warning(
                f"disk {disk.target}",
                f"{place} is shared with other guests. No image lock keeps two hosts from writing it at once, and "
                "the guests on both must use a cluster file system.",
                f"Make sure that it really is the same storage on {there}.",
                evidence=evidence,
            )


@check(
    "disk.reservation",
    title="No disk holds SCSI reservations",
    source="QEMU: docs/interop/pr-helper.rst, reservations belong to the host's path to the device and do not move",
    waivable=True,
)
def check_reservation(context: PreflightContext) -> Iterator[Said]:
    if not sends_memory(context):
        return
    for disk in context.guest.facts.disks:
        if disk.reservations:
            yield blocker(
                f"disk {disk.target}",
                f"{disk.target} may hold SCSI reservations. They stay with {context.source.name}: after the move the "
                "guest may be shut out of its own disk.",
                "Let the cluster in the guest give the disk up first (move its services to another node), or move the "
                "guest offline.",
                evidence=((context.source.name, f"reservations: {disk.reservations}"),),
            )


@check(
    "disk.transient",
    title="No disk throws its changes away at shutdown",
    source="libvirt: qemuMigrationSrcIsAllowed, “migration with transient disk is not supported” (code 55)",
    waivable=False,
)
def check_transient(context: PreflightContext) -> Iterator[Said]:
    if not sends_memory(context):
        return
    for disk in context.guest.facts.disks:
        if disk.transient:
            yield blocker(
                f"disk {disk.target}",
                f"{disk.target} is transient: its changes are thrown away at shutdown. libvirt does not move it.",
                "Shut the guest off and take <transient/> out of its definition, or move the guest offline.",
                evidence=((context.source.name, "transient"),),
            )


@check(
    "disk.nvme",
    title="No disk is an NVMe device of the host",
    source="libvirt: qemuMigrationSrcIsSafe (code 81): the PCI address names another device on another host",
    waivable=True,
    severities=(Severity.BLOCKER, Severity.WARNING),
)
def check_nvme(context: PreflightContext) -> Iterator[Said]:
    """Copied or not: what has this PCI address at the destination is a device of its own."""
    for disk in context.guest.facts.disks:
        if disk.type == "nvme":
            yield graded(
                sends_memory(context),
                f"disk {disk.target}",
                f"{disk.target} is an NVMe device in {context.source.name}; {context.destination.name} has another at "
                "this place, or none.",
                "Copy its contents to a volume on shared storage while the guest is shut off, and use that.",
                evidence=((context.source.name, "NVMe device"),),
            )
