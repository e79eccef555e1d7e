"""Pools that the destination lacks: what the product can do about it, and how it is done by hand. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from hosts.facts.storage import PoolFacts
from jobs.preflight.by_hand import anywhere
from jobs.preflight.by_hand_system import export_directory, mount_as_pool
from jobs.preflight.context import HostSide, PreflightContext
from jobs.preflight.findings import Commands, Fix
from jobs.preflight.fixes import create_pool, start_pool


@dataclass(frozen=True, slots=True)
class PoolRemedy:
    text: str
    fix: Fix | None = None
    commands: tuple[Commands, ...] = ()


def pool_remedy(
    context: PreflightContext, source: PoolFacts | None, destination: PoolFacts | None, folder: str
) -> PoolRemedy:
    """How the destination gets an active pool: start the one it has, or define the source's there. `folder` is what a
    new one is for where the source has none."""
    there = context.destination.name
    if destination is not None:
        return PoolRemedy(
            f"Start the pool {destination.name} on {there}.",
            start_pool(context.destination, destination.name),
            anywhere(context.destination, f"virsh pool-start {shlex.quote(destination.name)}"),
        )
    if source is None:
        return _define_new(context.destination, folder)
    if _name_taken(context.destination, source.name):
        return PoolRemedy(
            f"{there} has another pool named {source.name}. Define one of another name for {folder} there."
        )
    return PoolRemedy(
        f"Create the pool {source.name} on {there} as {context.source.name} defines it.",
        create_pool(context, source.name),
        tuple(_nfs_by_hand(context, source) or _copy_definition(context, source.name)),
    )


def how_to_know(there: str, pool: PoolFacts | None, path: str) -> str:
    """What makes it known whether the host has the path; `pool` is the one that would cover it."""
    if pool is not None and not pool.active:
        return f"Start the pool {pool.name} on {there}."
    return (
        f"Connect {there} over SSH, or define a storage pool there for the folder of {path}, so that it can be "
        "looked up."
    )


def _define_new(side: HostSide, folder: str) -> PoolRemedy:
    if not folder.startswith("/"):
        return PoolRemedy(f"Define and start the storage pool {folder} on {side.name}.")
    name = shlex.quote(folder.strip("/").replace("/", "-"))
    return PoolRemedy(
        f"Define and start a storage pool for {folder} on {side.name}.",
        commands=anywhere(
            side,
            f"virsh pool-define-as {name} dir --target {shlex.quote(folder)}",
            f"virsh pool-build {name}",
            f"virsh pool-start {name}",
            f"virsh pool-autostart {name}",
        ),
    )


def _name_taken(side: HostSide, name: str) -> bool:
    return side.facts is not None and any(pool.name == name for pool in side.facts.pools)


def _nfs_by_hand(context: PreflightContext, pool: PoolFacts) -> tuple[Commands, ...]:
    """An export is mounted only where its server lets the host in; () for any other kind of pool."""
    kind, _, place = pool.source.partition(" nfs ")
    server, _, directory = place.partition(":")
    if kind != "netfs" or not server or not directory.startswith("/"):
        return ()
    return (
        *export_directory(HostSide(server, None), directory, context.destination.name),
        *mount_as_pool(context.destination, pool.name, server, directory, pool.target_path),
    )


def _copy_definition(context: PreflightContext, name: str) -> Iterator[Commands]:
    quoted, file = shlex.quote(name), shlex.quote(f"/root/pool-{name}.xml")
    yield from anywhere(context.source, f"virsh pool-dumpxml {quoted} > {file}")
    yield from anywhere(
        context.destination,
        f"scp root@{shlex.quote(context.source.name)}:{file} {file}",
        f"virsh pool-define {file}",
        f"virsh pool-build {quoted}",
        f"virsh pool-start {quoted}",
        f"virsh pool-autostart {quoted}",
    )
