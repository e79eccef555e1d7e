"""Contents of volumes between a host and the spool (hosts.services.spool), with progress; both can be cancelled."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO, Final

from hosts.errors import HostError, OutcomeUnknown, Refused
from hosts.models import StorageOperation
from hosts.ports import Change
from hosts.services import spool
from hosts.services.storage_watch import Fenced, Watch
from hosts.storage_ports import Hole, Piece, StoragePort, VolumeOrder

PIECE_BYTES: Final = 256 * 1024
_ZEROS: Final = bytes(PIECE_BYTES)
# What has formats gets a raw file: libvirt finds out itself, at the next refresh, what the uploaded bytes are.
_WITH_FORMATS: Final = frozenset({"dir", "fs", "netfs", "vstorage", "gluster"})


def upload(operation: StorageOperation, storage: StoragePort, watch: Watch) -> Change:
    """The waiting file into the volume. A volume that was made for it is removed again when it did not arrive whole."""
    token, pool, name = str(operation.arguments_data["spool"]), operation.pool_name, operation.volume_name
    size = spool.size(token)
    if not size:
        raise Refused("The uploaded file is empty. Nothing was changed.", remedy="Choose another file.")
    created = bool(operation.arguments_data.get("create"))
    if created:
        _make(operation, storage, size)
    else:
        _refuse_too_small(operation, storage, size)
    watch.begin_bytes(size)
    try:
        with spool.open_reader(token) as file:
            # A volume that was there keeps its size, as with `virsh vol-upload`: only without a length it is filled up.
            length = size if created else 0
            storage.write_volume(pool, name, _pieces(file, watch, sparse=created), length=length)
    except Fenced:
        raise  # others have ended it: what bears that name by now may be theirs
    except BaseException:
        if created:
            _remove_half(storage, pool, name)
        raise
    watch.end_bytes()
    spool.remove(token)
    return Change(
        True, f"{size} bytes were written to {name}.{_refresh(storage, pool)}", {}, {"bytes": str(size)}
    )


def download(operation: StorageOperation, storage: StoragePort, watch: Watch) -> Change:
    """The volume into a waiting file, whose token is noted at once, so that nobody sweeps it away."""
    pool, name = operation.pool_name, operation.volume_name
    size = storage.read_size(pool, name)
    token = spool.create(operation.asked_by_id or 0, name, size)
    watch.note_arguments({**operation.arguments_data, "spool": token})
    watch.begin_bytes(size)
    try:
        with spool.open_writer(token) as file, storage.read_volume(pool, name) as pieces:
            _write_file(file, pieces, watch)
    except OSError as error:
        spool.remove(token)
        raise Refused(
            f"The server's spool folder did not take it: {error.strerror}. Nothing was changed on the host.",
            remedy="Make room there, or let VM_MIGRATE_SPOOL_DIR name a larger disk.",
        ) from error
    except BaseException:
        spool.remove(token)
        raise
    watch.end_bytes()
    return Change(True, f"{size} bytes of {name} are ready to be fetched.", {}, {"bytes": str(size)})


def _refresh(storage: StoragePort, pool: str) -> str:
    """What is to be said when the host cannot look at it now: another copy in the same pool forbids it."""
    try:
        storage.refresh_pool(pool)
    except HostError as error:
        return f" The pool could not be refreshed, so its format may be told wrong for now: {error.message}"
    return ""


def _make(operation: StorageOperation, storage: StoragePort, size: int) -> None:
    pool = storage.find_pool(operation.pool_name)
    form = "raw" if pool is not None and pool.facts.type in _WITH_FORMATS else ""
    if storage.find_volume(operation.pool_name, operation.volume_name) is not None:
        raise Refused(
            f"Pool {operation.pool_name} has a volume {operation.volume_name} already. Nothing was changed.",
            remedy="Choose another name, or upload into that volume.",
        )
    storage.make_volume(operation.pool_name, VolumeOrder(operation.volume_name, form, size))


def _remove_half(storage: StoragePort, pool: str, name: str) -> None:
    try:
        storage.delete_volume(pool, name)
    except HostError as error:
        raise OutcomeUnknown(
            f"The upload ended early, and volume {name}, half written, could not be removed: {error.message}",
            remedy=f"Delete volume {name} of pool {pool} when the host answers again.",
            libvirt_text=error.libvirt_text,
        ) from error


def _refuse_too_small(operation: StorageOperation, storage: StoragePort, size: int) -> None:
    volume = storage.find_volume(operation.pool_name, operation.volume_name)
    if volume is None:
        raise Refused(
            f"Pool {operation.pool_name} has no volume {operation.volume_name}. Nothing was changed.",
            remedy="Upload into a new volume.",
        )
    room = max(volume.capacity_bytes, volume.physical_bytes or 0)
    if size > room:
        raise Refused(
            f"The file has {size} bytes, the volume only {room}. Nothing was changed.",
            remedy="Upload into a new volume, or resize this one first.",
        )


def _pieces(file: BinaryIO, watch: Watch, *, sparse: bool) -> Iterator[Piece]:
    """`sparse`: the volume is new and reads as zeros, so that zeros need not be sent."""
    while chunk := file.read(PIECE_BYTES):
        watch.add_bytes(len(chunk))
        yield Hole(len(chunk)) if sparse and chunk == _ZEROS[: len(chunk)] else chunk


def _write_file(file: BinaryIO, pieces: Iterator[Piece], watch: Watch) -> None:
    """Holes stay holes in the waiting file; its end is set last, in case it ends with one."""
    for piece in pieces:
        if isinstance(piece, Hole):
            file.seek(piece.length, os.SEEK_CUR)
            watch.add_bytes(piece.length)
        else:
            file.write(piece)
            watch.add_bytes(len(piece))
    file.truncate(file.tell())
