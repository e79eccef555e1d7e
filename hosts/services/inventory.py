"""Reads hosts into the database: on a period, on demand and when libvirt reports an event.

Silence never deletes anything. A guest that a host no longer knows, by that host's own word, gets `gone_at`.
Several processes read the same host. A slow reading must not undo what a later question has found out, so
`read_at` of a guest is when the host was asked, and only an answer to a later question changes its row.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from hosts.errors import ConnectStep, HostError, HostUnreachable
from hosts.facts.codec import to_data
from hosts.facts.domain import GuestReading
from hosts.facts.host import HostFacts
from hosts.models import Contact, Guest, Host
from hosts.ports import HostPort
from hosts.services.bells import ring
from hosts.services.connections import borrowed
from hosts.services.live import publish_inventory

log = logging.getLogger(__name__)

UPSERT_FIELDS = [
    "name",
    "state",
    "state_reason",
    "persistent",
    "memory_bytes",
    "vcpus",
    "macs",
    "reading_data",
    "read_at",
    "gone_at",
]


def request_refresh(host_ids: Iterable[int] | None = None) -> None:
    """Ring the workers' bell for these hosts (None: all enabled ones) and return at once."""
    chosen = Host.objects.filter(enabled=True)
    if host_ids is not None:
        chosen = chosen.filter(pk__in=list(host_ids))
    for host_id in chosen.values_list("pk", flat=True):
        ring("hosts.tasks.refresh_host_task", host_id)


def refresh_host(host: Host) -> bool:
    """Read one host anew. True when it answered; otherwise it is marked silent and what is known stays."""
    asked_at = timezone.now()
    try:
        with borrowed(host) as connection:
            facts, readings = connection.read_facts(), connection.read_guests()
    except HostError as error:
        record_silence(host, error)
        return False
    record_reading(host, facts, readings, asked_at)
    return True


def refresh_guest(host: Host, connection: HostPort, domain_uuid: str) -> GuestReading | None:
    """Read one guest and store what it says. Cheaper than the whole host, so that browsers see it at once."""
    asked_at = timezone.now()
    reading = connection.find_guest_reading(domain_uuid)
    if reading is None:
        changed = bool(_mark_gone(Guest.objects.filter(host=host, domain_uuid=domain_uuid), asked_at))
    else:
        changed = _store_guests(host, (reading,), asked_at)
    if changed:
        publish_inventory()
    return reading


def record_reading(
    host: Host, facts: HostFacts, readings: tuple[GuestReading, ...], asked_at: datetime
) -> None:
    now = timezone.now()
    with transaction.atomic():
        was_silent = host.contact != Contact.REACHABLE
        write_host(
            host, contact=Contact.REACHABLE, contact_error="", contact_error_remedy="", contact_step="",
            tried_at=now, read_at=now, facts_data=to_data(replace(facts, read_at=now)),
        )  # fmt: skip
        stored = _store_guests(host, readings, asked_at)
        known = [reading.domain_uuid for reading in readings]
        gone = _mark_gone(Guest.objects.filter(host=host).exclude(domain_uuid__in=known), asked_at)
    if was_silent:
        log.info("%s answers: %d guests.", host.name, len(readings))
    if stored or gone or was_silent:
        publish_inventory()


def record_silence(host: Host, error: HostError) -> None:
    """Mark a host silent with the reason in words. Its guests keep what was last known of them."""
    step = error.step if isinstance(error, HostUnreachable) else ConnectStep.DAEMON
    was_silent = host.contact == Contact.SILENT and host.contact_error == error.message
    write_host(
        host, contact=Contact.SILENT, contact_error=error.message, contact_error_remedy=error.remedy,
        contact_step=step.value, tried_at=timezone.now(),
    )  # fmt: skip
    if not was_silent:
        log.warning("%s does not answer: %s", host.name, error.message)
        publish_inventory()


def write_host(host: Host, **changes: Any) -> None:
    """Write these columns only: a person may be editing the others right now."""
    Host.objects.filter(pk=host.pk).update(**changes)
    for name, value in changes.items():
        setattr(host, name, value)


def _mark_gone(guests: Any, asked_at: datetime) -> int:
    return int(guests.filter(gone_at=None, read_at__lt=asked_at).update(gone_at=asked_at))


def _store_guests(host: Host, readings: tuple[GuestReading, ...], asked_at: datetime | None = None) -> bool:
    """Upsert what changed; the rest only gets a new `read_at`. True when something a person can see changed."""
    asked_at = asked_at or timezone.now()
    known = {
        str(row.domain_uuid): row
        for row in Guest.objects.filter(
            host=host, domain_uuid__in=[reading.domain_uuid for reading in readings]
        )
    }
    rows = [
        _guest_row(host, reading, asked_at)
        for reading in readings
        if not _is_newer(known.get(reading.domain_uuid.lower()), asked_at)
    ]
    changed = [row for row in rows if _differs(known.get(str(row.domain_uuid)), row)]
    if changed:
        Guest.objects.bulk_create(
            changed, batch_size=500, update_conflicts=True, update_fields=UPSERT_FIELDS,
            unique_fields=["host", "domain_uuid"],
        )  # fmt: skip
    seen = Guest.objects.filter(pk__in=[row.pk for row in known.values()], read_at__lt=asked_at)
    seen.update(read_at=asked_at)
    return bool(changed)


def _is_newer(known: Guest | None, asked_at: datetime) -> bool:
    """Also of a guest that is gone: what was last found out of it is when it went."""
    if known is None:
        return False
    return max(known.read_at, known.gone_at or known.read_at) > asked_at


def _guest_row(host: Host, reading: GuestReading, now: Any) -> Guest:
    return Guest(
        host=host, domain_uuid=uuid.UUID(reading.domain_uuid), name=reading.name, state=reading.status.state.value,
        state_reason=reading.status.reason, persistent=reading.status.persistent,
        memory_bytes=reading.facts.memory_bytes, vcpus=reading.facts.vcpus, read_at=now, gone_at=None,
        macs=" ".join(nic.mac for nic in reading.facts.nics),
        # Processor time counts up all the time, sizes come only with single readings: stored, every guest would
        # differ at every reading.
        reading_data=to_data(replace(reading, cpu_time_ns=None, disk_capacity_bytes={})),
    )  # fmt: skip


def _differs(old: Guest | None, new: Guest) -> bool:
    return (
        old is None
        or old.gone_at is not None
        or (old.name, old.state, old.state_reason) != (new.name, new.state, new.state_reason)
        or old.macs != new.macs
        or old.reading_data != new.reading_data
    )
