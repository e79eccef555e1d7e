"""One address that says whether this installation can work: database, Redis and workers."""

import time
from collections.abc import Callable

from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from vmmigrate.heartbeat import HEARTBEAT_KEYS


def _probe_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _probe_redis() -> None:
    cache.get("healthz")


def _state(probe: Callable[[], None]) -> str:
    try:
        probe()
    except Exception as error:  # noqa: BLE001 (a health probe reports every kind of failure)
        return f"failed: {type(error).__name__}"
    return "ok"


def _heartbeat_ages_s() -> dict[str, float | None]:
    """Seconds since each worker last showed itself; None where none ever has."""
    now = time.time()
    seen = cache.get_many(HEARTBEAT_KEYS.values())
    return {
        queue: round(now - seen[key], 1) if key in seen else None for queue, key in HEARTBEAT_KEYS.items()
    }


@never_cache
@require_safe
def healthz(_: HttpRequest) -> JsonResponse:
    """Answer 200 when database and Redis answer, else 503; worker heartbeat ages are information only.

    Workers are no part of the verdict: a proxy must not take the pages away because a worker restarts.
    """
    states = {"database": _state(_probe_database), "redis": _state(_probe_redis)}
    healthy = all(state == "ok" for state in states.values())
    ages_s = _heartbeat_ages_s() if states["redis"] == "ok" else dict.fromkeys(HEARTBEAT_KEYS)
    return JsonResponse({**states, "worker_heartbeat_age_s": ages_s}, status=200 if healthy else 503)
