"""Orders for one pool or volume on one host: what can be asked, what is refused, what is under way.

Nothing is done here. An order is written, the workers are called, and they look again before they act.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from hosts.models import Host, OperationOutcome, StorageOperation, StorageRun
from hosts.services import contents, storage_guard
from hosts.services.audit import Outcome, record_action
from hosts.services.bells import STORAGE, ring
from hosts.services.inventory import request_refresh
from hosts.services.live import publish_inventory
from hosts.services.storage_kinds import (
    CANCELLABLE,
    LONG,
    OperationKind,
    StorageRefused,
    label,
    object_name,
)

__all__ = [
    "LONG", "OperationKind", "StorageRefused", "cancel", "end_operation", "expire_lapsed", "find_in_the_way", "label",
    "object_name", "order", "ring_waiting",
]  # fmt: skip

log = logging.getLogger(__name__)

# All slots may be taken by long copies; what nobody took in this time is withdrawn, not done much later.
PICKED_UP_WITHIN: Final = timedelta(minutes=30)
# A worker renews it every few seconds, also while libvirt answers nothing.
LEASE: Final = timedelta(seconds=45)
_AUDITED: Final[dict[str, Outcome]] = {
    OperationOutcome.DONE: "done",
    OperationOutcome.NOT_NEEDED: "refused",
    OperationOutcome.REFUSED: "refused",
    OperationOutcome.FAILED: "failed",
    OperationOutcome.CANCELLED: "failed",
    OperationOutcome.UNKNOWN: "unknown",
}


def order(  # noqa: PLR0913 (what, where, for whom: all of it is one order)
    actor: Any, host: Host, kind: OperationKind | str, pool_name: str, volume_name: str = "",
    arguments: Mapping[str, Any] | None = None, *, run: StorageRun | None = None, confirmed: str = "",
) -> StorageOperation:  # fmt: skip
    """Write the order and call the workers. `confirmed`: the pool's name as the person typed it, where running guests
    use it. Raises StorageRefused, which is in the audit, too."""
    draft = StorageOperation(
        run=run, host=host, kind=str(kind), pool_name=pool_name, volume_name=volume_name,
        arguments_data={**(arguments or {}), **({"confirmed": confirmed} if confirmed else {})},
        asked_by=actor, asked_by_name=actor.get_username() if actor is not None else "command line",
    )  # fmt: skip
    try:
        storage_guard.refuse_nonsense(draft)
        storage_guard.refuse_impossible(draft)
        return _create(draft)
    except StorageRefused as refused:
        record_action(
            actor, f"storage.{draft.kind}"[:60], object_name(draft), f"{label(draft)}. {refused.message}",
            outcome="refused",
        )  # fmt: skip
        raise


def cancel(actor: Any, operation: StorageOperation) -> StorageOperation:
    """End what no worker has taken, or ask the worker to stop. Raises StorageRefused."""
    by = actor.get_username() if actor is not None else "command line"
    now = timezone.now()
    waiting = StorageOperation.objects.filter(pk=operation.pk, claimed_at=None, ended_at=None)
    if waiting.update(claimed_at=now, cancel_requested_at=now):
        end_operation(operation, OperationOutcome.CANCELLED, f"{by} withdrew it. Nothing was changed.")
        return operation
    operation.refresh_from_db()
    if operation.ended_at is not None:
        raise StorageRefused(f"It has ended already: {operation.get_outcome_display()}.")
    if operation.kind not in CANCELLABLE:
        raise StorageRefused("libvirt cannot interrupt this once it has begun.", "Wait until it has ended.")
    StorageOperation.objects.filter(pk=operation.pk, cancel_requested_at=None).update(cancel_requested_at=now)
    operation.refresh_from_db()
    record_action(
        actor, "storage.cancel", object_name(operation), f"{label(operation)}: asked to stop.", outcome="done"
    )
    publish_inventory()
    return operation


def end_operation(
    operation: StorageOperation, outcome: OperationOutcome, sentence: str, advice: str = "", *,
    libvirt_text: str = "", before: Any = None, after: Any = None,
) -> bool:  # fmt: skip
    """Write the outcome once, and the audit entry with it. False: somebody else has ended it already."""
    ended = {
        "ended_at": timezone.now(), "outcome": outcome, "sentence": sentence, "advice": advice,
        "libvirt_text": libvirt_text, "lease_until": None,
    }  # fmt: skip
    if not StorageOperation.objects.filter(pk=operation.pk, ended_at=None).update(**ended):
        return False
    for name, value in ended.items():
        setattr(operation, name, value)
    if not operation.arguments_data.get("dry"):  # a look changes nothing, so there is nothing to keep of it
        record_action(
            operation.asked_by, f"storage.{operation.kind}", object_name(operation),
            f"{label(operation)}. {sentence}", outcome=_AUDITED[outcome], before=before, after=after,
        )  # fmt: skip
    publish_inventory()
    return True


def expire_lapsed() -> None:
    """End what nobody took, and what was taken and whose worker is gone. Both are said."""
    now = timezone.now()
    under_way = StorageOperation.objects.filter(ended_at=None).select_related("host", "asked_by")
    for operation in under_way.filter(claimed_at=None, asked_at__lt=now - PICKED_UP_WITHIN):
        # Claimed first, so that a worker that comes this very moment finds it taken.
        if StorageOperation.objects.filter(pk=operation.pk, claimed_at=None).update(claimed_at=now):
            minutes = int(PICKED_UP_WITHIN.total_seconds() // 60)
            end_operation(
                operation,
                OperationOutcome.REFUSED,
                f"No worker took it within {minutes} minutes. It is withdrawn: nothing was changed.",
                "Check that the storage workers run and are not all busy with long copies, then try again.",
            )
    for operation in under_way.filter(claimed_at__isnull=False).filter(_lapsed(now)):
        _end_lapsed(operation, now)


def ring_waiting() -> None:
    """Call the workers again for what waits: the bell may have been lost with Redis."""
    for pk in StorageOperation.objects.filter(claimed_at=None, ended_at=None).values_list("pk", flat=True)[
        :50
    ]:
        ring("hosts.tasks.run_storage_operation", pk, queue=STORAGE)


def find_in_the_way(operation: StorageOperation) -> StorageOperation | None:
    """Another order that is under way for the same thing, for its whole pool, or inside the pool."""
    others = StorageOperation.objects.filter(
        host_id=operation.host_id, pool_name=operation.pool_name, ended_at=None
    ).exclude(pk=operation.pk)
    if operation.volume_name:
        others = others.filter(Q(volume_name="") | Q(volume_name=operation.volume_name))
    if operation.pk is not None:
        others = others.filter(pk__lt=operation.pk)
    return others.select_related("host").order_by("pk").first()


def refuse_under_way(other: StorageOperation | None) -> StorageRefused:
    if other is None:
        return StorageRefused("Somebody else was just doing this.", "Look again.")
    at = timezone.localtime(other.asked_at)
    return StorageRefused(
        f"{other.asked_by_name} asked at {at:%H:%M:%S} for this: {label(other)}, on {other.host.name}. "
        "It is under way. Nothing was changed.",
        "Wait until it has ended.",
        other,
    )


def _create(draft: StorageOperation) -> StorageOperation:
    expire_lapsed()
    in_the_way = find_in_the_way(draft)
    if in_the_way is not None:
        raise refuse_under_way(in_the_way)
    try:
        with transaction.atomic():
            draft.save(force_insert=True)
    except IntegrityError as error:
        draft.pk = None
        raise refuse_under_way(find_in_the_way(draft)) from error
    log.info("%s asked: %s, on %s.", draft.asked_by_name, label(draft), draft.host.name)
    transaction.on_commit(lambda: _ring(draft))
    return draft


def _ring(operation: StorageOperation) -> None:
    publish_inventory()
    if ring("hosts.tasks.run_storage_operation", operation.pk, queue=STORAGE):
        return
    free = StorageOperation.objects.filter(pk=operation.pk, claimed_at=None)
    if free.update(claimed_at=timezone.now()):
        end_operation(
            operation,
            OperationOutcome.REFUSED,
            "The workers could not be called. Nothing was changed.",
            "See whether Redis and the workers run, then try again.",
        )


def _lapsed(now: Any) -> Q:
    return Q(lease_until__lt=now) | Q(lease_until=None, claimed_at__lt=now - LEASE)


def _end_lapsed(operation: StorageOperation, now: Any) -> None:
    # The row again, with the same condition: its worker may have renewed the lease this very moment.
    mine = StorageOperation.objects.filter(_lapsed(now), pk=operation.pk, ended_at=None)
    if not mine.update(lease_until=now + LEASE):
        return
    request_refresh([operation.host_id])
    contents.request_contents(operation.host, operation.pool_name, anew=True)
    end_operation(
        operation,
        OperationOutcome.UNKNOWN,
        f"The worker ended before it said what became of it on {operation.host.name}.",
        f"{operation.host.name} is read again. Compare what is there, then ask again if it is still wanted.",
    )
