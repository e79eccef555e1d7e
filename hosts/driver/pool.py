"""Warm connections, per process: opening one costs up to 0.3 s, as much as a tenth of a short move.

A borrowed connection belongs to its borrower alone: a running transfer holds one of libvirtd's five requests
per connection for its whole life, so whoever polls borrows another.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple

from hosts.driver.connection import Connection, open_connection
from hosts.errors import HostUnreachable, OutcomeUnknown
from hosts.ports import ConnectionSpec

# Long enough for an inventory read every 30 s, short enough not to hold sockets of hosts nobody looks at.
IDLE_S = 60.0
MAX_IDLE_PER_HOST = 3

_lock = threading.Lock()
_idle: dict[bytes, list[tuple[float, Connection]]] = {}
_sweeper: threading.Timer | None = None


@contextmanager
def borrow(spec: ConnectionSpec, *, deadline_s: float = 10) -> Iterator[Connection]:
    """A connection for this block alone: a warm one that is alive, or a new one. Raises HostUnreachable."""
    key = _digest(spec)
    connection = _take(key) or open_connection(spec, deadline_s=deadline_s)
    try:
        yield connection
    except (HostUnreachable, OutcomeUnknown):
        connection.close()
        raise
    finally:
        _give_back(key, connection)


def close_idle(*, older_than_s: float = 0.0) -> None:
    """Close connections that nobody has used for this long; all of them by default."""
    border = time.monotonic() - older_than_s
    old: list[Connection] = []
    with _lock:
        for key, entries in list(_idle.items()):
            old += [connection for since, connection in entries if since <= border]
            _idle[key] = [entry for entry in entries if entry[0] > border]
            if not _idle[key]:
                del _idle[key]
    for connection in old:
        connection.close()


def _digest(spec: ConnectionSpec) -> bytes:
    """Changed credentials must not find the connection that the old ones opened."""
    return hashlib.sha256("\0".join(map(str, astuple(spec))).encode()).digest()


def _take(key: bytes) -> Connection | None:
    while True:
        with _lock:
            entries = _idle.get(key)
            if not entries:
                return None
            _, connection = entries.pop()
        if connection.is_alive():
            return connection
        connection.close()


def _give_back(key: bytes, connection: Connection) -> None:
    if not connection.is_alive():
        connection.close()
        return
    with _lock:
        entries = _idle.setdefault(key, [])
        kept = len(entries) < MAX_IDLE_PER_HOST
        if kept:
            entries.append((time.monotonic(), connection))
    if kept:
        _sweep_later()
    else:
        connection.close()


def _sweep_later() -> None:
    global _sweeper  # noqa: PLW0603  (one timer per process)
    with _lock:
        if _sweeper is not None and _sweeper.is_alive():
            return
        _sweeper = threading.Timer(IDLE_S, _sweep)
        _sweeper.daemon = True
        _sweeper.start()


def _sweep() -> None:
    global _sweeper  # noqa: PLW0603
    close_idle(older_than_s=IDLE_S)
    with _lock:
        _sweeper = None
        more = bool(_idle)
    if more:
        _sweep_later()


def _forget_after_fork() -> None:
    """A child drops its parent's connections without closing them: either would break them for the parent."""
    global _lock, _sweeper
    _lock, _sweeper = threading.Lock(), None
    for entries in _idle.values():
        for _, connection in entries:
            connection.forget()
    _idle.clear()


os.register_at_fork(after_in_child=_forget_after_fork)
