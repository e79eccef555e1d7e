"""`manage.py watchhosts`: watches all hosts for events until it is told to stop (SIGTERM, Ctrl-C)."""

from __future__ import annotations

import logging
import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from hosts.services.watching import watch_all

log = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Watch all hosts for libvirt events and keep the inventory true."

    def handle(self, *args: Any, **options: Any) -> None:
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        log.info("Watching hosts for events.")
        watch_all(stopping)
