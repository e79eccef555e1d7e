"""Copied disks → the volumes to prepare at the destination and what its definition says of them. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from hosts.facts.domain import DiskFacts
from hosts.facts.storage import VolumeFacts
from jobs.engine.volumes import PlannedVolume
from jobs.options import Kind, Storage
from jobs.options.rules import may_overwrite
from jobs.preflight.context import PreflightContext
from jobs.preflight.disks import copied_disks, find_pool_at, folder_of
from jobs.preflight.places import DEVICE_POOLS, Place, find_place, find_pool_named


@dataclass(frozen=True, slots=True)
class DiskRewrite:
    """What the destination's definition says of one disk. `type` "": its source stays as it is.

    `whole`: the copy is one image, so layers below the source's are no part of it.
    """

    target: str
    type: str = ""  # file, block or volume
    path: str = ""
    pool: str = ""
    volume: str = ""
    whole: bool = False


def plan_volumes(context: PreflightContext) -> tuple[PlannedVolume, ...]:
    """One for each copied disk that a pool there can hold, its layers below it in an offline move: what libvirt would
    create by itself is made by us too, so that it is known whose it is."""
    return tuple(_list_volumes(context))


def plan_disk_rewrites(context: PreflightContext) -> tuple[DiskRewrite, ...]:
    """A definition given by hand is left as it is."""
    if context.options.destination_xml:
        return ()
    disks = copied_disks(context.guest.facts, context.options)
    rewrites = (_rewrite(context, disk) for disk in disks)
    return tuple(rewrite for rewrite in rewrites if rewrite.type or rewrite.whole)


def _rewrite(context: PreflightContext, disk: DiskFacts) -> DiskRewrite:
    whole = _flattens(context) and bool(disk.backing_paths)
    place = find_place(context.destination.facts, disk, context.options)
    if place is None or not place.mapped:
        return DiskRewrite(disk.target, whole=whole)
    if place.type == "volume":
        return DiskRewrite(disk.target, "volume", pool=place.pool, volume=place.volume, whole=whole)
    return DiskRewrite(disk.target, place.type, path=place.path, whole=whole)


def _flattens(context: PreflightContext) -> bool:
    """libvirt reads all layers of a running guest's disk and writes one; files are carried layer by layer."""
    return context.options.storage is Storage.COPY_ALL and context.options.kind is not Kind.OFFLINE


def _list_volumes(context: PreflightContext) -> Iterator[PlannedVolume]:
    for disk in copied_disks(context.guest.facts, context.options):
        place = find_place(context.destination.facts, disk, context.options)
        if place is None:
            continue
        top = _plan_top(context, disk, place)
        yield top
        if context.options.kind is Kind.OFFLINE:
            yield from _plan_layers(context, disk, top)


def _plan_top(context: PreflightContext, disk: DiskFacts, place: Place) -> PlannedVolume:
    backing = (disk.backing_paths[0], disk.backing_formats[0]) if _keeps_base(context, disk) else ("", "")
    source = disk.source_path or f"{disk.pool}/{disk.volume}"
    return PlannedVolume(
        target=disk.target,
        layer=0,
        source_path=source,
        pool=place.pool,
        name=place.volume,
        path=place.path,
        format=_format(context, disk.format or "raw", place.pool),
        capacity_bytes=context.disk_capacity_bytes.get(disk.target, 0),
        backing_path=backing[0],
        backing_format=backing[1],
        reuse=_reuses(context, place.path),
        shown=f"disk {disk.target} ({posixpath.basename(source)})",
    )


def _keeps_base(context: PreflightContext, disk: DiskFacts) -> bool:
    return not _flattens(context) and bool(disk.backing_paths) and bool(disk.backing_formats)


def _format(context: PreflightContext, name: str, pool_name: str) -> str:
    """Devices have no format of their own."""
    facts = context.destination.facts
    pool = find_pool_named(facts, pool_name) if facts is not None else None
    return "" if pool is not None and pool.type in DEVICE_POOLS else name


def _reuses(context: PreflightContext, path: str) -> bool:
    """Something is there, and it was said that it may be used. A copy of top layers was always written into images
    that were prepared by hand, so there it needs no word."""
    options, found = context.options, _find_there(context, path)
    if found is None:
        return False
    incremental = options.storage is Storage.COPY_INCREMENTAL
    return incremental or may_overwrite(options, context.guest.name)


def _find_there(context: PreflightContext, path: str) -> VolumeFacts | None:
    reading = context.destination_reading
    return reading.volumes.get(path) if reading is not None and path else None


def _plan_layers(context: PreflightContext, disk: DiskFacts, top: PlannedVolume) -> Iterator[PlannedVolume]:
    """The layers below, each at the path it has at the source: the one above names it by that path. Their own size is
    not known from the guest's description; the top's stands in for it."""
    facts = context.destination.facts
    layers = list(zip(disk.backing_paths, disk.backing_formats, strict=False))
    for number, (path, format_name) in enumerate(layers, start=1):
        pool = find_pool_at(facts, folder_of(path)) if facts is not None else None
        if pool is None:
            continue
        below = layers[number] if number < len(layers) else ("", "")
        yield PlannedVolume(
            target=disk.target,
            layer=number,
            source_path=path,
            pool=pool.name,
            name=posixpath.basename(path),
            path=path,
            format=_format(context, format_name or "raw", pool.name),
            capacity_bytes=top.capacity_bytes,
            backing_path=below[0],
            backing_format=below[1],
            reuse=_find_there(context, path) is not None and context.options.reuse_volumes,
            shown=f"layer {number} of disk {disk.target} ({posixpath.basename(path)})",
        )
