"""The volumes of a move: made at the destination before libvirt is asked, removed again when it failed, and removed at
the source when it was asked for.

Each state is written before the host is asked (Migration.volumes_data), so that whoever takes over knows what may be
there. Only what this move made is removed, only when nobody uses it, and never while the outcome is unknown.
"""

from __future__ import annotations

import dataclasses
import logging
import shlex
from collections.abc import Iterable, Mapping
from typing import Any, Final

from hosts.errors import HostError, Refused
from hosts.facts.storage import VolumeFacts
from hosts.models import Host
from hosts.ports import HostPort
from hosts.services.connections import borrowed
from hosts.storage_ports import StoragePort, VolumeOrder
from jobs.engine.plan import Plan
from jobs.engine.volumes import PlannedVolume, VolumeState
from jobs.models import Migration
from jobs.options import Kind
from jobs.services import outcome
from jobs.services.offline_copy_places import open_there

log = logging.getLogger(__name__)

_OURS: Final = {
    VolumeState.CREATING,
    VolumeState.CREATED,
    VolumeState.COPIED,
    VolumeState.VERIFIED,
}
Sizes = Mapping[tuple[str, int], int]  # (target, layer) → bytes


def prepare(migration: Migration, plan: Plan, destination_port: HostPort, sizes: Sizes | None = None) -> None:
    """Make or take every planned volume, the lowest layer first. `sizes`: of those whose size the plan does not know
    for sure. Raises HostError; what was made until then is in volumes_data, for `remove_created`."""
    if not plan.volumes:
        return
    storage, sizes = destination_port.storage, sizes or {}
    migration.write(volumes_data=[_entry(volume) for volume in plan.volumes])
    for pool in dict.fromkeys(volume.pool for volume in plan.volumes):
        storage.refresh_pool(pool)
    for volume in sorted(plan.volumes, key=lambda volume: -volume.layer):
        size = sizes.get((volume.target, volume.layer), volume.capacity_bytes)
        _prepare_one(migration, plan, storage, dataclasses.replace(volume, capacity_bytes=size))


def mark(migration: Migration, target: str, layer: int, state: VolumeState, **facts: Any) -> None:
    """Write what becomes of one volume. Raises StaleTransition when the migration is in other hands."""
    data = [dict(entry) for entry in migration.volumes_data]
    for entry in data:
        if (entry["target"], entry["layer"]) == (target, layer):
            entry.update(facts, state=state.value)
    migration.write(volumes_data=data)


def remove_created(migration: Migration, destination: Host) -> tuple[str, ...]:
    """Remove what this move made at the destination; sentences about what could not be. Only for a move that is known
    not to have happened."""
    entries = [entry for entry in migration.volumes_data if VolumeState(entry["state"]) in _OURS]
    if not entries:
        return ()
    try:
        with borrowed(destination) as connection:
            ordered = sorted(entries, key=lambda entry: int(entry["layer"]))
            return tuple(
                filter(None, [_remove_one(migration, connection.storage, entry) for entry in ordered])
            )
    except HostError as error:
        return tuple(_leave(migration, entry, error.message) for entry in _still_ours(migration))


def remove_source(migration: Migration, plan: Plan, source: Host) -> tuple[str, ...]:
    """Remove the source's disks that were copied; sentences about what could not be. Only for a guest that was
    verified at the destination."""
    leftovers = []
    for volume in sorted(plan.volumes, key=lambda volume: volume.layer):
        try:
            with borrowed(source) as connection:
                _remove_at_source(migration, connection.storage, volume, source.name)
        except HostError as error:
            leftovers.append(f"{volume.source_path} was kept on {source.name}: {error.message}")
    return tuple(leftovers)


def _entry(volume: PlannedVolume) -> dict[str, Any]:
    return dataclasses.asdict(volume) | {"state": VolumeState.PLANNED.value}


