"""Disks that libvirt copies: a place for them and room for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from hosts.facts.domain import DiskFacts
from hosts.facts.storage import PoolFacts
from jobs.preflight.context import PreflightContext
from jobs.preflight.copies import copied, volume_there
from jobs.preflight.disks import (
    destination_path,
    find_pool_at,
    folder_of,
)
from jobs.preflight.findings import Severity
from jobs.preflight.places import find_mapping, find_pool_named
from jobs.preflight.pools import pool_remedy
from jobs.preflight.registry import NotEvaluated, Said, check
from jobs.preflight.say import blocker, facts_of, gib, require_read


def _pool_there(context: PreflightContext, disk: DiskFacts) -> PoolFacts | None:
    """Where the copy will be made: the pool asked for, one at exactly its folder, or of the same name for volume
    disks."""
    facts = require_read(context.destination, "storage pools")
    entry = find_mapping(disk, context.options)
    if entry is not None or disk.type == "volume":
        return find_pool_named(facts, entry.pool if entry is not None else disk.pool)
    path = destination_path(disk, context.options)
    return find_pool_at(facts, folder_of(path)) if path else None


def _pool_here(context: PreflightContext, disk: DiskFacts) -> PoolFacts | None:
    """The source's pool that would do: its folder is the one the copy is to lie in."""
    facts = facts_of(context.source)
    if disk.type == "volume":
        return find_pool_named(facts, disk.pool)
    return find_pool_at(facts, folder_of(destination_path(disk, context.options)))


@check(
    "disk.pool-twin",
    title="The destination has an active pool where each copied disk can be created",
    source="SUSE virtualization guide; libvirt: qemuMigrationDstPrecreateDisk (code 49)",
    waivable=False,
)
def check_pool_twin(context: PreflightContext) -> Iterator[Said]:
    for disk in copied(context):
        if find_mapping(disk, context.options) is not None:
            yield from _check_mapped_pool(context, disk)
        elif disk.type not in {"file", "volume"} and _pool_there(context, disk) is None:
            yield from _check_ready_target(context, disk)
        else:
            yield from _check_twin(context, disk)


def _check_mapped_pool(context: PreflightContext, disk: DiskFacts) -> Iterator[Said]:
    """A pool that was chosen by name is made by nobody: the choice may be a slip."""
    pool, entry = _pool_there(context, disk), find_mapping(disk, context.options)
    name, there = entry.pool if entry is not None else "", context.destination.name
    if pool is None:
        yield blocker(
            f"disk {disk.target}",
            f"{there} has no storage pool named {name}.",
            "Choose one of its pools for this disk.",
            evidence=((there, ", ".join(sorted(one.name for one in facts_of(context.destination).pools))),),
        )
    elif not pool.active:
        remedy = pool_remedy(context, None, pool, name)
        yield blocker(
            f"disk {disk.target}",
            f"The storage pool {name} on {there} is not active.",
            remedy.text,
            evidence=((there, "not active"),),
            fix=remedy.fix,
            commands=remedy.commands,
        )


def _check_twin(context: PreflightContext, disk: DiskFacts) -> Iterator[Said]:
    there, pool = context.destination.name, _pool_there(context, disk)
    if pool is not None and pool.active:
        return
    place = disk.pool if disk.type == "volume" else folder_of(destination_path(disk, context.options))
    remedy = pool_remedy(context, _pool_here(context, disk), pool, place)
    yield blocker(
        f"disk {disk.target}",
        f"{there} has no active storage pool {'named' if disk.type == 'volume' else 'for'} {place}, "
        "so the copy cannot be created.",
        remedy.text,
        evidence=((context.source.name, place), (there, "not active" if pool is not None else "missing")),
        fix=remedy.fix,
        commands=remedy.commands,
    )


def _check_ready_target(context: PreflightContext, disk: DiskFacts) -> Iterator[Said]:
    """libvirt cannot create block devices and network volumes: they must be there, of the same size."""
    path = destination_path(disk, context.options)
    if not path or volume_there(context, path) is None:
        place = path or disk.network_source or disk.type
        yield blocker(
            f"disk {disk.target}",
            f"libvirt cannot create {place} on {context.destination.name}.",
            "Create it there with exactly the same size first, or do not copy this disk.",
            evidence=(
                (context.source.name, place),
                (context.destination.name, "missing"),
            ),
        )


@check(
    "disk.space",
    title="The destination's pools have room for the copied disks and the moves already planned",
    source="peers' users hurt by full pools; libvirt creates the copies before it sends",
    waivable=False,
    unevaluated=Severity.WARNING,
)
def check_space(context: PreflightContext) -> Iterator[Said]:
    needed: dict[str, int] = defaultdict(int)
    pools: dict[str, PoolFacts] = {}
    for disk in copied(context):
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
