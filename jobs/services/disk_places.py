"""The dialog's part about disks that are copied: for each where it can go at the chosen destination."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from hosts.facts.domain import DiskFacts
from hosts.facts.host import HostFacts
from hosts.facts.storage import PoolFacts
from hosts.models import Guest, Host
from jobs.options import MoveOptions, Storage
from jobs.options.storage_map import MapEntry
from jobs.preflight.disks import copied_disks
from jobs.preflight.places import DEVICE_POOLS, FILE_POOLS, find_mapping, name_of
from jobs.services.stored import Stored


@dataclass(frozen=True, slots=True)
class PoolChoice:
    """One pool of the destination. `available_bytes` None: a choice that is not there."""

    name: str
    available_bytes: int | None
    chosen: bool


@dataclass(frozen=True, slots=True)
class DiskPlace:
    """One copied disk. Without a chosen pool it goes to the same pool and path."""

    target: str
    shown: str
    size_bytes: int | None
    own_name: str
    name: str
    pools: tuple[PoolChoice, ...]


@dataclass(frozen=True, slots=True)
class Places:
    """`key` says for which destination and storage they are: the fields of another one are made anew, those of the
    same are left to the person who types in them."""

    key: str
    disks: tuple[DiskPlace, ...] = ()


def list_places(stored: Stored, guest: Guest, destination: Host | None, options: MoveOptions) -> Places:
    """From stored readings."""
    if destination is None or options.storage is Storage.SHARED:
        return Places("")
    facts, pair = stored.side(destination).facts, stored.pair(guest, destination)
    sizes = pair.disk_capacity_data if pair is not None else {}
    disks = copied_disks(stored.reading(guest).facts, options)
    places = tuple(_place(disk, facts, options, sizes.get(disk.target)) for disk in disks)
    return Places(_key(destination, options, places), places)


def _key(destination: Host, options: MoveOptions, places: tuple[DiskPlace, ...]) -> str:
    """Short, whatever the names are. What is free in a pool changes all the time and is no part of it."""
    if not places:
        return ""
    names = [[disk.target, *sorted(pool.name for pool in disk.pools)] for disk in places]
    return f"{destination.pk} {options.storage} {hashlib.sha256(json.dumps(names).encode()).hexdigest()[:16]}"


def _place(
    disk: DiskFacts, facts: HostFacts | None, options: MoveOptions, size_bytes: int | None
) -> DiskPlace:
    entry = find_mapping(disk, options)
    shown = disk.source_path or disk.network_source or f"{disk.pool}/{disk.volume}"
    pools = _pools(facts, disk, entry)
    return DiskPlace(disk.target, shown, size_bytes, name_of(disk), entry.volume if entry else "", pools)


def _pools(facts: HostFacts | None, disk: DiskFacts, entry: MapEntry | None) -> tuple[PoolChoice, ...]:
    chosen = entry.pool if entry is not None else ""
    fitting = [pool for pool in (facts.pools if facts is not None else ()) if _fits(pool, disk)]
    fitting.sort(key=lambda pool: (-pool.available_bytes, pool.name))
    choices = [PoolChoice(pool.name, pool.available_bytes, pool.name == chosen) for pool in fitting]
    if chosen and not any(choice.chosen for choice in choices):
        choices.append(PoolChoice(chosen, None, chosen=True))
    return tuple(choices)


def _fits(pool: PoolFacts, disk: DiskFacts) -> bool:
    raw = disk.format in {"", "raw"}
    return pool.active and (pool.type in FILE_POOLS or (raw and pool.type in DEVICE_POOLS))
