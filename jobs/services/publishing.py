"""Tells the browsers beside the work: rendering a move's page takes as long as reading a host, and a move must not
wait for it. What was asked for several times meanwhile is told once, as it then stands."""

from __future__ import annotations

import os
import queue
import threading

from django.db import connection

from jobs.models import Migration
from jobs.services import live

FLUSH_WITHIN_S = 3.0
# The thread's database connection is given back when it has had nothing to do for this long.
IDLE_S = 2.0


class _Publisher:
    def __init__(self) -> None:
        self.wanted: queue.Queue[int] = queue.Queue()
        threading.Thread(target=self._run, name="publisher", daemon=True).start()

    def flush(self) -> bool:
        with self.wanted.all_tasks_done:
            return self.wanted.all_tasks_done.wait_for(
                lambda: not self.wanted.unfinished_tasks, FLUSH_WITHIN_S
            )

    def _run(self) -> None:
        while True:
            try:
                asked = [self.wanted.get(timeout=IDLE_S)]
            except queue.Empty:
                connection.close()
                continue
            while not self.wanted.empty():
                asked.append(self.wanted.get())
            for migration_id in dict.fromkeys(asked):
                live.publish_move(Migration(pk=migration_id))
            for _ in asked:
                self.wanted.task_done()


_publisher: tuple[int, _Publisher] | None = None  # a fork leaves the thread behind: the process id decides
_lock = threading.Lock()


def publish_soon(migration: Migration) -> None:
    """Returns at once. Only for what is committed: another connection reads it."""
    _get().wanted.put(migration.pk)


def flush() -> None:
    """Wait until everything asked for was told, a few seconds at most; the heartbeat catches up with the rest."""
    if _publisher is not None and _publisher[0] == os.getpid():
        _publisher[1].flush()


def _get() -> _Publisher:
    global _publisher  # noqa: PLW0603
    with _lock:
        if _publisher is None or _publisher[0] != os.getpid():
            _publisher = (os.getpid(), _Publisher())
        return _publisher[1]
