"""Buses and formats of disks that QEMU can move, or could not always."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hosts.facts.domain import DiskFacts
from jobs.preflight.checks.media import eject_by_hand
from jobs.preflight.context import PreflightContext
from jobs.preflight.findings import Finding, Severity
from jobs.preflight.fixes import eject_media
from jobs.preflight.registry import Said, check
from jobs.preflight.say import blocker, facts_of, info, sends_memory, warning
from jobs.preflight.versions import MOVES_SATA

# QEMU 7.2 and 10.0 add a migration blocker when they open one: block/qcow.c, vdi.c, vmdk.c, vpc.c, vhdx.c,
# parallels.c. dmg, bochs and cloop are read only and have none; a folder as FAT blocks only when it is written, which
# libvirt does not allow.
FORMATS_THAT_STAY: Final = frozenset({"qcow", "vdi", "vmdk", "vpc", "vhdx", "parallels"})
AT_NEXT_START: Final = "It takes effect when the guest is shut off and started."


@check(
    "disk.sata",
    title="No disk is on a SATA bus",
    source="SUSE virtualization guide: SATA disks do not migrate; QEMU before 2.4 marks AHCI as unmigratable; measured "
    "with 7.2: they move",
    waivable=True,
    severities=(Severity.BLOCKER, Severity.WARNING, Severity.INFO),
    help_desk="A disk of this guest is attached in a way that older servers cannot move. If the move is not offered, "
    "tell your operators.",
)
def check_sata(context: PreflightContext) -> Iterator[Said]:
    """With a QEMU that moves them a warning, for the guidance still says otherwise; an installation can make it
    block. An empty CD drive is worth a word only."""
    if not sends_memory(context):
        return
    for disk in context.guest.facts.disks:
        if disk.bus == "sata":
            yield _of_sata(context, disk)


def _of_sata(context: PreflightContext, disk: DiskFacts) -> Finding:
    subject, evidence = f"disk {disk.target}", ((context.source.name, f"{disk.device} on sata"),)
    remedy = f"Put it on virtio or SCSI in the guest's definition. {AT_NEXT_START}"
    if any(facts_of(side).hypervisor_version < MOVES_SATA for side in (context.source, context.destination)):
        message = f"{disk.target} is on a SATA bus, which this QEMU cannot move."
        return blocker(subject, message, remedy, evidence=evidence)
    if disk.empty:
        return info(subject, f"The empty drive {disk.target} is on a SATA bus; it moves.", evidence=evidence)
    message = f"{disk.target} is on a SATA bus. The guidance excludes that; the QEMU of these hosts moves it."
    return warning(subject, message, remedy, evidence=evidence)


@check(
    "disk.floppy",
    title="No floppy is in a drive",
    source="SUSE virtualization guide: removable media; builds of QEMU for enterprises leave the floppy controller out",
    waivable=True,
    severities=(Severity.WARNING,),
)
def check_floppy(context: PreflightContext) -> Iterator[Said]:
    for disk in context.guest.facts.disks:
        if disk.device == "floppy" and not disk.empty:
            yield warning(
                f"drive {disk.target}",
                f"A floppy is in {disk.target}. Both hosts need its image, and a QEMU with a floppy controller.",
                "Eject it if the guest no longer needs it.",
                evidence=((context.source.name, disk.source_path or disk.volume or disk.network_source),),
                fix=eject_media(context, disk.target),
                commands=eject_by_hand(context, disk),
            )


@check(
    "disk.format",
    title="QEMU can move disks of this image format",
    source="QEMU: migration blockers in block/*.c, read in 7.2 and 10.0",
    waivable=True,
)
def check_format(context: PreflightContext) -> Iterator[Said]:
    """Whether the disk is copied makes no difference: an open image of such a format blocks every move."""
    if not sends_memory(context):
        return
    for disk in context.guest.facts.disks:
        bad = [name for name in (disk.format, *disk.backing_formats) if name in FORMATS_THAT_STAY]
        if bad and not disk.empty:
            yield blocker(
                f"disk {disk.target}",
                f"{disk.target} has an image of the format {', '.join(bad)}; QEMU moves no guest with one.",
                "Convert it while the guest is shut off (qemu-img convert -O qcow2 …), or move the guest offline.",
                evidence=((context.source.name, ", ".join(bad)),),
            )
