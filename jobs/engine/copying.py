"""The arithmetic of carrying volumes from host to host: checksums, pace, progress, what to copy and what to keep. Pure.

A volume is copied as the bytes of its file, not as the guest sees it: a qcow2 stays the same qcow2.
"""

from __future__ import annotations

import enum
import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from hosts.facts.jobstats import JobStats
from hosts.storage_ports import Hole, Piece
from jobs.engine.progress import DiskCopy
from jobs.engine.volumes import VolumeState

ZEROS: Final = bytes(1024 * 1024)
HOLE_AT_ONCE_BYTES: Final = 64 * 1024 * 1024
RATE_OVER_MS: Final = 5000  # a hole of gigabytes passes in no time: one sample alone says nothing of the rate
MIB: Final = 1024 * 1024


class Fingerprint:
    """SHA-256 over the contents as anybody reads them, holes as zeros: what `sha256sum` says of the file. `data_bytes`:
    without the holes."""

    def __init__(self) -> None:
        self.length = 0
        self.data_bytes = 0
        self._hash = hashlib.sha256()

    def add(self, piece: Piece) -> None:
        for part in _as_bytes(piece):
            self._hash.update(part)
        self.length += length_of(piece)
        self.data_bytes += 0 if isinstance(piece, Hole) else len(piece)

    @property
    def text(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


def length_of(piece: Piece) -> int:
    return piece.length if isinstance(piece, Hole) else len(piece)


def split_holes(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """The same contents; a hole of terabytes comes in parts, so that a copy can be stopped in the middle of it."""
    for piece in pieces:
        left = piece.length if isinstance(piece, Hole) else 0
        while left > HOLE_AT_ONCE_BYTES:
            yield Hole(HOLE_AT_ONCE_BYTES)
            left -= HOLE_AT_ONCE_BYTES
        yield Hole(left) if isinstance(piece, Hole) else piece


def _as_bytes(piece: Piece) -> Iterator[bytes | memoryview]:
    if not isinstance(piece, Hole):
        yield piece
        return
    left = piece.length
    while left > 0:
        step = min(left, len(ZEROS))
        yield memoryview(ZEROS)[:step]
        left -= step


class Next(enum.StrEnum):
    """What is left to do for one volume of a copy that begins, or begins again."""

    KEEP = "keep"  # whole and verified
    COMPARE = "compare"  # it was there already: it must hold the same
    COPY = "copy"  # from the start


@dataclass(frozen=True, slots=True)
class Origin:
    """The source's file as it was when it was read. A copy is worth nothing once the file has changed."""

    size_bytes: int
    modified_at: str  # "" where the pool tells none


def decide_next(state: VolumeState, was: Origin | None, now: Origin) -> Next:
    """A half-written volume is written anew from its start: what the last worker's stream still had under way when the
    worker died is not known."""
    if state is VolumeState.REUSED:
        return Next.COMPARE
    return Next.KEEP if state is VolumeState.VERIFIED and was == now else Next.COPY


class Pace:
    """Keeps a copy at `mib_per_s` (None: as fast as it goes). Holes are not sent and cost nothing."""

    def __init__(self, mib_per_s: int | None, started_s: float) -> None:
        self._bytes_per_s = None if mib_per_s is None else mib_per_s * MIB
        self._free_at_s = started_s

    def wait_s(self, piece: Piece, now_s: float) -> float:
        """How long to wait before this piece is sent, in seconds."""
        if self._bytes_per_s is None or isinstance(piece, Hole):
            return 0.0
        begin = max(self._free_at_s, now_s)
        self._free_at_s = begin + len(piece) / self._bytes_per_s
        return begin - now_s


@dataclass(slots=True)
class Tally:
    """How far one volume is, in bytes. Reading back counts like copying: it takes its time, too."""

    target: str
    size_bytes: int
    copied_bytes: int = 0
    compared_bytes: int = 0

    @property
    def total_bytes(self) -> int:
        return self.size_bytes * 2

    @property
    def done_bytes(self) -> int:
        return min(self.copied_bytes + self.compared_bytes, self.total_bytes)

    def copy(self, size_bytes: int) -> None:
        self.copied_bytes += size_bytes

    def compare(self, size_bytes: int) -> None:
        self.compared_bytes += size_bytes


@dataclass(slots=True)
class CopyProgress:
    """All volumes of a move together, as statistics of the kind that libvirt gives of a move."""

    tallies: list[Tally] = field(default_factory=list)
    _seen: deque[tuple[int, int]] = field(default_factory=deque)

    def read(self, elapsed_ms: int) -> JobStats:
        total = sum(tally.total_bytes for tally in self.tallies)
        done = sum(tally.done_bytes for tally in self.tallies)
        return JobStats(
            type="unbounded",
            operation="migration-out",
            time_elapsed_ms=elapsed_ms,
            data_total_bytes=total,
            data_processed_bytes=done,
            data_remaining_bytes=total - done,
            disk_total_bytes=total,
            disk_processed_bytes=done,
            disk_remaining_bytes=total - done,
            disk_bytes_per_s=self._rate(done, elapsed_ms),
        )

    def by_disk(self) -> tuple[DiskCopy, ...]:
        """A disk's layers together."""
        found: dict[str, DiskCopy] = {}
        for tally in self.tallies:
            one = found.get(tally.target, DiskCopy(tally.target, 0, 0))
            done, total = one.done_bytes + tally.done_bytes, one.total_bytes + tally.total_bytes
            found[tally.target] = DiskCopy(tally.target, done, total)
        return tuple(found.values())

    def _rate(self, done: int, elapsed_ms: int) -> int | None:
        """Over the last seconds; None before there are two readings."""
        self._seen.append((elapsed_ms, done))
        while len(self._seen) > 2 and self._seen[0][0] < elapsed_ms - RATE_OVER_MS:
            self._seen.popleft()
        first_ms, first = self._seen[0]
        if elapsed_ms <= first_ms:
            return None
        return max(done - first, 0) * 1000 // (elapsed_ms - first_ms)


def find_size_problem(source_bytes: int, there_bytes: int, format_name: str, *, device: bool) -> str:
    """Why a copy of this size would not be the same to the guest, "" when it is. A device is rounded up by its pool,
    and a qcow2 says inside how large it is; a longer raw file would be a larger disk."""
    if there_bytes < source_bytes:
        return f"it is {there_bytes} bytes long, {source_bytes} are needed"
    if there_bytes > source_bytes and format_name in {"", "raw"} and not device:
        return f"it is {there_bytes} bytes long instead of {source_bytes}"
    return ""
