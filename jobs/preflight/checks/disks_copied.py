"""Disks that libvirt copies: a place for them, room for them, and nothing in their way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from hosts.facts.domain import DiskFacts
from hosts.facts.storage import PoolFacts, VolumeFacts
from jobs.options import Storage
from jobs.options.rules import is_confirmed
from jobs.preflight.context import PreflightContext
from jobs.preflight.disks import (
    Sharing,
    copied_disks,
    destination_path,
    find_pool_at,
    folder_of,
    prove_sharing,
)
from jobs.preflight.findings import Severity
from jobs.preflight.registry import NotEvaluated, Said, check
from jobs.preflight.say import blocker, facts_of, gib, graded, require_read


def _copied(context: PreflightContext) -> tuple[DiskFacts, ...]:
    return copied_disks(context.guest.facts, context.options)


def _volume_there(context: PreflightContext, path: str) -> VolumeFacts | None:
    """None: nothing there. Raises NotEvaluated when it could not be looked up."""
    there = context.destination.name
    if context.destination_reading is None:
        raise NotEvaluated(
            f"what {there} has at the guest's disk paths", f"Check again when {there} answers."
        )
    if path not in context.destination_reading.volumes:
        how = f"Define and start a storage pool on {there} for {folder_of(path)}."
        raise NotEvaluated(f"whether {there} already has {path}", how)
    return context.destination_reading.volumes[path]


def _pool_there(context: PreflightContext, disk: DiskFacts) -> PoolFacts | None:
    """Where libvirt will create the file: a pool at exactly its folder, or of the same name for volume
    disks."""
    facts = require_read(context.destination, "storage pools")
    if disk.type == "volume":
        return next((pool for pool in facts.pools if pool.name == disk.pool), None)
    return find_pool_at(facts, folder_of(destination_path(disk, context.options)))


@check(
    "disk.pool-twin",
    title="The destination has an active pool where each copied disk can be created",
    source="SUSE virtualization guide; libvirt: qemuMigrationDstPrecreateDisk (code 49)",
    waivable=False,
)
def check_pool_twin(context: PreflightContext) -> Iterator[Said]:
    there = context.destination.name
    for disk in _copied(context):
        if disk.type not in {"file", "volume"}:
            yield from _check_ready_target(context, disk)
            continue
        pool = _pool_there(context, disk)
        place = disk.pool if disk.type == "volume" else folder_of(destination_path(disk, context.options))
        if pool is None or not pool.active:
            state = "not active" if pool is not None else "missing"
            yield blocker(
                f"disk {disk.target}",
                f"{there} has no active storage pool {'named' if disk.type == 'volume' else 'for'} {place}, "
                "so libvirt cannot create the copy.",
                f"Create it on {there} from the source's pool, or start it.",
                evidence=((context.source.name, place), (there, state)),
            )


def _check_ready_target(context: PreflightContext, disk: DiskFacts) -> Iterator[Said]:
    """libvirt cannot create block devices and network volumes: they must be there, of the same size."""
    path = destination_path(disk, context.options)
    if not path or _volume_there(context, path) is None:
        yield blocker(
            f"disk {disk.target}",
            f"libvirt cannot create {path or disk.network_source} on {context.destination.name}.",
            "Create it there with exactly the same size first, or do not copy this disk.",
            evidence=(
                (context.source.name, path or disk.network_source),
                (context.destination.name, "missing"),
            ),
        )


@check(
    "disk.space",
    title="The destination's pools have room for the copied disks and the moves already planned",
    source="peers' users hurt by full pools; libvirt creates the copies before it sends",
    waivable=True,
    unevaluated=Severity.WARNING,
)
def check_space(context: PreflightContext) -> Iterator[Said]:
    needed: dict[str, int] = defaultdict(int)
    pools: dict[str, PoolFacts] = {}
    for disk in _copied(context):
        pool = _pool_there(context, disk)
        if pool is None:
            continue
        if disk.target not in context.disk_capacity_bytes:
            yield NotEvaluated(f"the size of disk {disk.target}", f"Refresh {context.source.name}.")
            continue
        pools[pool.name] = pool
        needed[pool.name] += context.disk_capacity_bytes[disk.target]
    for name, size in needed.items():
        planned = context.planned_storage_bytes.get(name, 0)
        if size + planned > pools[name].available_bytes:
            yield blocker(
                f"pool {name}",
                f"The pool {name} on {context.destination.name} has {gib(pools[name].available_bytes)} free; "
                f"the copies need {gib(size)}" + (f" and planned moves {gib(planned)}." if planned else "."),
                "Make room, or choose another destination.",
                evidence=(
                    ("needed", str(size)),
                    (context.destination.name, str(pools[name].available_bytes)),
                ),
            )


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
    for disk in _copied(context):
        path = destination_path(disk, context.options)
        if not path or disk.type != "file":
            continue
        volume = _volume_there(context, path)
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
    for disk in _copied(context):
        own = destination_path(disk, context.options)
        for path in (path for path in (own, *disk.backing_paths) if path.startswith("/")):
            if _volume_there(context, path) is None:
                yield blocker(
                    f"disk {disk.target}",
                    f"{context.destination.name} has nothing at {path}, which a copy of top layers needs.",
                    "Put the base image there and create an empty top layer on it, or copy whole disks.",
                    evidence=((context.source.name, path), (context.destination.name, "nothing there")),
                )


@check(
    "disk.copy-onto-itself",
    title="No disk is copied onto itself",
    source="libvirt: qemuMigrationAnyCopyDisk does not ask whether a disk lies on shared storage",
    waivable=False,
    severities=(Severity.BLOCKER, Severity.WARNING),
)
def check_copy_onto_itself(context: PreflightContext) -> Iterator[Said]:
    facts_of(context.source), facts_of(context.destination)
    for disk in _copied(context):
        if destination_path(disk, context.options) != disk.source_path:
            continue
        proof = prove_sharing(context, disk)
        if proof.sharing in {Sharing.SAME, Sharing.ASSUMED}:
            yield graded(
                proof.sharing is Sharing.SAME,
                f"disk {disk.target}",
                f"{disk.source_path or disk.network_source} is the same storage on both hosts: "
                "the copy would be written over the original.",
                "Take this disk out of the disks to copy.",
                evidence=(("proof", proof.why),),
            )
