"""What already lies where copied disks will be written."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from hosts.facts.domain import DiskFacts
from hosts.facts.storage import VolumeFacts
from jobs.options import Storage
from jobs.options.rules import may_overwrite
from jobs.preflight.by_hand import anywhere
from jobs.preflight.context import PreflightContext
from jobs.preflight.copies import copied, volume_there
from jobs.preflight.disks import destination_path, find_pool_at, folder_of
from jobs.preflight.findings import Commands, Fix, Severity
from jobs.preflight.fixes import create_volume
from jobs.preflight.places import find_mapping, find_place
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
        if not path or disk.type != "file" or find_mapping(disk, context.options) is not None:
            continue  # of a place asked for by name disk.map-volume speaks
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
        not may_overwrite(context.options, context.guest.name),
        f"disk {disk.target}",
        f"{there} already has {volume.path}; libvirt would overwrite it without a word.",
        "Move that file away, or confirm with the guest's name that it may be overwritten.",
        evidence=evidence,
    )


@check(
    "disk.top-layer-target",
    title="For a copy of top layers their base exists on the destination, and the layer can be made there",
    source="measured: libvirt does not create them (code 84); the product makes the top layer in a pool",
    waivable=False,
)
def check_top_layer_target(context: PreflightContext) -> Iterator[Said]:
    if context.options.storage is not Storage.COPY_INCREMENTAL:
        return
    for disk in copied(context):
        for path in _needed_paths(context, disk):
            if volume_there(context, path) is None:
                yield blocker(
                    f"disk {disk.target}",
                    f"{context.destination.name} has nothing at {path}, which a copy of top layers needs.",
                    "Put the base image there and create an empty top layer on it, or copy whole disks.",
                    evidence=((context.source.name, path), (context.destination.name, "nothing there")),
                    fix=_target_volume(context, disk, path),
                    commands=_layer_by_hand(context, disk, path),
                )


def _needed_paths(context: PreflightContext, disk: DiskFacts) -> list[str]:
    """The layers below, and the top one where no pool can make it on its base."""
    own = destination_path(disk, context.options)
    made = find_place(context.destination.facts, disk, context.options)
    known = bool(disk.backing_formats) and len(disk.backing_formats) == len(disk.backing_paths)
    paths = (*([] if made is not None and known else [own]), *disk.backing_paths)
    return [path for path in paths if path.startswith("/")]


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
