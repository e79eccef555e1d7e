"""Finds what no worker looks after: bells nobody heard, leases nobody renews. Only rings; the workers act."""

from __future__ import annotations

import logging

from hosts.services.bells import MIGRATE, ring
from jobs import queue

log = logging.getLogger(__name__)


def ring_run(migration_id: int) -> None:
    ring("jobs.tasks.run_migration", migration_id, queue=MIGRATE)


def ring_again() -> None:
    for migration in queue.find_unheard():
        ring_run(migration.pk)
    for migration in queue.find_lapsed():
        log.warning(
            "Nobody looks after %s (%s): a worker is asked to take it over.", migration, migration.phase
        )
        ring("jobs.tasks.adopt_migration", migration.pk, queue=MIGRATE)


def ring_waiting(host_ids: set[int | None]) -> None:
    """A slot was given back: whoever waits for these hosts may begin."""
    for migration in queue.find_waiting(host_ids):
        ring_run(migration.pk)
