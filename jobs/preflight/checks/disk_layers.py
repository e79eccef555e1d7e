"""Layers below the disks that a shut-off guest brings along: the path of each is written inside the image above it."""

from __future__ import annotations

from collections.abc import Iterator

from hosts.facts.domain import DiskFacts
from jobs.options import Kind
from jobs.preflight.context import PreflightContext
from jobs.preflight.copies import copied
from jobs.preflight.disks import find_pool_at, folder_of
from jobs.preflight.findings import Severity
from jobs.preflight.pools import pool_remedy
from jobs.preflight.registry import Said, check
from jobs.preflight.say import blocker, facts_of, require_read


@check(
    "disk.layers",
    title="The layers below copied disks can lie at the same path on the destination",
    source="QEMU: docs/interop/qcow2, backing file name; an offline move copies images as they are",
    waivable=False,
    severities=(Severity.BLOCKER,),
)
def check_layers(context: PreflightContext) -> Iterator[Said]:
    if context.options.kind is not Kind.OFFLINE:
        return
    for disk in copied(context):
        for path in dict.fromkeys(_list_layers(context, disk)):
            yield from _look_for_place(context, disk, path)


def _list_layers(context: PreflightContext, disk: DiskFacts) -> tuple[str, ...]:
    """What the pools of the source said; the description of a guest that is shut off mostly says nothing."""
    told = context.guest.extra.get(f"layers.{disk.target}", "")
    return (*told.splitlines(), *(path for path in disk.backing_paths if path.startswith("/")))


def _look_for_place(context: PreflightContext, disk: DiskFacts, path: str) -> Iterator[Said]:
    there, folder = context.destination.name, folder_of(path)
    pool = find_pool_at(require_read(context.destination, "storage pools"), folder)
    if pool is not None and pool.active:
        return
    state = "missing" if pool is None else "not active"
    remedy = pool_remedy(context, find_pool_at(facts_of(context.source), folder), pool, folder)
    yield blocker(
        f"disk {disk.target}",
        f"The disk is built on {path}, and {there} has no active storage pool for {folder}. The image names that path, "
        "so its base cannot lie elsewhere.",
        remedy.text,
        evidence=((context.source.name, path), (there, state)),
        fix=remedy.fix,
        commands=remedy.commands,
    )
