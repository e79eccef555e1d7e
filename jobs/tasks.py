"""Doorbells: ids only, acknowledged early, never retried by Celery. A second delivery finds the migration claimed."""

from __future__ import annotations

from celery import shared_task

from jobs.services import execution, remedies, remedy_work
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
    remedies.expire_lapsed()


@shared_task(queue="control", time_limit=remedies.TASK_LIMIT_S, ignore_result=True)
def run_remedy(remedy_id: int) -> None:
    remedy_work.run(remedy_id)
