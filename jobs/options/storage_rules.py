"""Rules about where copied disks go and what becomes of the source's. Pure."""

from __future__ import annotations

from typing import Final

from jobs.options.model import Kind, MoveOptions, Storage
from jobs.options.rule import Rule, excludes, needs_copy
from jobs.options.storage_map import parse_map


def _maps_others(options: MoveOptions) -> bool:
    return bool(options.migrate_disks) and bool(
        parse_map(options.storage_map).keys() - set(options.migrate_disks)
    )


def _maps_one_place_twice(options: MoveOptions) -> bool:
    places = [(entry.pool, entry.volume) for entry in parse_map(options.storage_map).values() if entry.volume]
    return len(set(places)) != len(places)


STORAGE_RULES: Final[tuple[Rule, ...]] = (
    needs_copy("storage_map", "Where disks go"),
    needs_copy("reuse_volumes", "Use volumes that are there already"),
    needs_copy("remove_source_disks", "Remove the copied disks from the source"),
    Rule(
        "storage-map-disk-twice",
        ("storage_map",),
        lambda options: len(parse_map(options.storage_map)) < len(set(options.storage_map)),
        "A disk can go to one place only.",
        "Name each disk once, as TARGET=POOL or TARGET=POOL/VOLUME.",
    ),
    Rule(
        "storage-map-place-twice",
        ("storage_map",),
        _maps_one_place_twice,
        "Two disks cannot become one volume.",
        "Give each disk a volume name of its own.",
    ),
    Rule(
        "storage-map-needs-copied-disk",
        ("storage_map", "migrate_disks"),
        _maps_others,
        "A place is given for a disk that is not copied.",
        "Name it among the disks to copy too, or take its place away.",
    ),
    excludes(
        "storage-map-excludes-destination-xml",
        ("storage_map", "destination_xml"),
        lambda options: bool(options.storage_map) and bool(options.destination_xml or options.persistent_xml),
        "A changed definition already says where the disks are.",
    ),
    Rule(
        "offline-copies-whole-disks",
        ("storage", "kind"),
        lambda options: options.kind is Kind.OFFLINE and options.storage is Storage.COPY_INCREMENTAL,
        "A guest that is shut off takes all layers of its disks along.",
        "Choose to copy disks; with “Use volumes that are there already” a base image that is there is kept.",
    ),
    Rule(
        "offline-bandwidth-needs-copy",
        ("bandwidth_mib_per_s", "storage"),
        lambda options: (
            options.kind is Kind.OFFLINE
            and options.storage is Storage.SHARED
            and options.bandwidth_mib_per_s is not None
        ),
        "An offline move sends nothing that could be slowed down.",
        "Choose to copy disks, or take the limit away.",
    ),
    Rule(
        "remove-source-disks-needs-undefine",
        ("remove_source_disks", "undefine_source"),
        lambda options: options.remove_source_disks and not options.undefine_source,
        "The definition that stays at the source would have no disks.",
        "Remove the definition from the source too, or keep its disks.",
    ),
)
