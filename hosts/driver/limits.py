"""Calls to a host that may never come back: a file server that is gone holds libvirt's answer, not its connection, so
that the keepalive notices nothing."""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from hosts.errors import HostUnreachable, OutcomeUnknown, Refused

ANSWERS_WITHIN_S = 120.0
# libvirt's mount of a dead file server gives up by itself after two to three minutes.
DONE_WITHIN_S = 600.0
# Calls that never came back, per host: each holds a thread and a connection.
MAX_STUCK: Final = 5

_lock = threading.Lock()
_stuck: Counter[str] = Counter()


class _Call:
    """One call in a thread of its own. Whichever comes too late, the answer or the limit, knows it."""

    def __init__(self, act: Callable[[], Any], host: str) -> None:
        self._act, self._host = act, host
        self._abandoned = False
        self._answers: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="storage-call", daemon=True).start()

    def wait(self, seconds: float) -> tuple[Any, BaseException | None] | None:
        try:
            return self._answers.get(timeout=seconds)
        except queue.Empty:
            with _lock:
                self._abandoned = self._answers.empty()
                _stuck[self._host] += int(self._abandoned)
            return None if self._abandoned else self._answers.get()

    def _run(self) -> None:
        answer: tuple[Any, BaseException | None]
        try:
            answer = self._act(), None
        except BaseException as error:  # noqa: BLE001 (carried to the thread that waits)
            answer = None, error
        with _lock:
            self._answers.put(answer)
            _stuck[self._host] -= int(self._abandoned)


def ask(host: str, act: Callable[[], Any]) -> Any:
    """The answer of a call that only reads, or what it raises. Raises HostUnreachable when there is none in time: what
    still waits must not share the connection with others."""
    answer = _wait(host, act, ANSWERS_WITHIN_S)
    if answer is None:
        raise HostUnreachable(
            f"{host} answers nothing about its storage: something there waits without end.", remedy=_remedy()
        )
    return _unpack(answer)


def change(host: str, act: Callable[[], Any]) -> Any:
    """The same for a call that changes something, which may still happen later. Raises OutcomeUnknown."""
    answer = _wait(host, act, DONE_WITHIN_S)
    if answer is None:
        raise OutcomeUnknown(
            f"{host} has begun this and does not come to an end: something in its storage waits without end. "
            "Whether it will still be done is not known.",
            remedy=_remedy(),
        )
    return _unpack(answer)


def _wait(host: str, act: Callable[[], Any], limit_s: float) -> tuple[Any, BaseException | None] | None:
    with _lock:
        if _stuck[host] >= MAX_STUCK:
            raise Refused(
                f"{host} has not ended {_stuck[host]} earlier requests about its storage. Nothing more is asked of it.",
                remedy=_remedy(),
            )
    return _Call(act, host).wait(limit_s)


def _unpack(answer: tuple[Any, BaseException | None]) -> Any:
    value, error = answer
    if error is not None:
        raise error
    return value


def _remedy() -> str:
    return "See whether its file servers answer, on the host: mount; dmesg | tail   and restart libvirtd if they do."