def _prepare_one(migration: Migration, plan: Plan, storage: StoragePort, volume: PlannedVolume) -> None:
    found = storage.find_volume(volume.pool, volume.name)
    if volume.reuse:
        _take(migration, storage, volume, found)
        return
    where = f"The pool {volume.pool} on {migration.destination_name}"
    if found is not None:
        raise Refused(
            f"{where} already has a volume named {volume.name}.",
            remedy="Give the disk another name there, or choose to use volumes that are there already.",
        )
    if not volume.capacity_bytes:
        raise Refused(
            f"The size of {volume.shown} is not known.",
            remedy=f"Refresh {migration.source_name} and try again.",
        )
    mark(migration, volume.target, volume.layer, VolumeState.CREATING, capacity_bytes=volume.capacity_bytes)
    storage.make_volume(volume.pool, _order(volume))
    made = storage.find_volume(volume.pool, volume.name)
    if made is None:
        raise HostError(f"{where} does not show the volume {volume.name} that it just made.")
    mark(migration, volume.target, volume.layer, VolumeState.CREATED, path=made.path)
    _check_made(plan, volume, made)
    outcome.note(migration, f"Made {volume.name} in the pool {volume.pool} on {migration.destination_name}.")


def _order(volume: PlannedVolume) -> VolumeOrder:
    return VolumeOrder(
        name=volume.name,
        format=volume.format,
        capacity_bytes=volume.capacity_bytes,
        backing_path=volume.backing_path,
        backing_format=volume.backing_format,
    )


def _check_made(plan: Plan, volume: PlannedVolume, made: VolumeFacts) -> None:
    """QEMU copies between images of one size only; a volume group gives whole extents."""
    if made.capacity_bytes == volume.capacity_bytes:
        return
    if plan.options.kind is Kind.OFFLINE and made.capacity_bytes > volume.capacity_bytes:
        return
    raise Refused(
        f"The pool {volume.pool} made {volume.name} with {made.capacity_bytes} bytes instead of "
        f"{volume.capacity_bytes}; a running guest's disk is copied between equal sizes only.",
        remedy="Choose a pool of files for this disk, or enlarge it to whole extents of the volume group first.",
    )


def _take(
    migration: Migration, storage: StoragePort, volume: PlannedVolume, found: VolumeFacts | None
) -> None:
    """One that is there already. What is in it is written over, so no other guest may use it; a base that an offline
    move only compares may have others built on it."""
    words = f"{volume.name} in the pool {volume.pool} on {migration.destination_name}"
    if found is None:
        raise Refused(f"{words} is no longer there.", remedy="Start the move again: it will be made.")
    if problem := find_misfit(volume, found):
        raise Refused(
            f"{words} cannot be used: {problem}.", remedy="Remove it, or give the disk another name there."
        )
    compared = migration.kind == Kind.OFFLINE and volume.layer > 0
    if not compared and (users := _others(migration, storage, found.path)):
        raise Refused(f"{words} is used by {', '.join(users)}.", remedy="Give the disk another name there.")
    mark(migration, volume.target, volume.layer, VolumeState.REUSED, path=found.path)
    outcome.note(migration, f"Uses {words}, which was there already.")


def find_misfit(volume: PlannedVolume, found: VolumeFacts) -> str:
    """Why an existing volume is not the planned one, "" when it is."""
    if volume.format and found.format != volume.format:
        return f"it is {found.format or 'of no known format'}, not {volume.format}"
    if found.capacity_bytes != volume.capacity_bytes:
        return f"it has {found.capacity_bytes} bytes, not {volume.capacity_bytes}"
    if found.backing_path != volume.backing_path:
        return f"it is built on {found.backing_path or 'nothing'}, not on {volume.backing_path or 'nothing'}"
    return ""


