"""Reads the volumes of one pool on one host. Silence deletes nothing: what was known stays, with its age.

`read_at` is when the host was asked, and only an answer to a later question changes the rows.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from hosts.errors import HostError
from hosts.facts.storage import VolumeFacts
from hosts.models import Host, PoolContents, Volume
from hosts.services.bells import ring
from hosts.services.connections import borrowed
from hosts.services.live import publish_inventory
from hosts.storage_ports import PoolReading, StoragePort

log = logging.getLogger(__name__)

FRESH = timedelta(seconds=60)
ASKED_RECENTLY = timedelta(seconds=10)
_FIELDS = ("path", "format", "capacity_bytes", "allocation_bytes", "backing_path", "backing_format")
_AT_ONCE = 500  # rows in one statement: SQLite takes a limited number of values


def find_contents(host: Host, pool_name: str) -> PoolContents | None:
    return PoolContents.objects.filter(host=host, pool_name=pool_name).first()


def is_fresh(contents: PoolContents | None) -> bool:
    return contents is not None and contents.read_at is not None and timezone.now() - contents.read_at < FRESH


def find_asked_or_fresh(host_ids: Collection[int], pool_name: str) -> set[int]:
    """Those of the hosts of which asking again would be for nothing."""
    now = timezone.now()
    known = Q(read_at__gt=now - FRESH) | Q(asked_at__gte=now - ASKED_RECENTLY)
    rows = PoolContents.objects.filter(known, host_id__in=host_ids, pool_name=pool_name)
    return set(rows.values_list("host_id", flat=True))


def request_contents(host: Host, pool_name: str, *, anew: bool = False) -> bool:
    """Ring the workers' bell unless what is stored is fresh or on its way. `anew`: however fresh it is."""
    if not host.enabled or not _claim_asking(host, pool_name, anew):
        return False
    return ring("hosts.tasks.read_contents_task", host.pk, pool_name)


def read_contents(host: Host, pool_name: str) -> PoolContents:
    """Ask the host now and store the answer. For workers."""
    asked_at = timezone.now()
    try:
        with borrowed(host) as connection:
            reading, volumes = _ask(connection.storage, pool_name)
    except HostError as error:
        contents = _record_error(host, pool_name, error.message, error.remedy)
    else:
        contents = store_contents(host, pool_name, reading, volumes, asked_at)
    publish_inventory()
    return contents


def store_contents(
    host: Host, pool_name: str, reading: PoolReading | None, volumes: Iterable[VolumeFacts] | None,
    asked_at: datetime,
) -> PoolContents:  # fmt: skip
    """What the host said. `reading` None: by its own word it has no such pool; `volumes` None: not to be read now."""
    with transaction.atomic():
        PoolContents.objects.get_or_create(host=host, pool_name=pool_name)
        contents = PoolContents.objects.select_for_update().get(host=host, pool_name=pool_name)
        if contents.read_at is not None and contents.read_at > asked_at:
            return contents
        contents.definition_xml = reading.definition_xml if reading is not None else ""
        contents.error = contents.error_remedy = ""
        if reading is None:
            contents.error = f"{host.name} has no pool {pool_name}."
            contents.error_remedy = "Apply its template to this host, or define the pool there."
            volumes = ()
        if volumes is None:
            contents.error = (
                f"Pool {pool_name} is not active on {host.name}, so that its volumes cannot be read."
            )
            contents.error_remedy = "Start the pool."
        else:
            _store_volumes(contents, volumes)
            contents.read_at, contents.asked_at = asked_at, None
        contents.save()
    return contents


def _ask(storage: StoragePort, pool_name: str) -> tuple[PoolReading | None, tuple[VolumeFacts, ...] | None]:
    reading = storage.find_pool(pool_name)
    active = reading is not None and reading.facts.active
    return reading, storage.read_volumes(pool_name) if active else None


def _store_volumes(contents: PoolContents, volumes: Iterable[VolumeFacts]) -> None:
    """Only what differs is written: of 20,000 volumes few change between two readings."""
    told = {volume.name: volume for volume in volumes}
    known = {row[0]: row[1:] for row in contents.volumes.values_list("name", *_FIELDS)}
    gone = [name for name in known if name not in told]
    for start in range(0, len(gone), _AT_ONCE):
        contents.volumes.filter(name__in=gone[start : start + _AT_ONCE]).delete()
    Volume.objects.bulk_create(
        (_row(contents, volume) for name, volume in told.items() if known.get(name) != _values(volume)),
        batch_size=_AT_ONCE, update_conflicts=True, update_fields=list(_FIELDS),
        unique_fields=["contents", "name"],
    )  # fmt: skip


def _values(volume: VolumeFacts) -> tuple[Any, ...]:
    return tuple(getattr(volume, name) for name in _FIELDS)


def _row(contents: PoolContents, volume: VolumeFacts) -> Volume:
    return Volume(contents=contents, name=volume.name, **dict(zip(_FIELDS, _values(volume), strict=True)))


def _record_error(host: Host, pool_name: str, error: str, remedy: str) -> PoolContents:
    """`asked_at` stays, so that a page which hears of this does not ask again at once."""
    contents, _ = PoolContents.objects.update_or_create(
        host=host, pool_name=pool_name, defaults={"error": error, "error_remedy": remedy}
    )
    log.info("Volumes of %s on %s could not be read: %s", pool_name, host.name, error)
    return contents


def _claim_asking(host: Host, pool_name: str, anew: bool) -> bool:
    """One bell for a pool at a time, however many browsers look at it."""
    contents, _ = PoolContents.objects.get_or_create(host=host, pool_name=pool_name)
    if is_fresh(contents) and not anew:
        return False
    now = timezone.now()
    free = PoolContents.objects.filter(pk=contents.pk)
    recently = Q(asked_at__gte=now - ASKED_RECENTLY)
    return free.exclude(recently).update(asked_at=now) == 1
