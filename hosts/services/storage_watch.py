"""What keeps an operation's row true while a worker is at it: its lease, its steps, its bytes, and whether to stop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from django.db import DatabaseError, connection
from django.utils import timezone

from hosts.models import StorageOperation
from hosts.services.live import publish_inventory
from hosts.services.storage_orders import LEASE

log = logging.getLogger(__name__)

RENEW_EVERY_S: Final = 10.0
TELL_EVERY_S: Final = 0.5


class CancelledByPerson(Exception):
    """Somebody asked to stop."""


class Fenced(Exception):
    """The operation was ended by others meanwhile: it is no longer this worker's."""


@contextmanager
def leased(operation: StorageOperation) -> Iterator[None]:
    """The lease is renewed beside the work, also while libvirt answers nothing; it lapses only with this process."""
    done = threading.Event()
    thread = threading.Thread(target=_renew, args=(operation.pk, done), daemon=True, name="storage-lease")
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _renew(pk: int, done: threading.Event) -> None:
    try:
        while not done.wait(RENEW_EVERY_S):
            if not _renew_once(pk):
                return
    finally:
        connection.close()


def _renew_once(pk: int) -> bool:
    """False: it has ended. A database that is restarted must not cost a long copy its lease: it is tried again."""
    mine = StorageOperation.objects.filter(pk=pk, ended_at=None)
    try:
        return bool(mine.update(lease_until=timezone.now() + LEASE))
    except DatabaseError:
        log.warning("The lease of storage operation %s could not be renewed; tried again.", pk, exc_info=True)
        connection.close()
        return True


class Watch:
    """Writes steps and bytes; tells the browsers at most twice a second."""

    def __init__(self, operation: StorageOperation) -> None:
        self.operation = operation
        self.done_bytes = 0
        self.told_at = float("-inf")

    def begin_bytes(self, total_bytes: int) -> None:
        self._write(done_bytes=0, total_bytes=total_bytes)

    def add_bytes(self, count: int) -> None:
        """Raises CancelledByPerson or Fenced, at most half a second late."""
        self.done_bytes += count
        if time.monotonic() - self.told_at >= TELL_EVERY_S:
            self._write(done_bytes=self.done_bytes)
            self.look_up()

    def end_bytes(self) -> None:
        self._write(done_bytes=self.done_bytes)

    def write_steps(self, steps: list[dict[str, str]]) -> None:
        self._write(steps_data=steps)

    def note_arguments(self, arguments: dict[str, Any]) -> None:
        self._write(arguments_data=arguments)

    def look_up(self) -> None:
        """Raises CancelledByPerson or Fenced."""
        rows = StorageOperation.objects.filter(pk=self.operation.pk)
        ended_at, cancel_at = rows.values_list("ended_at", "cancel_requested_at").get()
        if ended_at is not None:
            raise Fenced
        if cancel_at is not None:
            raise CancelledByPerson

    def _write(self, **changes: Any) -> None:
        StorageOperation.objects.filter(pk=self.operation.pk, ended_at=None).update(**changes)
        for name, value in changes.items():
            setattr(self.operation, name, value)
        self.told_at = time.monotonic()
        publish_inventory()
