"""One storage operation as people see it: what, how far, how it ended, what can still be done about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone

from hosts.models import Host, OperationOutcome, StorageOperation
from hosts.services import spool, storage_kinds
from hosts.services.storage_kinds import CANCELLABLE, OperationKind

LAST_SHOWN = 6
_RECENT = timedelta(minutes=10)  # until then how the last one ended is shown in full
_TONES = {
    OperationOutcome.DONE: ("ok", "check-circle-fill"),
    OperationOutcome.NOT_NEEDED: ("ok", "check-circle"),
    OperationOutcome.CANCELLED: ("info", "slash-circle"),
    OperationOutcome.REFUSED: ("warn", "exclamation-triangle-fill"),
    OperationOutcome.FAILED: ("bad", "x-circle-fill"),
    OperationOutcome.UNKNOWN: ("bad", "question-diamond"),
}  # fmt: skip
_SLOW_AFTER_S = 20  # until then nobody needs to be told that it takes a while


@dataclass(frozen=True, slots=True)
class OperationView:
    """`percent` None: how far it is cannot be told. `fetch_token`: a file that waits for this very person."""

    operation: StorageOperation
    label: str
    state: str  # waiting, working, ended
    tone: str
    icon: str
    percent: int | None
    rate_bytes_per_s: int | None
    time_left: timedelta | None
    slow: bool
    cancellable: bool
    fetch_token: str

    @property
    def under_way(self) -> bool:
        return self.state != "ended"


def view_operation(operation: StorageOperation, person: Any) -> OperationView:
    tone, icon = (
        _TONES.get(OperationOutcome(operation.outcome), ("info", "")) if operation.outcome else ("", "")
    )
    rate = _rate(operation)
    ended = operation.ended_at is not None
    return OperationView(
        operation=operation, label=storage_kinds.label(operation), state=_state(operation), tone=tone, icon=icon,
        percent=_percent(operation), rate_bytes_per_s=rate, time_left=_time_left(operation, rate),
        slow=not ended and (timezone.now() - operation.asked_at).total_seconds() > _SLOW_AFTER_S,
        cancellable=not ended and operation.cancel_requested_at is None and _can_stop(operation),
        fetch_token=_fetch_token(operation, person),
    )  # fmt: skip


def operations_context(host: Host, pool_name: str, person: Any, volume_name: str = "") -> dict[str, Any]:
    """What is under way for a pool or one of its volumes and how the last one ended; the earlier ones apart."""
    mine = StorageOperation.objects.filter(host=host, pool_name=pool_name).select_related("host", "run")
    if volume_name:
        mine = mine.filter(volume_name__in=("", volume_name))
    under_way = [view_operation(operation, person) for operation in mine.filter(ended_at=None)]
    ended = [view_operation(operation, person) for operation in mine.exclude(ended_at=None)[:LAST_SHOWN]]
    shown = 1 if ended and _is_recent(ended[0]) else 0
    return {
        "host": host, "pool_name": pool_name, "volume_name": volume_name, "under_way": bool(under_way),
        "operations": under_way + ended[:shown], "operations_past": ended[shown:],
    }  # fmt: skip


def _is_recent(view: OperationView) -> bool:
    ended_at = view.operation.ended_at
    return ended_at is not None and timezone.now() - ended_at < _RECENT


def _state(operation: StorageOperation) -> str:
    if operation.ended_at is not None:
        return "ended"
    return "waiting" if operation.claimed_at is None else "working"


def _can_stop(operation: StorageOperation) -> bool:
    return operation.claimed_at is None or operation.kind in CANCELLABLE


def _percent(operation: StorageOperation) -> int | None:
    """Never 100 before it has ended: what follows the last byte takes its time, too."""
    if operation.done_bytes is None or not operation.total_bytes:
        return None
    return min(99, operation.done_bytes * 100 // operation.total_bytes)


def _rate(operation: StorageOperation) -> int | None:
    if operation.claimed_at is None or not operation.done_bytes:
        return None
    seconds = ((operation.ended_at or timezone.now()) - operation.claimed_at).total_seconds()
    return int(operation.done_bytes / seconds) if seconds >= 1 else None


def _time_left(operation: StorageOperation, rate: int | None) -> timedelta | None:
    if (
        not rate
        or not operation.total_bytes
        or operation.done_bytes is None
        or operation.ended_at is not None
    ):
        return None
    return timedelta(seconds=max(0, (operation.total_bytes - operation.done_bytes) // rate))


def _fetch_token(operation: StorageOperation, person: Any) -> str:
    """The token of a finished download while its file waits, and only for who asked for it."""
    if operation.kind != OperationKind.VOLUME_DOWNLOAD or operation.outcome != OperationOutcome.DONE:
        return ""
    entry = spool.find(str(operation.arguments_data.get("spool", "")))
    return entry.token if entry is not None and entry.owner_id == person.pk and entry.complete else ""
