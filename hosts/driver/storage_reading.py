"""Contents of volumes, read as streams: pieces in their order, holes told as holes.

A stream of libvirt has no brake: what the host sends faster than it is used piles up in our memory, a whole volume
of it (measured). So a volume is read through windows, each a stream of its own, and the next one is opened while the
last is being used: never more than two are under way.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import libvirt

from hosts.driver.errors import is_code
from hosts.driver.storage_finding import asking, get_volume
from hosts.driver.storage_pools import is_unknown_flag
from hosts.errors import OperationFailed
from hosts.storage_ports import Hole, Piece

# What a host puts into one packet of a stream (measured): smaller pieces cost more packets.
PIECE_BYTES: Final = 256 * 1024
# Large against what is under way on a long line (1 Gbit/s over 100 ms: 12 MiB), small against memory.
WINDOW_BYTES: Final = 16 * 1024 * 1024
_AT_HOLE: Final = -3
_SPARSE: Final = libvirt.VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM


@contextmanager
def read_volume(
    virt: Any, host: str, pool: str, name: str, offset: int, length: int
) -> Iterator[Iterator[Piece]]:
    volume = get_volume(virt, host, pool, name)
    source = _Source(virt, volume, host, f"read the contents of {name} in the pool {pool}")
    with asking(host, source.doing):
        size = volume_size(volume)
    end = min(size, offset + length) if length else size
    pieces = _read(source, offset, end)
    try:
        yield pieces
    finally:
        pieces.close()  # aborts what is still open


def read_size(virt: Any, host: str, pool: str, name: str) -> int:
    volume = get_volume(virt, host, pool, name)
    with asking(host, f"read the size of {name}"):
        return volume_size(volume)


def volume_size(volume: Any) -> int:
    """Of the file, where it is one; a device has the size the guest sees. Raises libvirtError."""
    try:
        kind, capacity, physical = volume.infoFlags(libvirt.VIR_STORAGE_VOL_GET_PHYSICAL)
    except libvirt.libvirtError as error:
        # REQUIRED_FOR: libvirt < 3.0, which does not know the flag.
        if not is_unknown_flag(error):
            raise
        kind, capacity, physical = volume.info()[0], volume.info()[1], volume.info()[1]
    return int(physical if kind == libvirt.VIR_STORAGE_VOL_FILE else capacity)


def has_no_holes(error: libvirt.libvirtError) -> bool:
    """Whether a host refuses streams with holes, so that one without is to be tried."""
    # REQUIRED_FOR: libvirt < 3.4, and storage whose driver cannot tell holes.
    refused = ("OPERATION_UNSUPPORTED", "ARGUMENT_UNSUPPORTED", "NO_SUPPORT", "OPERATION_INVALID")
    return is_unknown_flag(error) or is_code(error, *refused)


@dataclass(slots=True)
class _Source:
    virt: Any
    volume: Any
    host: str
    doing: str
    sparse: bool = True

    def open(self, start: int, stop: int) -> _Window:
        with asking(self.host, self.doing):
            return _Window(self, self._download(start, stop - start), start, stop)

    def _download(self, offset: int, length: int) -> Any:
        stream = self.virt.newStream(0)
        try:
            self.volume.download(stream, offset, length, _SPARSE if self.sparse else 0)
        except libvirt.libvirtError as error:
            if not (self.sparse and has_no_holes(error)):
                raise
            self.sparse = False
            return self._download(offset, length)
        return stream


@dataclass(slots=True)
class _Window:
    """A part of the volume under way."""

    source: _Source
    stream: Any
    position: int
    stop: int
    data_bytes: int = 0  # received, without holes
    at_hole: bool = False  # whether the last piece was one

    def receive(self) -> Piece | None:
        """The next piece, None at the end of the window."""
        with asking(self.source.host, self.source.doing):
            piece = self._receive()
        if piece is None:
            self._check_end()
            return None
        self.at_hole = isinstance(piece, Hole)
        length = piece.length if isinstance(piece, Hole) else len(piece)
        self.position += length
        self.data_bytes += 0 if self.at_hole else length
        return piece

    def close(self) -> None:
        """Harmless on a stream that has failed or ended already."""
        with suppress(libvirt.libvirtError):
            self.stream.abort()

    def _receive(self) -> Piece | None:
        if not self.source.sparse:
            got = self.stream.recv(PIECE_BYTES)
        else:
            got = self.stream.recvFlags(PIECE_BYTES, libvirt.VIR_STREAM_RECV_STOP_AT_HOLE)
        if got == _AT_HOLE:
            return Hole(self.stream.recvHole())
        if got:
            return bytes(got)
        self.stream.finish()
        return None

    def _check_end(self) -> None:
        if self.position != self.stop:
            raise OperationFailed(
                f"{self.source.host} could not {self.source.doing}: it ended at {self.position} bytes, "
                f"before {self.stop}.",
                remedy="Somebody changes the volume while it is read. Shut its guest off, then try again.",
            )


def _read(source: _Source, position: int, end: int) -> Generator[Piece]:
    ahead: _Window | None = None
    window: _Window | None = None
    try:
        while position < end:
            window, ahead = ahead or source.open(position, min(position + WINDOW_BYTES, end)), None
            while (piece := window.receive()) is not None:
                if ahead is None and window.data_bytes > WINDOW_BYTES // 2 and window.stop < end:
                    ahead = source.open(window.stop, min(window.stop + WINDOW_BYTES, end))
                yield piece
            position = window.stop
            if ahead is None and window.at_hole and position < end:
                hole = _rest_of_hole(source, position, end)
                position += hole.length
                if hole.length:
                    yield hole
    finally:
        for opened in filter(None, (window, ahead)):
            opened.close()


def _rest_of_hole(source: _Source, position: int, end: int) -> Hole:
    """How far a hole goes on: a host tells it at once, however long it is, where windows would take thousands."""
    window = source.open(position, end)
    try:
        first = window.receive()
    finally:
        window.close()
    return first if isinstance(first, Hole) else Hole(0)
