"""Doorbells: tells the workers that something waits in the database. Carries ids only.

By name, because tasks import the services and not the other way round.
"""

from __future__ import annotations

import logging

from celery import current_app

log = logging.getLogger(__name__)

CONTROL, MIGRATE, STORAGE = "control", "migrate", "storage"


def ring(task: str, *ids: int | str, queue: str = CONTROL) -> bool:
    """Best effort: False when the bell could not be rung. What waits is found again by the scheduler's rounds."""
    try:
        current_app.send_task(task, args=ids, queue=queue)
    except Exception as error:  # noqa: BLE001 — the broker's trouble must not undo what was decided
        log.warning("The workers could not be called (%s%s): %s", task, ids, error)
        return False
    return True
