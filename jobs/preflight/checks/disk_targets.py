"""What already lies where copied disks will be written."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from hosts.facts.domain import DiskFacts
from hosts.facts.storage import VolumeFacts
from jobs.options import Storage
from jobs.options.rules import is_confirmed
from jobs.preflight.by_hand import anywhere
from jobs.preflight.context import PreflightContext
from jobs.preflight.copies import copied, volume_there
from jobs.preflight.disks import Sharing, destination_path, find_pool_at, folder_of, prove_sharing
from jobs.preflight.findings import Commands, Fix, Severity
from jobs.preflight.fixes import create_volume
from jobs.preflight.registry import Said, check
from jobs.preflight.say import blocker, facts_of, graded


@check(
    "disk.target-exists",
    title="Nothing that would be overwritten is at the destination of a copied disk",
    source="measured: a file of equal size is overwritten without a word, another size fails",
    waivable=False,
    severities=(Severity.BLOCKER, Severity.WARNING),
)
def check_target_exists(context: PreflightContext) -> Iterator[Said]:
    if context.options.storage is Storage.COPY_INCREMENTAL:
        return
    for disk in copied(context):
        path = destination_path(disk, context.options)
        if not path or disk.type != "file":
            continue
        volume = volume_there(context, path)
        if volume is not None:
            yield _overwritten(context, disk, volume)


def _overwritten(context: PreflightContext, disk: DiskFacts, volume: VolumeFacts) -> Said:
    there, size = context.destination.name, context.disk_capacity_bytes.get(disk.target)
    evidence = ((context.source.name, str(size or "size not known")), (there, str(volume.capacity_bytes)))
    if size is not None and size != volume.capacity_bytes:
        return blocker(
            f"disk {disk.target}",
            f"{there} already has {volume.path} with another size; libvirt would fail.",
            "Move that file away, or give the disk another path there.",
            evidence=evidence,
        )
    return graded(
        not is_confirmed(context.options, context.guest.name),
        f"disk {disk.target}",
        f"{there} already has {volume.path}; libvirt would overwrite it without a word.",
        "Move that file away, or confirm with the guest's name that it may be overwritten.",
        evidence=evidence,
    )


@check(
    "disk.top-layer-target",
    title="For a copy of top layers the target image and its base exist on the destination",
    source="measured: libvirt does not create them (code 84)",
    waivable=False,
)
def check_top_layer_target(context: PreflightContext) -> Iterator[Said]:
    if context.options.storage is not Storage.COPY_INCREMENTAL:
        return
    for disk in copied(context):
        own = destination_path(disk, context.options)
        for path in (path for path in (own, *disk.backing_paths) if path.startswith("/")):
            if volume_there(context, path) is None:
                yield blocker(
                    f"disk {disk.target}",
                    f"{context.destination.name} has nothing at {path}, which a copy of top layers needs.",
                    "Put the base image there and create an empty top layer on it, or copy whole disks.",
                    evidence=((context.source.name, path), (context.destination.name, "nothing there")),
                    fix=_target_volume(context, disk, path),
                    commands=_layer_by_hand(context, disk, path),
                )


def _target_volume(context: PreflightContext, disk: DiskFacts, path: str) -> Fix | None:
    """Only for a disk of one layer: an empty volume made by libvirt has no base, and the guest would find none at its
    next start."""
    size = context.disk_capacity_bytes.get(disk.target)
    pool = find_pool_at(facts_of(context.destination), folder_of(path))
    if disk.backing_paths or not size or not disk.format or pool is None or not pool.active:
        return None
    name = path.rpartition("/")[2]
    return create_volume(context, pool=pool.name, volume=name, format_name=disk.format, capacity_bytes=size)


def _layer_by_hand(context: PreflightContext, disk: DiskFacts, path: str) -> tuple[Commands, ...]:
    """The empty top layer on its base; how the base image gets there nobody can know."""
    size = context.disk_capacity_bytes.get(disk.target)
    if path != destination_path(disk, context.options) or disk.format != "qcow2" or not size:
        return ()
    base = disk.backing_paths[0] if disk.backing_paths else ""
    below = f"-b {shlex.quote(base)} -F {disk.backing_formats[0]} " if base and disk.backing_formats else ""
    if base and not below:
        return ()
    line = f"qemu-img create -f qcow2 {below}{shlex.quote(path)} {size}"
    return anywhere(context.destination, line)


@check(
    "disk.copy-onto-itself",
    title="No disk is copied onto itself",
    source="libvirt: qemuMigrationAnyCopyDisk does not ask whether a disk lies on shared storage",
    waivable=False,
    severities=(Severity.BLOCKER, Severity.WARNING),
)
def check_copy_onto_itself(context: PreflightContext) -> Iterator[Said]:
    facts_of(context.source), facts_of(context.destination)
    for disk in copied(context):
        if destination_path(disk, context.options) != disk.source_path:
            continue
        proof = prove_sharing(context, disk)
        if proof.sharing in {Sharing.SAME, Sharing.ASSUMED}:
            yield graded(
                proof.sharing is Sharing.SAME,
                f"disk {disk.target}",
                f"{disk.source_path or disk.network_source} is the same storage on both hosts: "
                "the copy would be written over the original, or fail.",
                "Take this disk out of the disks to copy.",
                evidence=(("proof", proof.why),),
            )
