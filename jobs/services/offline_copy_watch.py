"""What a worker asks between the pieces of a copy: is the move still its own, is it wanted, is the guest still off."""

from __future__ import annotations

import time
from typing import Final, Protocol

from django.utils import timezone

from hosts.errors import GuestNotFound, HostError, Refused
from hosts.facts.jobstats import JobStats
from hosts.ports import HostPort
from jobs.engine.copying import CopyProgress
from jobs.engine.progress import DiskCopy
from jobs.models import Migration, StaleTransition

STATUS_EVERY_S: Final = 1.0


class CopyCancelled(Exception):
    """A person wants the move no more."""


class Watcher(Protocol):
    def on_stats(self, stats: JobStats, elapsed_ms: int, *, disks: tuple[DiskCopy, ...] = ()) -> None: ...
    def on_note(self, sentence: str) -> None: ...
    def keep_lease(self) -> None: ...


class Watch:
    """One copy as it is watched. `source` is a connection that no stream uses."""

    def __init__(
        self, migration: Migration, source: HostPort, progress: CopyProgress, watcher: Watcher
    ) -> None:
        self.migration, self.progress, self.watcher = migration, progress, watcher
        self._source = source
        # Since the first worker began: what a later one shows follows on it.
        self._before_s = (timezone.now() - migration.phase_since).total_seconds()
        self._started = time.monotonic()
        self._asked = 0.0

    @property
    def elapsed_ms(self) -> int:
        return round((self._before_s + time.monotonic() - self._started) * 1000)

    def look(self) -> None:
        """Raises StaleTransition, CopyCancelled or HostError: then nothing more is copied."""
        self._refuse_lost()
        self.watcher.keep_lease()
        if time.monotonic() - self._asked >= STATUS_EVERY_S:
            self._asked = time.monotonic()
            self.refuse_started()
        elapsed_ms = self.elapsed_ms
        self.watcher.on_stats(self.progress.read(elapsed_ms), elapsed_ms, disks=self.progress.by_disk())

    def refuse_started(self) -> None:
        """A guest that runs writes to its disks: a copy of them would be worth nothing."""
        guest = self._source.find_guest(str(self.migration.domain_uuid))
        if guest is None:
            raise GuestNotFound(
                f"{self.migration.guest_name} vanished from {self.migration.source_name} while its disks were copied.",
                remedy="Its disks were not touched: find out who removed its definition.",
            )
        if guest.read_status().active:
            raise Refused(
                f"{self.migration.guest_name} was started on {self.migration.source_name} while its disks were copied.",
                remedy="Shut it off and move it again, or move it live.",
            )

    def refuse_changed(self) -> None:
        """The definition that is sent must be the one whose disks were copied."""
        guest = self._source.find_guest(str(self.migration.domain_uuid))
        saved = self.migration.saved_xml.get("inactive", "")
        if guest is not None and saved and guest.read_xml(secure=True, inactive=True) != saved:
            raise HostError(
                f"The definition of {self.migration.guest_name} was changed while its disks were copied.",
                remedy="Move it again: what was changed is then looked at, too.",
            )

    def _refuse_lost(self) -> None:
        held = Migration.objects.filter(
            pk=self.migration.pk, epoch=self.migration.epoch, phase=self.migration.phase
        )
        row = held.values("cancel_requested_at").first()
        if row is None:
            raise StaleTransition(f"{self.migration}: another worker has taken over")
        if row["cancel_requested_at"] is not None:
            raise CopyCancelled
