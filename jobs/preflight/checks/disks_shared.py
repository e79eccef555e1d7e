"""Disks that are not copied: reachable there, and really the same storage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hosts.facts.domain import DiskFacts
from jobs.options import Kind
from jobs.preflight.context import PreflightContext
from jobs.preflight.disks import (
    REMOVABLE,
    Sharing,
    destination_path,
    find_pool_above,
    kept_disks,
    prove_sharing,
)
from jobs.preflight.findings import Severity
from jobs.preflight.registry import NotEvaluated, Said, check
from jobs.preflight.say import blocker, facts_of, graded

COPY_INSTEAD: Final = "Choose to copy this disk, or put it on storage that both hosts mount."


def _fixed_disks(context: PreflightContext) -> list[DiskFacts]:
    return [disk for disk in kept_disks(context.guest.facts, context.options) if disk.device not in REMOVABLE]


def _paths(context: PreflightContext, disk: DiskFacts) -> list[str]:
    """The image and the layers under it; network sources are the same from everywhere."""
    own = "" if disk.network_source else destination_path(disk, context.options)
    return [path for path in (own, *disk.backing_paths) if path.startswith("/")]


@check(
    "disk.path",
    title="Every disk that is not copied is reachable at the same path on the destination",
    source="SUSE virtualization guide, migration requirements",
    waivable=True,
)
def check_path(context: PreflightContext) -> Iterator[Said]:
    for disk in _fixed_disks(context):
        for path in _paths(context, disk):
            yield from _check_one_path(context, disk, path)
        if disk.type == "volume" and not disk.source_path:
            yield from _check_pool_of_volume(context, disk)


def _check_one_path(context: PreflightContext, disk: DiskFacts, path: str) -> Iterator[Said]:
    there = context.destination.name
    if context.destination_reading is None:
        raise NotEvaluated(
            f"what {there} has at the guest's disk paths", f"Check again when {there} answers."
        )
    volumes = context.destination_reading.volumes
    if volumes.get(path) is not None:
        return
    if path in volumes:
        yield blocker(
            f"disk {disk.target}",
            f"{there} has nothing at {path}.",
            COPY_INSTEAD + f" If it was just put there: virsh pool-refresh on {there}.",
            evidence=((context.source.name, path), (there, "nothing there")),
        )
        return
    pool = find_pool_above(facts_of(context.destination), path)
    how = (
        f"Start the pool {pool.name} on {there}."
        if pool is not None and not pool.active
        else (f"Define a storage pool on {there} for the folder of {path}, so that it can be looked up.")
    )
    yield NotEvaluated(f"whether {there} has {path}", how)


def _check_pool_of_volume(context: PreflightContext, disk: DiskFacts) -> Iterator[Said]:
    pools = {pool.name: pool for pool in facts_of(context.destination).pools}
    pool = pools.get(disk.pool)
    if pool is None or not pool.active:
        state = "is not active" if pool is not None else "does not exist"
        yield blocker(
            f"disk {disk.target}",
            f"The pool {disk.pool} of this disk {state} on {context.destination.name}.",
            f"Create and start the pool {disk.pool} there; it can be made from the source's.",
            evidence=((context.source.name, f"{disk.pool}/{disk.volume}"), (context.destination.name, state)),
        )


@check(
    "disk.shared",
    title="The storage of disks that are not copied really is the same on both hosts",
    source="libvirt: qemuMigrationSrcIsSafe (code 81); peers' users hurt by look-alike folders",
    waivable=True,
    severities=(Severity.BLOCKER, Severity.WARNING),
)
def check_shared(context: PreflightContext) -> Iterator[Said]:
    severe = context.options.kind is not Kind.OFFLINE and not context.options.unsafe
    for disk in _fixed_disks(context):
        if disk.readonly:
            continue
        proof = prove_sharing(context, disk)
        place = disk.source_path or f"{disk.pool}/{disk.volume}"
        evidence = (("disk", place), ("proof", proof.why))
        if proof.sharing is Sharing.DIFFERENT:
            message = f"{place} is different storage on the two hosts, though the path is the same."
            yield graded(severe, f"disk {disk.target}", message, COPY_INSTEAD, evidence=evidence)
        elif proof.sharing is Sharing.LOCAL or disk.type == "nvme":
            message = f"{place} is only on {context.source.name}; libvirt calls moving it unsafe and refuses."
            yield graded(severe, f"disk {disk.target}", message, COPY_INSTEAD, evidence=evidence)
        elif proof.sharing is Sharing.UNKNOWN:
            how = (
                f"Use a network storage pool of the same source on both hosts, connect {context.source.name} "
                "over SSH so that the file system can be asked, or copy the disk."
            )
            yield NotEvaluated(f"whether {place} is the same storage on both hosts", how)
