"""Waits for the end of a move, for callers without a browser."""

from __future__ import annotations

import time
from collections.abc import Callable

from jobs.engine.phases import ENDED, Phase
from jobs.models import Migration

LOOK_EVERY_S = 0.1
# A worker takes a queued move in well under a second; a full host may take long, so only an idle queue is an error.
PICKED_UP_WITHIN_S = 60.0


class NotPickedUp(Exception):
    """Nobody has taken the move from the queue: no worker runs, or the slots of the hosts are taken."""


def wait_until_ended(migration: Migration, on_look: Callable[[Migration], None] | None = None) -> Migration:
    """The migration as it ended. Raises NotPickedUp when it stays queued too long; it then still is queued."""
    started = time.monotonic()
    while migration.phase not in ENDED:
        if migration.phase == Phase.QUEUED and time.monotonic() - started > PICKED_UP_WITHIN_S:
            raise NotPickedUp(
                f"{migration} is still queued after {PICKED_UP_WITHIN_S:.0f} s. Is a worker running, and have both "
                f"hosts a free slot? The move stays queued as number {migration.pk}; cancel it on its page."
            )
        time.sleep(LOOK_EVERY_S)
        migration.refresh_from_db()
        if on_look is not None:
            on_look(migration)
    return migration
