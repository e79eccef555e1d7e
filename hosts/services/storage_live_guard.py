"""The guard once more, by the worker, of the host itself: what is stored may be half a minute old."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from hosts.errors import OperationFailed, Refused
from hosts.facts.domain import ACTIVE_STATES
from hosts.facts.storage import PoolFacts
from hosts.models import StorageOperation
from hosts.ports import HostPort
from hosts.services.pool_plan import FOLDER_TYPES
from hosts.services.storage_guard import is_confirmed
from hosts.services.storage_kinds import OperationKind, StorageRefused

K = OperationKind
_CHANGES_CONTENTS: Final = frozenset({K.VOLUME_UPLOAD, K.VOLUME_WIPE, K.VOLUME_DELETE})


def refuse_hurting_live(operation: StorageOperation, connection: HostPort) -> None:
    """Raises StorageRefused. Nothing was changed."""
    kind = K(operation.kind)
    if kind is K.STOP and not is_confirmed(operation):
        refuse_used_by_running(operation, connection)
    elif kind is K.UNDEFINE and not is_confirmed(operation):
        _refuse_used(operation, live_users(operation, connection))
    elif kind is K.DELETE:
        _refuse_used(operation, live_users(operation, connection))
        _refuse_full(operation, connection)
    elif kind is K.VOLUME_RESIZE:
        _refuse_used(operation, _running(connection, _users_of_volume(operation, connection)))
    elif kind in _CHANGES_CONTENTS:
        _refuse_used(operation, _users_of_volume(operation, connection))


def refuse_used_by_running(operation: StorageOperation, connection: HostPort) -> None:
    """Before a pool is stopped that nobody said may be stopped under its guests."""
    users = _running(connection, live_users(operation, connection))
    if users:
        raise StorageRefused(
            f"Running guests on {operation.host.name} use pool {operation.pool_name}: {_tell(users)}. Stopping it may "
            "take their disks away. Nothing was changed.",
            "Shut them down or move them first; or type the pool's name to do it all the same.",
        )


def live_users(operation: StorageOperation, connection: HostPort) -> tuple[str, ...]:
    """Names of the guests here that use a volume of the pool. A pool that is not active tells no volumes."""
    reading = connection.storage.find_pool(operation.pool_name)
    if reading is None or not reading.facts.active:
        return ()
    # A volume made beside libvirt counts, too; a pool that is busy cannot be looked at anew.
    with suppress(OperationFailed, Refused):
        connection.storage.refresh_pool(operation.pool_name)
    volumes = connection.storage.read_volumes(operation.pool_name)
    return _names(connection, [volume.path for volume in volumes])


def _users_of_volume(operation: StorageOperation, connection: HostPort) -> tuple[str, ...]:
    volume = connection.storage.find_volume(operation.pool_name, operation.volume_name)
    return () if volume is None else _names(connection, [volume.path])


def _names(connection: HostPort, paths: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(guest for _, guest in connection.storage.find_users(paths)))


def _running(connection: HostPort, names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        return ()
    active = {guest.name for guest in connection.read_guests() if guest.status.state in ACTIVE_STATES}
    return tuple(name for name in names if name in active)


def _refuse_used(operation: StorageOperation, users: tuple[str, ...]) -> None:
    if users:
        thing = f"Volume {operation.volume_name}" if operation.volume_name else f"Pool {operation.pool_name}"
        raise StorageRefused(
            f"{thing} is in use on {operation.host.name} by {_tell(users)}. Nothing was changed.",
            "Remove the disk from these guests, or the guests, first.",
        )


def _refuse_full(operation: StorageOperation, connection: HostPort) -> None:
    """A folder goes only when it is empty; a volume group goes with all that is in it, so it is looked at now."""
    storage, name = connection.storage, operation.pool_name
    reading = storage.find_pool(name)
    if reading is None:
        return
    if not reading.facts.active:
        _refuse_unseen(operation, reading.facts)
        return
    storage.refresh_pool(name)  # what was made beside libvirt is not known to it until then
    volumes = storage.read_volumes(name)
    if volumes:
        raise StorageRefused(
            f"Pool {name} still holds {len(volumes)} volumes. Nothing was changed.",
            "Delete them first, or only stop the pool and remove its definition.",
        )
    # libvirt leaves out thin pools, and volumes that are active on another host only.
    if reading.facts.type == "logical" and _allocated(connection, name):
        raise StorageRefused(
            f"The volume group of pool {name} holds volumes that libvirt does not show. Nothing was changed.",
            "See what they are on the host: lvs. Or only stop the pool and remove its definition.",
        )


def _refuse_unseen(operation: StorageOperation, facts: PoolFacts) -> None:
    if facts.type not in FOLDER_TYPES:
        raise StorageRefused(
            f"Pool {operation.pool_name} is not active on {operation.host.name}, so that what lies in it cannot be "
            "seen, and deleting it deletes that. Nothing was changed.",
            "Start the pool, then delete it: it is stopped on the way, if it is empty.",
        )


def _allocated(connection: HostPort, name: str) -> int:
    reading = connection.storage.find_pool(name)
    return 0 if reading is None else reading.facts.allocation_bytes


def _tell(names: tuple[str, ...]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
