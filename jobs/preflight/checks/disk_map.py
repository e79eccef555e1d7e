"""Disks that go to a place asked for by name, and what becomes of those at the source."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hosts.facts.domain import DiskFacts
from hosts.facts.storage import PoolFacts
from jobs.options import Kind
from jobs.options.rules import may_overwrite
from jobs.options.storage_map import parse_map
from jobs.preflight.context import PreflightContext
from jobs.preflight.copies import copied
from jobs.preflight.disks import (
    SHARED_FILE_SYSTEMS,
    file_system_of,
    find_pool_for,
    written_disks,
)
from jobs.preflight.findings import Severity
from jobs.preflight.places import DEVICE_POOLS, MAKING_POOLS, find_mapping, find_place, find_pool_named
from jobs.preflight.registry import NotEvaluated, Said, check
from jobs.preflight.say import blocker, facts_of, graded, warning

# LVM gives whole extents (vgcreate: 4 MiB unless said otherwise).
EXTENT_BYTES: Final = 4 * 2**20


@check(
    "disk.map-format",
    title="Each disk that goes elsewhere can be made in the pool chosen for it",
    source="libvirt: storage backends that create volumes; QEMU: disks are mirrored between equal sizes only",
    waivable=False,
)
def check_map_format(context: PreflightContext) -> Iterator[Said]:
    targets = {disk.target: disk for disk in copied(context)}
    for target, entry in parse_map(context.options.storage_map).items():
        disk = targets.get(target)
        if disk is None:
            yield _not_copied(context, target)
            continue
        pool = find_pool_named(facts_of(context.destination), entry.pool)
        problem = _find_problem(context, disk, pool) if pool is not None else ""
        if problem:
            yield blocker(
                f"disk {target}",
                f"The disk cannot go to the pool {entry.pool} on {context.destination.name}: {problem}.",
                "Choose a pool of files for it (dir, fs or netfs), or leave it where it is.",
                evidence=((context.source.name, f"{disk.type}, {disk.format or 'raw'}"),),
            )


def _not_copied(context: PreflightContext, target: str) -> Said:
    known = ", ".join(disk.target for disk in written_disks(context.guest.facts))
    return blocker(
        f"disk {target}",
        f"A place is given for {target}, which is not copied.",
        "Name it among the disks to copy, or take its place away.",
        evidence=((context.source.name, known or "no disks that are written"),),
    )


def _find_problem(context: PreflightContext, disk: DiskFacts, pool: PoolFacts) -> str:
    """Why this disk cannot be made in this pool, "" when it can."""
    if disk.type not in {"file", "block", "volume"}:
        return f"disks of type {disk.type} cannot be given another place"
    if pool.type not in MAKING_POOLS:
        return f"volumes for copies are not made in pools of type {pool.type}"
    if pool.type in DEVICE_POOLS and disk.format not in {"", "raw"}:
        return f"its volumes are devices, and hold raw disks only, not {disk.format}"
    size = context.disk_capacity_bytes.get(disk.target, 0)
    if pool.type == "logical" and size % EXTENT_BYTES and context.options.kind is not Kind.OFFLINE:
        return f"{size} bytes are no whole extents of a volume group, and a running guest's copy must be as large"
    return ""


@check(
    "disk.map-volume",
    title="Nothing has the name that a disk is to have in the pool chosen for it",
    source="libvirt: virStorageVolCreateXML refuses it (code 90); measured: an image is overwritten without a word",
    waivable=False,
    severities=(Severity.BLOCKER, Severity.WARNING),
    unevaluated=Severity.WARNING,
)
def check_map_volume(context: PreflightContext) -> Iterator[Said]:
    for disk in copied(context):
        place = find_place(context.destination.facts, disk, context.options)
        if find_mapping(disk, context.options) is None or place is None or not place.path:
            continue
        reading = context.destination_reading
        if reading is None or place.path not in reading.volumes:
            # Looked at again just before the move: then it is known, and what is there is not touched.
            yield NotEvaluated(
                f"whether the pool {place.pool} already has {place.volume}",
                f"Read the contents of {place.pool} on {context.destination.name}; the move looks again by itself.",
            )
            continue
        found = reading.volumes[place.path]
        if found is not None:
            yield graded(
                not may_overwrite(context.options, context.guest.name),
                f"disk {disk.target}",
                f"The pool {place.pool} on {context.destination.name} already has a volume {place.volume}"
                + (", which is written over." if may_overwrite(context.options, context.guest.name) else "."),
                "Give the disk another name there, or choose to use volumes that are there already.",
                evidence=((context.destination.name, f"{found.path}, {found.capacity_bytes} bytes"),),
            )


@check(
    "disk.remove-source",
    title="Disks that are to be removed from the source lie on storage of its own",
    source="a file on shared storage may be in use from hosts this product does not know",
    waivable=False,
    severities=(Severity.BLOCKER, Severity.WARNING),
)
def check_remove_source(context: PreflightContext) -> Iterator[Said]:
    if not context.options.remove_source_disks:
        return
    for disk in copied(context):
        pool = find_pool_for(facts_of(context.source), disk, disk.source_path)
        shared = pool is not None and pool.shared_by_nature
        shown = disk.source_path or disk.network_source or f"{disk.pool}/{disk.volume}"
        if shared or file_system_of(context, disk.source_path) in SHARED_FILE_SYSTEMS:
            yield blocker(
                f"disk {disk.target}",
                f"{shown} lies on storage that other hosts share, so it is not removed by a move.",
                "Keep the source's disks, and remove this one by hand when no guest needs it.",
                evidence=((context.source.name, pool.source if pool is not None else shown),),
            )
        else:
            yield warning(
                f"disk {disk.target}",
                f"{shown} is removed from {context.source.name} after the move.",
                "Keep the source's disks if there is no backup of them.",
                evidence=((context.source.name, shown),),
            )
