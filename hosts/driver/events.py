"""libvirt's events of one host as small facts. They say where to look again; they are never the truth."""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import libvirt

from hosts.driver.connection import Connection
from hosts.driver.errors import translate

logger = logging.getLogger(__name__)


class EventKind(enum.StrEnum):
    LIFECYCLE = "lifecycle"  # defined, started, suspended, resumed, stopped …: `detail` says which
    JOB_COMPLETED = "job-completed"  # a migration or another job ended well (nothing comes after a failure)
    ITERATION = "iteration"  # the source begins pass `number` over the memory
    CHANGED = "changed"  # a device, the memory, the description: read the guest again
    CONNECTION_CLOSED = "connection-closed"  # the last event of a connection; `detail` says why


@dataclass(frozen=True, slots=True)
class DomainEvent:
    """`domain_uuid` is "" for CONNECTION_CLOSED."""

    kind: EventKind
    domain_uuid: str = ""
    name: str = ""
    detail: str = ""
    number: int | None = None


EventCallback = Callable[[DomainEvent], None]

# virDomainEventType by number; what it means in detail is read from the host, not from the event.
_LIFECYCLE = (
    "defined",
    "undefined",
    "started",
    "suspended",
    "resumed",
    "stopped",
    "shutdown",
    "pm-suspended",
    "crashed",
)
# Events that only say "read the guest again", by the suffix of VIR_DOMAIN_EVENT_ID_…
_CHANGES = (
    "REBOOT",
    "IO_ERROR_REASON",
    "BLOCK_JOB_2",
    "DISK_CHANGE",
    "TRAY_CHANGE",
    "DEVICE_ADDED",
    "DEVICE_REMOVED",
    "BALLOON_CHANGE",
    "METADATA_CHANGE",
    "CONTROL_ERROR",
    "PMSUSPEND",
    "PMWAKEUP",
)
_CLOSE_REASONS = ("error", "end of file", "keepalive timeout", "closed by us")


class EventWatch:
    """A registration. `stop` ends it; after CONNECTION_CLOSED there is nothing left to stop."""

    def __init__(self, virt: Any) -> None:
        self._virt = virt
        self._callbacks: list[int] = []

    def register(self, name: str, callback: Callable[..., None]) -> None:
        """One callback per event id: libvirt refuses a second on the same connection."""
        number = getattr(libvirt, f"VIR_DOMAIN_EVENT_ID_{name}", None)
        if number is not None:
            self._callbacks.append(self._virt.domainEventRegisterAny(None, number, callback, None))

    def stop(self) -> None:
        callbacks, self._callbacks = self._callbacks, []
        with suppress(libvirt.libvirtError):
            self._virt.unregisterCloseCallback()
        for number in callbacks:
            with suppress(libvirt.libvirtError):
                self._virt.domainEventDeregisterAny(number)


def watch_domain_events(connection: Connection, callback: EventCallback) -> EventWatch:
    """Call `callback` for every event of every guest, from libvirt's event thread: it must only enqueue,
    never call libvirt or block. The connection must be the watcher's own.
    Reconnecting after CONNECTION_CLOSED is the caller's. Raises HostError."""
    watch = EventWatch(connection.virt)
    with translate(connection.name, "be watched"):
        connection.virt.registerCloseCallback(_on_close, callback)
        watch.register("LIFECYCLE", _on_lifecycle(callback))
        watch.register("JOB_COMPLETED", _on_job(callback))
        watch.register("MIGRATION_ITERATION", _on_iteration(callback))
        for name in _CHANGES:
            with suppress(libvirt.libvirtError):  # Xen's driver has few of them
                watch.register(name, _on_change(callback, name.lower().replace("_", "-")))
    return watch


def _tell(callback: EventCallback, event: DomainEvent) -> None:
    try:
        callback(event)
    except Exception:
        logger.exception("A watcher of events failed; the event %s is lost", event.kind)


def _event(kind: EventKind, domain: Any, detail: str = "", number: int | None = None) -> DomainEvent:
    return DomainEvent(kind, domain.UUIDString(), domain.name(), detail, number)


def _on_close(_virt: Any, reason: int, callback: EventCallback) -> None:
    words = _CLOSE_REASONS[reason] if reason < len(_CLOSE_REASONS) else f"reason {reason}"
    _tell(callback, DomainEvent(EventKind.CONNECTION_CLOSED, detail=words))


def _on_lifecycle(callback: EventCallback) -> Callable[..., None]:
    def react(_virt: Any, domain: Any, event: int, _detail: int, _opaque: Any) -> None:
        words = _LIFECYCLE[event] if event < len(_LIFECYCLE) else f"event {event}"
        _tell(callback, _event(EventKind.LIFECYCLE, domain, words))

    return react


def _on_job(callback: EventCallback) -> Callable[..., None]:
    def react(_virt: Any, domain: Any, _stats: Any, _opaque: Any) -> None:
        _tell(callback, _event(EventKind.JOB_COMPLETED, domain))

    return react


def _on_iteration(callback: EventCallback) -> Callable[..., None]:
    def react(_virt: Any, domain: Any, iteration: int, _opaque: Any) -> None:
        _tell(callback, _event(EventKind.ITERATION, domain, number=iteration))

    return react


def _on_change(callback: EventCallback, name: str) -> Callable[..., None]:
    def react(_virt: Any, domain: Any, *_details: Any) -> None:
        _tell(callback, _event(EventKind.CHANGED, domain, name))

    return react
