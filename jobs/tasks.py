"""Doorbells: ids only, acknowledged early, never retried by Celery. A second delivery finds the migration claimed."""

from __future__ import annotations

from celery import shared_task

from jobs.services import execution
from jobs.services import reconcile as reconciliation


@shared_task(queue="migrate", ignore_result=True)
def run_migration(migration_id: int) -> None:
    execution.run(migration_id)


@shared_task(queue="migrate", ignore_result=True)
def adopt_migration(migration_id: int) -> None:
    execution.adopt(migration_id)


@shared_task(queue="control", time_limit=60, ignore_result=True)
def reconcile() -> None:
    reconciliation.ring_again()
