"""Disks that are not copied: reachable there, and really the same storage."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Final

from hosts.facts.domain import DiskFacts
from hosts.facts.storage import PoolFacts
from jobs.options import Kind
from jobs.preflight.by_hand import anywhere
from jobs.preflight.context import PreflightContext
from jobs.preflight.devices_xml import Presence
from jobs.preflight.disks import (
    REMOVABLE,
    Sharing,
    destination_path,
    find_pool_above,
    find_pool_for,
    kept_disks,
    presence_of_disk,
    prove_sharing,
)
from jobs.preflight.findings import Finding, Severity
from jobs.preflight.pools import how_to_know, pool_remedy
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
    presence = presence_of_disk(context, path)
    if presence is Presence.THERE:
        return
    here, pool = (find_pool_above(facts_of(side), path) for side in (context.source, context.destination))
    if here is not None and here.shared_by_nature and (pool is None or not pool.active):
        yield _no_pool(context, disk, here, pool, path)
    elif presence is Presence.MISSING:
        yield blocker(
            f"disk {disk.target}",
            f"{there} has nothing at {path}.",
            COPY_INSTEAD + " If it was just put there, refresh the pool.",
            evidence=((context.source.name, path), (there, "nothing there")),
            commands=anywhere(context.destination, f"virsh pool-refresh {shlex.quote(pool.name)}")
            if pool is not None
            else (),
        )
    elif context.destination_reading is None:
        raise NotEvaluated(
            f"what {there} has at the guest's disk paths", f"Check again when {there} answers."
        )
    else:
        yield NotEvaluated(f"whether {there} has {path}", how_to_know(there, pool, path))


def _no_pool(
    context: PreflightContext, disk: DiskFacts, here: PoolFacts, pool: PoolFacts | None, path: str
) -> Finding:
    """The source has the storage from the network; the destination has not mounted it."""
    there, state = context.destination.name, "missing" if pool is None else "not active"
    remedy = pool_remedy(context, here, pool, here.target_path)
    return blocker(
        f"disk {disk.target}",
        f"{path} lies in the pool {here.name} ({here.source}), which is {state} on {there}.",
        remedy.text,
        evidence=((context.source.name, here.source), (there, state)),
        fix=remedy.fix,
        commands=remedy.commands,
    )


def _check_pool_of_volume(context: PreflightContext, disk: DiskFacts) -> Iterator[Said]:
    here, pool = (find_pool_for(facts_of(side), disk, "") for side in (context.source, context.destination))
    if pool is not None and pool.active:
        return
    state = "is not active" if pool is not None else "does not exist"
    # A pool of the source's own disks would be empty there.
    remedy = pool_remedy(
        context, here if here is not None and here.shared_by_nature else None, pool, disk.pool
    )
    yield blocker(
        f"disk {disk.target}",
        f"The pool {disk.pool} of this disk {state} on {context.destination.name}.",
        remedy.text,
        evidence=((context.source.name, f"{disk.pool}/{disk.volume}"), (context.destination.name, state)),
        fix=remedy.fix,
        commands=remedy.commands,
    )


@check(
    "disk.shared",
    title="The storage of disks that are not copied really is the same on both hosts",
    source="libvirt: qemuMigrationSrcIsSafe (code 81); peers' users hurt by look-alike folders",
    waivable=True,
    severities=(Severity.BLOCKER, Severity.WARNING),
)
def check_shared(context: PreflightContext) -> Iterator[Said]:
    runs = context.options.kind is not Kind.OFFLINE
    severe = runs and not context.options.unsafe
    for disk in kept_disks(context.guest.facts, context.options):
        if disk.readonly or disk.type == "nvme":
            continue  # disk.nvme speaks of those; a floppy that is written counts as any disk
        proof = prove_sharing(context, disk)
        place = disk.source_path or f"{disk.pool}/{disk.volume}"
        evidence = (("disk", place), ("proof", proof.why))
        if proof.sharing is Sharing.DIFFERENT:
            message = f"{place} is different storage on the two hosts, though the path is the same."
            # "unsafe" says that libvirt cannot see the sharing; it does not make two files one.
            yield graded(runs, f"disk {disk.target}", message, COPY_INSTEAD, evidence=evidence)
        elif proof.sharing is Sharing.LOCAL:
            message = f"{place} is only on {context.source.name}; libvirt calls moving it unsafe and refuses."
            yield graded(severe, f"disk {disk.target}", message, COPY_INSTEAD, evidence=evidence)
        elif proof.sharing is Sharing.UNKNOWN:
            how = (
                f"Use a network storage pool of the same source on both hosts, connect {context.source.name} "
                "over SSH so that the file system can be asked, or copy the disk."
            )
            yield NotEvaluated(f"whether {place} is the same storage on both hosts", how)
