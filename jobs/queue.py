"""Claims, leases and slots. The row is the truth; Celery only rings.

A worker holds a migration by epoch: every write names the epoch it claimed, so a worker that was thought dead
and comes back finds itself fenced off (StaleTransition) and stops.
"""

from __future__ import annotations

import os
import socket
from datetime import timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from hosts.models import Host
from jobs.engine.phases import Phase
from jobs.models import Migration, Transition

LEASE = timedelta(seconds=60)
RENEW_EVERY_S = 15.0
# A bell that was rung but not heard (worker or Redis restarted) is rung again after this.
UNHEARD = timedelta(seconds=20)
# What occupies a slot: everything a worker has begun and that has not ended.
BEGUN = (
    Phase.PREPARING,
    Phase.TRANSFERRING,
    Phase.POSTCOPY,
    Phase.CONFIRMING,
    Phase.ROLLING_BACK,
    Phase.UNCONFIRMED,
)


def worker_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def claim_queued(migration_id: int) -> Migration | None:
    """QUEUED → PREPARING for exactly one caller, within the slots of both hosts. None: not ours, or no slot yet."""
    # Asked first without a transaction: a bell rung twice must not wait for SQLite's one write lock.
    if not Migration.objects.filter(pk=migration_id, phase=Phase.QUEUED).exists():
        return None
    with transaction.atomic():
        migration = Migration.objects.filter(pk=migration_id, phase=Phase.QUEUED).first()
        if migration is None or migration.source_id is None or migration.destination_id is None:
            return None
        hosts = _lock_hosts(migration)
        if len(hosts) < 2 or not _slot_free(migration, hosts):
            return None
        return _take(migration, "A worker has taken the move and checks both hosts again.")


def adopt(migration_id: int) -> Migration | None:
    """Take over a begun migration whose worker has let its lease lapse. None: somebody else has it."""
    now = timezone.now()
    migration = Migration.objects.filter(pk=migration_id, phase__in=BEGUN).first()
    if migration is None:
        return None
    held = Migration.objects.filter(pk=migration_id, phase=migration.phase, epoch=migration.epoch).filter(
        Q(lease_until=None) | Q(lease_until__lt=now)
    )
    taken = held.update(epoch=F("epoch") + 1, worker=worker_name(), lease_until=now + LEASE)
    return Migration.objects.get(pk=migration_id) if taken else None


def renew_lease(migration: Migration) -> None:
    migration.write(lease_until=timezone.now() + LEASE)


def find_unheard() -> QuerySet[Migration]:
    """Queued longer than a bell takes: rung again, at no harm."""
    return Migration.objects.filter(phase=Phase.QUEUED, requested_at__lt=timezone.now() - UNHEARD)


def find_lapsed() -> QuerySet[Migration]:
    """Begun, but nobody renews the lease."""
    now = timezone.now()
    return Migration.objects.filter(phase__in=BEGUN).filter(Q(lease_until=None) | Q(lease_until__lt=now))


def find_waiting(host_ids: set[int | None]) -> QuerySet[Migration]:
    """Queued ones that a slot just given back may let begin, oldest first."""
    touches = Q(source_id__in=host_ids) | Q(destination_id__in=host_ids)
    return Migration.objects.filter(touches, phase=Phase.QUEUED).order_by("requested_at", "id")


def _lock_hosts(migration: Migration) -> dict[int, Host]:
    # Sorted, so that two claims never wait for each other; without the lock PostgreSQL lets both count the same slot.
    ids = sorted(pk for pk in (migration.source_id, migration.destination_id) if pk is not None)
    return {host.pk: host for host in Host.objects.select_for_update().filter(pk__in=ids).order_by("pk")}


def _slot_free(migration: Migration, hosts: dict[int, Host]) -> bool:
    begun = Migration.objects.filter(phase__in=BEGUN)
    out = begun.filter(source_id=migration.source_id).count()
    into = begun.filter(destination_id=migration.destination_id).count()
    source, destination = hosts[migration.source_id or 0], hosts[migration.destination_id or 0]
    return out < source.max_outgoing and into < destination.max_incoming


def _take(migration: Migration, sentence: str) -> Migration | None:
    now = timezone.now()
    claimed = Migration.objects.filter(pk=migration.pk, phase=Phase.QUEUED, epoch=migration.epoch).update(
        phase=Phase.PREPARING, phase_since=now, started_at=now, worker=worker_name(), epoch=F("epoch") + 1,
        lease_until=now + LEASE, version=F("version") + 1,
    )  # fmt: skip
    if not claimed:
        return None
    Transition.objects.create(
        migration=migration,
        old=Phase.QUEUED,
        new=Phase.PREPARING,
        at=now,
        sentence=sentence,
        worker=worker_name(),
    )
    return Migration.objects.get(pk=migration.pk)
