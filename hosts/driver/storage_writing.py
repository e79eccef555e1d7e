"""Contents of volumes, written as streams: pieces in their order, holes kept as holes.

Blocking: a call returns when the host has taken the piece, so a slow host slows the writer down, and one that is dead
ends it with the connection's keepalive. Reading and writing may go on in different threads, over one connection each.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import libvirt

from hosts.driver.changes import LOOK_AT_LOG, proving
from hosts.driver.storage_finding import asking, get_volume, storing
from hosts.driver.storage_reading import PIECE_BYTES, has_no_holes, volume_size
from hosts.driver.storage_users import refuse_used
from hosts.errors import OperationFailed
from hosts.facts.storage import parse_volume
from hosts.storage_ports import Hole, Piece

_ZEROS: Final = bytes(PIECE_BYTES)
_SPARSE: Final = libvirt.VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM


@dataclass(frozen=True, slots=True)
class Target:
    pool: str
    name: str
    offset: int
    length: int


def write_volume(virt: Any, host: str, target: Target, pieces: Iterable[Piece]) -> int:
    """What the volume held from the offset on is replaced. A file ends where the writing ends; a raw one is filled up
    with a hole to the size it had. Refused while a running guest uses it."""
    volume = get_volume(virt, host, target.pool, target.name)
    refuse_used(virt, host, str(volume.path()), "written", running_only=True)
    doing = f"write the contents of {target.name} in the pool {target.pool}"
    with storing(host, doing):
        writer = _open_upload(virt, volume, target)
    try:
        written = _write_all(writer, host, doing, pieces)
    except BaseException:
        writer.abort()
        raise
    _check_end(virt, host, target, volume, writer)
    return written


class _Writer:
    """One upload. `written` counts holes too."""

    def __init__(self, stream: Any, *, sparse: bool, fill_bytes: int) -> None:
        self._stream = stream
        self._sparse = sparse  # the file was cut off before, so that holes are empty
        self._dirty = sparse  # whether the first byte may still be that of before
        self._fill_bytes = fill_bytes
        self.written = 0

    def put(self, piece: Piece) -> None:
        if isinstance(piece, Hole):
            self._skip(piece.length)
            return
        for start in range(0, len(piece), PIECE_BYTES):
            self._send(piece if len(piece) <= PIECE_BYTES else piece[start : start + PIECE_BYTES])

    def finish(self) -> None:
        if self.written < self._fill_bytes:
            self._skip(self._fill_bytes - self.written)
        self._stream.finish()

    def missing_bytes(self, end: int) -> int:
        """Of a file that ends here, counted from where the writing began. What it should hold is only known of one
        that was cut off before."""
        return max(0, self.written - end) if self._sparse else 0

    def abort(self) -> None:
        """Harmless on a stream that has failed or ended already."""
        with suppress(libvirt.libvirtError):
            self._stream.abort()

    def _send(self, data: bytes) -> None:
        while data:
            sent = self._stream.send(data)
            self.written += sent
            data = data[sent:]
            self._dirty = False

    def _skip(self, length: int) -> None:
        if self._dirty and length > 0:
            self._send(b"\0")
            length -= 1
        if self._sparse and length > 0:
            self._stream.sendHole(length)
            self.written += length
            return
        while length > 0:
            self._send(_ZEROS[:length])
            length -= min(length, PIECE_BYTES)


def _write_all(writer: _Writer, host: str, doing: str, pieces: Iterable[Piece]) -> int:
    """Where the pieces come from another host, its errors are its own: they are not told as this host's."""
    for piece in pieces:
        with storing(host, doing):
            writer.put(piece)
    written = writer.written
    with storing(host, doing):
        writer.finish()
    return written


def _check_end(virt: Any, host: str, target: Target, volume: Any, writer: _Writer) -> None:
    """libvirt 9.0 now and then reports success for an upload whose last write failed (1 in 60 with a full file system,
    measured): the file itself is asked how far it goes."""
    doing = f"write the contents of {target.name} in the pool {target.pool}"
    with proving(host, doing), asking(host, doing):
        missing = writer.missing_bytes(volume_size(volume) - target.offset)
        if not missing:
            return
        pool = virt.storagePoolLookupByName(target.pool)
        pool.refresh(0)
        available = int(pool.info()[3])
    full = "The storage there is full. " if available < missing else ""
    raise OperationFailed(
        f"{host} could not {doing}: {full}It said that all was written, but the file lacks {missing} bytes.",
        remedy="Make room in the pool, then try again." if full else LOOK_AT_LOG,
    )


def _open_upload(virt: Any, volume: Any, target: Target) -> _Writer:
    """A hole is sent by moving on in the file, so that what lay there would stay: the file is cut off before."""
    is_file = volume.info()[0] == libvirt.VIR_STORAGE_VOL_FILE
    size = volume_size(volume)
    fill_bytes = size - target.offset if is_file and not target.length and _is_raw(volume) else 0
    emptied = is_file and _cut_off(virt, volume, target.offset, size)
    stream = virt.newStream(0)
    volume.upload(stream, target.offset, target.length, _SPARSE if emptied else 0)
    return _Writer(stream, sparse=emptied, fill_bytes=fill_bytes)


def _cut_off(virt: Any, volume: Any, offset: int, size: int) -> bool:
    """Behind the first byte after `offset`: libvirt shortens a file only where a hole ends. False: this host knows no
    holes, nothing was done."""
    stream = virt.newStream(0)
    try:
        volume.upload(stream, offset, 0, _SPARSE)
    except libvirt.libvirtError as error:
        if has_no_holes(error):
            return False
        raise
    if size > offset:
        stream.sendHole(1)
    stream.finish()
    return True


def _is_raw(volume: Any) -> bool:
    return parse_volume(volume.XMLDesc(0), pool="").format in {"", "raw"}
