"""Where a copied disk goes at the destination: pool, volume and path. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hosts.facts.domain import DiskFacts
from hosts.facts.host import HostFacts
from hosts.facts.storage import PoolFacts
from jobs.options import MoveOptions
from jobs.options.storage_map import MapEntry, parse_map
from jobs.preflight.disks import destination_path, find_pool_at, folder_of

# Pools whose volumes are files in the pool's folder; they hold images of any format.
FILE_POOLS: Final = frozenset({"dir", "fs", "netfs", "vstorage"})
# Pools in which a volume of any size can be made, each a device: raw only.
DEVICE_POOLS: Final = frozenset({"logical", "zfs"})
MAKING_POOLS: Final = FILE_POOLS | DEVICE_POOLS


@dataclass(frozen=True, slots=True)
class Place:
    """`path` "": not known before the volume is there. `type`: of the disk there, file, block or volume."""

    pool: str
    volume: str
    path: str
    type: str
    mapped: bool  # somewhere else was asked for by name


def find_mapping(disk: DiskFacts, options: MoveOptions) -> MapEntry | None:
    return parse_map(options.storage_map).get(disk.target)


def name_of(disk: DiskFacts) -> str:
    """The volume's name at the source."""
    return disk.volume or disk.source_path.rpartition("/")[2]


def find_place(facts: HostFacts | None, disk: DiskFacts, options: MoveOptions) -> Place | None:
    """None: no pool there would hold it, or it is no file, device or volume. `facts`: of the destination."""
    if facts is None or disk.type not in {"file", "block", "volume"}:
        return None
    entry = find_mapping(disk, options)
    if entry is not None:
        return _mapped_place(facts, disk, entry)
    if disk.type == "volume":
        pool = find_pool_named(facts, disk.pool)
        return _own_place(pool, disk.volume, path_in(pool, disk.volume) if pool else "", "volume")
    path = destination_path(disk, options)
    pool = find_pool_at(facts, folder_of(path))
    return _own_place(pool, path.rpartition("/")[2], path, disk.type)


def _own_place(pool: PoolFacts | None, volume: str, path: str, kind: str) -> Place | None:
    return None if pool is None else Place(pool.name, volume, path, kind, mapped=False)


def path_there(facts: HostFacts | None, disk: DiskFacts, options: MoveOptions) -> str:
    """The disk's path at the destination, as far as it is known before it is made."""
    place = find_place(facts, disk, options)
    return place.path if place is not None and place.mapped else destination_path(disk, options)


def find_pool_named(facts: HostFacts, name: str) -> PoolFacts | None:
    return next((pool for pool in facts.pools if pool.name == name), None)


def path_in(pool: PoolFacts, volume: str) -> str:
    """Of a volume in a pool that lies in a folder (of device nodes for LVM), "" for other pools."""
    if not pool.target_path or pool.type not in MAKING_POOLS:
        return ""
    return f"{pool.target_path.rstrip('/')}/{volume}"


def _mapped_place(facts: HostFacts, disk: DiskFacts, entry: MapEntry) -> Place | None:
    pool = find_pool_named(facts, entry.pool)
    if pool is None:
        return None
    name = entry.volume or name_of(disk)
    kind = "block" if pool.type in DEVICE_POOLS else "file"
    return Place(
        pool.name, name, path_in(pool, name), "volume" if disk.type == "volume" else kind, mapped=True
    )