def _remove_one(migration: Migration, storage: StoragePort, entry: dict[str, Any]) -> str:
    """The sentence of the leftover, "" when nothing is left."""
    target, layer, name = str(entry["target"]), int(entry["layer"]), str(entry["name"])
    try:
        with open_there(storage, str(entry["pool"]), str(entry["path"])) as pool:
            storage.refresh_pool(pool)
            found = storage.find_volume(pool, name)
            if found is None:
                mark(migration, target, layer, VolumeState.REMOVED)
                return ""
            if reason := _why_keep(migration, storage, entry, found):
                return _leave(migration, entry, reason)
            # Written before, though it says nothing new: who was taken over stops here, and deletes nothing of the
            # next worker's.
            mark(migration, target, layer, VolumeState(entry["state"]))
            storage.delete_volume(pool, name)
    except HostError as error:
        return _leave(migration, entry, error.message)
    mark(migration, target, layer, VolumeState.REMOVED)
    where = f"the pool {entry['pool']}" if entry["pool"] else str(entry["path"]).rpartition("/")[0]
    outcome.note(migration, f"Removed {name} from {where} on {migration.destination_name}.")
    return ""


def _why_keep(migration: Migration, storage: StoragePort, entry: dict[str, Any], found: VolumeFacts) -> str:
    """ "" for what is surely ours and unused. Of one that was about to be made nobody saw that it was: only its place,
    which was empty a moment before, and its size speak for it."""
    if users := _others(migration, storage, found.path):
        return f"it is used by {', '.join(users)}."
    if entry["state"] != VolumeState.CREATING.value:
        return ""
    if found.capacity_bytes != entry["capacity_bytes"] or (
        entry["format"] and found.format != entry["format"]
    ):
        return "nobody can tell whether this move made it."
    return ""


def _others(migration: Migration, storage: StoragePort, path: str) -> list[str]:
    """Guests there that use it. A definition that the guest had there before the move is its own."""
    users = {name for _, name in storage.find_users([path])}
    if migration.plan_data.get("destination_defined_before"):
        users.discard(migration.guest_name)
    return sorted(users)


def _still_ours(migration: Migration) -> Iterable[dict[str, Any]]:
    return [entry for entry in migration.volumes_data if VolumeState(entry["state"]) in _OURS]


def _leave(migration: Migration, entry: dict[str, Any], reason: str) -> str:
    pool, name = str(entry["pool"]), str(entry["name"])
    mark(migration, str(entry["target"]), int(entry["layer"]), VolumeState.LEFT)
    what, by_hand = f"The volume {name} in the pool {pool}", ["virsh vol-delete --pool", pool, name]
    if not pool:  # UEFI variables: their folder is no pool
        what, by_hand = f"The file {entry['path']}", ["rm", str(entry["path"])]
    command = " ".join((by_hand[0], *map(shlex.quote, by_hand[1:])))
    return (
        f"{what} on {migration.destination_name} was made for this move and is still there: {reason} When nothing "
        f"uses it: {command}"
    )


def _remove_at_source(migration: Migration, storage: StoragePort, volume: PlannedVolume, host: str) -> None:
    folder, _, name = volume.source_path.rpartition("/")
    if not folder.startswith("/"):
        _delete_at_source(migration, storage, folder, name, host)
        return
    if folder.startswith("/dev"):
        _delete_at_source(migration, storage, _pool_of_devices(storage, folder), name, host)
        return
    with storage.folder_pool(folder) as pool:
        _delete_at_source(migration, storage, pool, name, host)


def _pool_of_devices(storage: StoragePort, folder: str) -> str:
    """Taking a device's node away would free nothing: only its volume group can remove it."""
    for reading in storage.read_pools():
        if reading.facts.active and reading.facts.target_path.rstrip("/") == folder:
            return reading.facts.name
    raise Refused(f"no active storage pool there has the devices of {folder}.")


def _delete_at_source(migration: Migration, storage: StoragePort, pool: str, name: str, host: str) -> None:
    storage.refresh_pool(pool)
    reading, found = storage.find_pool(pool), storage.find_volume(pool, name)
    if found is None:
        raise Refused(f"the pool {pool} there does not show it.")
    if reading is not None and reading.facts.shared_by_nature:
        raise Refused("it lies on storage that other hosts share; remove it by hand when no guest needs it.")
    if users := sorted({user for _, user in storage.find_users([found.path])}):
        raise Refused(f"it is used by {', '.join(users)}.")
    storage.delete_volume(pool, name)
    outcome.note(migration, f"Removed {found.path} from {host}.")
