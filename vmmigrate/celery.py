"""The Celery application: a doorbell for work whose truth is in the database.

Tasks carry ids only. They are acknowledged before they run and never rerun by Celery: a lost message is
found by the reconciler, a doubled one finds its row already claimed.
"""

import os

from celery import Celery
from celery.signals import setup_logging, worker_process_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vmmigrate.settings")

app = Celery("vmmigrate")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_our_log_lines(**_: object) -> None:
    """Use Django's logging settings in workers too, instead of Celery's own format."""
    from logging.config import dictConfig

    from django.conf import settings

    dictConfig(settings.LOGGING)


@worker_process_init.connect
def forget_parent_connections(**_: object) -> None:
    """Drop connections copied by fork: two processes on one socket would read each other's answers."""
    from django.core.cache import caches
    from django.db import connections

    for connection in connections.all(initialized_only=True):
        # Closing a copied PostgreSQL connection politely would end the parent's session too.
        connection.connection = None
    for cache in caches.all(initialized_only=True):
        cache.close()
