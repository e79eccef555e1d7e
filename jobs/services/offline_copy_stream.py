"""Runs the streams of a copy in threads of their own, while the worker's thread looks after the move.

The threads know no database. Whatever goes wrong in one of them, or is found out by the look, stops them all.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from hosts.errors import HostError, OutcomeUnknown
from hosts.storage_ports import Piece, StoragePort
from jobs.engine.copying import Fingerprint, Pace, Tally, length_of, split_holes

LOOK_EVERY_S: Final = 0.25
# A worker that was stopped and wakes up sends nothing before it has looked whether the move still is its own; its
# lease holds 60 s.
LOOKED_WITHIN_S: Final = 20.0
PIECES_WAITING: Final = 64  # of 256 KiB: 16 MiB between the two hosts
# A stream that waits for a lost host is ended by its connection's keepalive after 9 s.
ENDS_WITHIN_S = 30.0
_END: Final = None


class Stopped(Exception):
    """Another thread, or the look, has ended this copy; that one's error is the one to tell."""


class Crew:
    """Threads that work on one volume. `look` is called in the caller's thread several times a second and raises to
    stop them."""

    def __init__(self, look: Callable[[], None]) -> None:
        self._look = look
        self._stop = threading.Event()
        self._ended = threading.Semaphore(0)
        self._looked_at = time.monotonic()
        self._errors: list[BaseException] = []

    def run(self, *jobs: Callable[[], Any]) -> None:
        """Until all have ended. Raises the first error of a job, or what the look raised."""
        threads = [threading.Thread(target=self._work, args=(job,), daemon=True, name="copy") for job in jobs]
        for thread in threads:
            thread.start()
        try:
            left = len(threads)
            while left and not self._stop.is_set():
                left -= self._ended.acquire(timeout=LOOK_EVERY_S)
                self._look()
                self._looked_at = time.monotonic()
        finally:
            self._stop.set()
            _join(threads)
        if self._errors:
            raise self._errors[0]

    def checked(self, pieces: Iterable[Piece]) -> Iterator[Piece]:
        for piece in pieces:
            self.refuse_stopped()
            yield piece

    def refuse_stopped(self) -> None:
        if self._stop.is_set():
            raise Stopped

    def wait(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Stopped

    def keep_pace(self, pace: Pace, piece: Piece) -> None:
        self.wait(pace.wait_s(piece, time.monotonic()))

    def wait_for_look(self) -> None:
        while time.monotonic() - self._looked_at > LOOKED_WITHIN_S:
            self.wait(LOOK_EVERY_S / 5)
        self.refuse_stopped()

    def _work(self, job: Callable[[], Any]) -> None:
        try:
            job()
        except Stopped:
            self._stop.set()
        except HostError as error:
            self._fail(error)
        except BaseException as error:  # noqa: BLE001 — carried to the caller's thread, which must not wait for ever
            self._fail(HostError(f"The copy stopped with an unexpected error: {error!r}"))
        finally:
            self._ended.release()

    def _fail(self, error: BaseException) -> None:
        if not self._stop.is_set():
            self._errors.append(error)
        self._stop.set()


def _join(threads: Iterable[threading.Thread]) -> None:
    """A file server that is gone holds a stream without end: its thread is left behind. Raises OutcomeUnknown then, so
    that nobody is given its connection."""
    until = time.monotonic() + ENDS_WITHIN_S
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
        if thread.is_alive():
            raise OutcomeUnknown(
                "The copy was stopped, but a host does not end its stream: something in its storage waits without end.",
                remedy="See whether the file servers of both hosts answer, then move the guest again.",
            )


class Pipe:
    """From one host's stream into another's, with a bounded number of pieces between them."""

    def __init__(self, crew: Crew, tally: Tally, pace: Pace) -> None:
        self._crew, self._tally, self._pace = crew, tally, pace
        self._pieces: queue.Queue[Piece | None] = queue.Queue(PIECES_WAITING)
        self.seen = Fingerprint()

    def fill(self, storage: StoragePort, pool: str, name: str) -> None:
        with storage.read_volume(pool, name) as pieces:
            for piece in self._crew.checked(split_holes(pieces)):
                self._put(piece)  # first: the other side has something to do while this one counts
                self.seen.add(piece)
        self._put(_END)

    def drain(self) -> Iterator[Piece]:
        while (piece := self._take()) is not _END:
            self._crew.keep_pace(self._pace, piece)
            self._crew.wait_for_look()
            yield piece
            self._tally.copy(length_of(piece))

    def _put(self, piece: Piece | None) -> None:
        while True:
            self._crew.refuse_stopped()
            with suppress(queue.Full):
                self._pieces.put(piece, timeout=LOOK_EVERY_S)
                return

    def _take(self) -> Piece | None:
        while True:
            self._crew.refuse_stopped()
            with suppress(queue.Empty):
                return self._pieces.get(timeout=LOOK_EVERY_S)


@dataclass(frozen=True)
class Reading:
    """One volume to be read from its start. `count` is told how many bytes were read since it was last told."""

    storage: StoragePort
    pool: str
    name: str
    length: int
    pace: Pace
    count: Callable[[int], None]


def take_fingerprint(crew: Crew, reading: Reading) -> Fingerprint:
    seen = Fingerprint()
    if not reading.length:
        return seen  # to libvirt a length of 0 means all
    with reading.storage.read_volume(reading.pool, reading.name, length=reading.length) as pieces:
        for piece in crew.checked(split_holes(pieces)):
            crew.keep_pace(reading.pace, piece)
            seen.add(piece)
            reading.count(length_of(piece))
    return seen
