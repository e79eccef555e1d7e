"""Watches all hosts for libvirt's events, so that a guest started with virsh shows in every browser at once.

One thread per host with a connection of its own. Events only say "look": the guest is read again. A connection that
breaks marks the host silent and is opened again; nothing that was known is lost.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from django.db import close_old_connections
from django.db import connection as database
from django.utils import timezone

from hosts.driver.connection import Connection, open_connection
from hosts.driver.events import DomainEvent, EventKind, watch_domain_events
from hosts.errors import HostError
from hosts.models import Host
from hosts.ports import ConnectionSpec
from hosts.services import inventory
from hosts.services.connections import build_spec

log = logging.getLogger(__name__)

# One libvirt call makes several events (started, resumed, defined): they are answered together, and a guest that
# is just arriving is left alone for this long. A browser is to see a change within two seconds.
GATHER_S = 0.4
LOOK_AT_HOSTS_EVERY_S = 3.0
RETRY_FIRST_S, RETRY_MOST_S = 1.0, 20.0


class HostWatch(threading.Thread):
    """Watches one host until told to stop or until its address or credentials change."""

    def __init__(self, host_id: int, spec: ConnectionSpec) -> None:
        super().__init__(name=f"watch-{spec.name}", daemon=True)
        self.host_id = host_id
        self.spec = spec
        self.stopping = threading.Event()
        self.changed: queue.SimpleQueue[str] = queue.SimpleQueue()

    def run(self) -> None:
        wait_s = RETRY_FIRST_S
        while not self.stopping.is_set():
            host = Host.objects.filter(pk=self.host_id).first()
            if host is None:
                return
            wait_s = RETRY_FIRST_S if self._watch_once(host) else min(wait_s * 2, RETRY_MOST_S)
            self.stopping.wait(wait_s)
            close_old_connections()
        database.close()

    def stop(self) -> None:
        self.stopping.set()

    def _watch_once(self, host: Host) -> bool:
        """One connection from open to break. True when it had been open."""
        try:
            link = open_connection(self.spec)
        except HostError as error:
            inventory.record_silence(host, error)
            return False
        try:
            watch_domain_events(link, self._note)
            # Only now: what changed before the events were registered must not be missed.
            asked_at = timezone.now()
            inventory.record_reading(host, link.read_facts(), link.read_guests(), asked_at)
            self._answer_events(host, link)
        except HostError as error:
            inventory.record_silence(host, error)
        except Exception:
            log.exception("Watching %s failed; it is tried again.", host.name)
        finally:
            link.close()
        return True

    def _note(self, event: DomainEvent) -> None:
        if event.domain_uuid and event.kind is not EventKind.ITERATION:
            self.changed.put(event.domain_uuid)

    def _answer_events(self, host: Host, link: Connection) -> None:
        while not self.stopping.is_set() and link.is_alive():
            for domain_uuid in gather(self.changed):
                inventory.refresh_guest(host, link, domain_uuid)
        if not self.stopping.is_set():
            log.warning("The connection to %s broke; opening it again.", host.name)


def gather(changed: queue.SimpleQueue[str], first_within_s: float = 1.0) -> set[str]:
    """The UUIDs of one burst of events; empty when nothing came."""
    try:
        found = {changed.get(timeout=first_within_s)}
    except queue.Empty:
        return set()
    deadline = time.monotonic() + GATHER_S
    while (left := deadline - time.monotonic()) > 0:
        try:
            found.add(changed.get(timeout=left))
        except queue.Empty:
            break
    return found


def watch_all(stopping: threading.Event, on_round: Callable[[int], Any] = lambda watched: None) -> None:
    """Keep one watch per enabled host, as hosts come, go and change, until told to stop."""
    watches: dict[int, HostWatch] = {}
    while not stopping.is_set():
        wanted = {host.pk: build_spec(host) for host in Host.objects.filter(enabled=True)}
        for host_id, watch in list(watches.items()):
            if wanted.get(host_id) != watch.spec or not watch.is_alive():
                watch.stop()
                del watches[host_id]
        for host_id, spec in wanted.items():
            if host_id not in watches:
                watches[host_id] = HostWatch(host_id, spec)
                watches[host_id].start()
        on_round(len(watches))
        stopping.wait(LOOK_AT_HOSTS_EVERY_S)
    for watch in watches.values():
        watch.stop()
