"""The Celery application: a doorbell for work whose truth is in the database.

Tasks carry ids only. They are acknowledged before they run and never rerun by Celery: a lost message is
found by the reconciler, a doubled one finds its row already claimed.
"""

import logging
import os
import signal
import time
import warnings
from logging.config import dictConfig

from celery import Celery
from celery.platforms import SecurityWarning  # type: ignore[attr-defined]  # not in the stubs
from celery.signals import heartbeat_sent, setup_logging, worker_process_init, worker_ready

from vmmigrate.children import signal_when_parent_ends

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vmmigrate.settings")

logger = logging.getLogger(__name__)
HEARTBEAT_EVERY_S = 5.0

# A lab's or an appliance's root is no news, and messages are JSON, which cannot carry code.
warnings.filterwarnings("ignore", category=SecurityWarning)

app = Celery("vmmigrate")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_our_log_lines(**_: object) -> None:
    """Use Django's logging settings in workers too, instead of Celery's own format."""
    from django.conf import settings

    dictConfig(settings.LOGGING)


@worker_process_init.connect
def begin_pool_process(**_: object) -> None:
    """Make a fresh pool process independent of what fork copied, except of its parent's life."""
    from django.core.cache import caches
    from django.db import connections

    # Without it, a killed worker leaves its pool behind, and the next worker's moves meet theirs.
    signal_when_parent_ends(os.getppid(), signal.SIGKILL)
    # Two processes on one socket would read each other's answers. Closing a copied PostgreSQL connection
    # politely would end the parent's session too, so it is only forgotten.
    for connection in connections.all(initialized_only=True):
        connection.connection = None
    for alias in caches:
        caches[alias].close()


class Heartbeat:
    """Notes in the cache, every few seconds, that this worker is alive; for health checks only."""

    def __init__(self) -> None:
        self.last_at = float("-inf")
        self.is_ready = False

    def beat(self, **_: object) -> None:
        from vmmigrate.heartbeat import record_heartbeat

        if not self.is_ready or time.monotonic() - self.last_at < HEARTBEAT_EVERY_S:
            return
        self.last_at = time.monotonic()
        try:
            for queue in app.amqp.queues.consume_from:
                record_heartbeat(queue)
        except Exception as error:  # noqa: BLE001 (Redis is away: Celery itself says so, and tries again)
            logger.debug("No heartbeat noted: %s", error)


heartbeat = Heartbeat()
# Here, and not when the worker is ready: Celery looks once, at its start, whether anybody wants this signal.
heartbeat_sent.connect(heartbeat.beat)


@worker_ready.connect
def begin_heartbeat(**_: object) -> None:
    """Count as alive from here on: Celery's own first beat comes before the worker can take work."""
    heartbeat.is_ready = True
    heartbeat.beat()
