"""Workers note in the cache that they are alive, so that health checks can say how long ago that was."""

import time

from django.core.cache import cache

HEARTBEAT_KEYS = {queue: f"heartbeat:{queue}" for queue in ("migrate", "control", "storage")}
KEPT_S = 24 * 3600


def record_heartbeat(queue: str) -> None:
    """Note that a worker of `queue` is alive now."""
    cache.set(HEARTBEAT_KEYS[queue], time.time(), KEPT_S)
