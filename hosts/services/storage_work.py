"""What a worker does with a storage operation: claim it, look again, do it, say what came of it, read the host."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from hosts.errors import HostError, HostUnreachable, OutcomeUnknown, Refused
from hosts.models import OperationOutcome, StorageOperation
from hosts.ports import Change
from hosts.services import contents, inventory, storage_guard, storage_live_guard, storage_steps
from hosts.services import storage_streams as streams
from hosts.services.connections import borrowed
from hosts.services.live import publish_inventory
from hosts.services.storage_kinds import LONG, OperationKind, StorageRefused
from hosts.services.storage_orders import (
    LEASE,
    end_operation,
    find_in_the_way,
    refuse_under_way,
    ring_waiting,
)
from hosts.services.storage_watch import CancelledByPerson, Fenced, Watch, leased
from hosts.storage_ports import Preallocation, StoragePort, VolumeOrder, WipeAlgorithm

log = logging.getLogger(__name__)
K = OperationKind
# Of the worker's three slots one stays free for what takes a moment.
MOST_LONG: Final = 2


@dataclass(frozen=True, slots=True)
class Ending:
    outcome: OperationOutcome
    sentence: str
    advice: str = ""
    libvirt_text: str = ""
    before: Any = field(default=None)
    after: Any = field(default=None)


def run(operation_id: int) -> None:
    """Do it once. A second delivery finds it claimed."""
    operation = claim(operation_id)
    if operation is None:
        return
    with leased(operation):
        try:
            ending = _do(operation)
        except Fenced:
            log.warning("%s was ended by others while this worker was at it.", operation)
        except Exception as error:
            log.exception("%s failed in a way nobody foresaw.", operation)
            _end(operation, _own_fault(operation, error))
        else:
            _end(operation, ending)
        _read_again(operation)
    if operation.kind in LONG:
        ring_waiting()


def claim(operation_id: int) -> StorageOperation | None:
    """None: somebody else has it, or it waits for a slot; then the scheduler's rounds ring again."""
    now = timezone.now()
    with transaction.atomic():
        row = StorageOperation.objects.select_for_update().filter(pk=operation_id).first()
        if row is None or row.claimed_at is not None or row.ended_at is not None:
            return None
        if row.kind in LONG and _long_running() >= MOST_LONG:
            return None
        free = StorageOperation.objects.filter(pk=operation_id, claimed_at=None, ended_at=None)
        if not free.update(claimed_at=now, lease_until=now + LEASE):
            return None
    publish_inventory()
    rows = StorageOperation.objects.select_related("host", "asked_by", "run__template")
    return rows.get(pk=operation_id)


def _long_running() -> int:
    """Every long order that has not ended is locked, those that wait, too: of two workers that claim two at once, the
    second counts the first."""
    under_way = StorageOperation.objects.select_for_update().filter(ended_at=None, kind__in=list(LONG))
    leases = under_way.order_by("pk").values_list("lease_until", flat=True)
    now = timezone.now()
    return sum(1 for lease in leases if lease is not None and lease >= now)


def _do(operation: StorageOperation) -> Ending:
    """Every end but that of a fault of our own."""
    in_the_way = find_in_the_way(operation)
    if in_the_way is not None:
        return _refused(refuse_under_way(in_the_way))
    watch = Watch(operation)
    try:
        with borrowed(operation.host) as connection:
            if not operation.arguments_data.get("dry"):
                storage_guard.refuse_impossible(operation)
            storage_live_guard.refuse_hurting_live(operation, connection)
            return _perform(operation, connection, watch)
    except StorageRefused as refused:
        return _refused(refused)
    except CancelledByPerson:
        return Ending(OperationOutcome.CANCELLED, storage_steps.tell_cancelled(operation))
    except HostError as error:
        return _failure(operation, error)


def _perform(operation: StorageOperation, connection: Any, watch: Watch) -> Ending:
    if operation.kind == K.APPLY:
        result = storage_steps.bring_in_line(operation, connection, watch)
        outcome = OperationOutcome.DONE if result.changed else OperationOutcome.NOT_NEEDED
        return Ending(outcome, result.says, before=result.before, after=result.after)
    storage: StoragePort = connection.storage
    change = _ACTIONS[K(operation.kind)](operation, storage, watch)
    outcome = OperationOutcome.DONE if change.changed else OperationOutcome.NOT_NEEDED
    return Ending(outcome, change.says, before=change.before, after=change.after)


def _refused(refused: StorageRefused) -> Ending:
    return Ending(OperationOutcome.REFUSED, refused.message, refused.advice)


def _failure(operation: StorageOperation, error: HostError) -> Ending:
    """Unreachable means that nothing was changed by this call: who is lost later raises OutcomeUnknown."""
    words, outcome = error.message, OperationOutcome.FAILED
    done = storage_steps.tell_done(operation)
    if isinstance(error, OutcomeUnknown):
        outcome = OperationOutcome.UNKNOWN
    elif isinstance(error, Refused) and not done:
        outcome = OperationOutcome.REFUSED
    if isinstance(error, HostUnreachable) and not done and "Nothing was changed" not in words:
        words += " Nothing was changed."
    return Ending(
        outcome,
        f"{words} {done}".strip(),
        error.remedy or "See what libvirt says below, put it right, then try again.",
        error.libvirt_text,
    )


def _own_fault(operation: StorageOperation, error: Exception) -> Ending:
    return Ending(
        OperationOutcome.UNKNOWN,
        f"The product failed itself ({type(error).__name__}); what became of it is not known.",
        f"{operation.host.name} is read again. Report this, with the workers' log.",
    )


def _end(operation: StorageOperation, ending: Ending) -> None:
    end_operation(
        operation, ending.outcome, ending.sentence, ending.advice, libvirt_text=ending.libvirt_text,
        before=ending.before, after=ending.after,
    )  # fmt: skip


def _read_again(operation: StorageOperation) -> None:
    """Make what is stored true again, whatever came of it. Never raises HostError."""
    if operation.arguments_data.get("dry") or not operation.host.enabled:
        return
    if inventory.refresh_host(operation.host):
        contents.read_contents(operation.host, operation.pool_name)
    publish_inventory()


Action = Callable[[StorageOperation, StoragePort, Watch], Change]


def _on_pool(act: Callable[[StoragePort, str], Change]) -> Action:
    return lambda operation, storage, _: act(storage, operation.pool_name)


def _stopped_first(act: Callable[[StoragePort, str], Change]) -> Action:
    """libvirt removes stopped pools only. The guard has asked about the guests before."""

    def stop_and_act(operation: StorageOperation, storage: StoragePort, _: Watch) -> Change:
        stopped = storage.stop_pool(operation.pool_name)
        try:
            change = act(storage, operation.pool_name)
        except HostError as error:
            if stopped.changed:
                error.message += f" The pool {operation.pool_name} was stopped before."
            raise
        return change if change.changed or not stopped.changed else stopped

    return stop_and_act


def _make_volume(operation: StorageOperation, storage: StoragePort, _: Watch) -> Change:
    given = operation.arguments_data
    return storage.make_volume(
        operation.pool_name,
        VolumeOrder(
            name=operation.volume_name,
            format=str(given.get("format") or ""),
            capacity_bytes=int(given["capacity_bytes"]),
            preallocation=Preallocation(given.get("preallocation") or Preallocation.OFF),
            backing_path=str(given.get("backing_path") or ""),
            backing_format=str(given.get("backing_format") or ""),
        ),
    )


def _clone_volume(operation: StorageOperation, storage: StoragePort, _: Watch) -> Change:
    new_name = str(operation.arguments_data["new_name"])
    return storage.clone_volume(operation.pool_name, operation.volume_name, new_name)


def _resize_volume(operation: StorageOperation, storage: StoragePort, _: Watch) -> Change:
    capacity_bytes = int(operation.arguments_data["capacity_bytes"])
    return storage.resize_volume(operation.pool_name, operation.volume_name, capacity_bytes)


def _wipe_volume(operation: StorageOperation, storage: StoragePort, _: Watch) -> Change:
    algorithm = WipeAlgorithm(operation.arguments_data.get("algorithm") or WipeAlgorithm.ZERO)
    return storage.wipe_volume(operation.pool_name, operation.volume_name, algorithm)


def _delete_volume(operation: StorageOperation, storage: StoragePort, _: Watch) -> Change:
    return storage.delete_volume(operation.pool_name, operation.volume_name)


_ACTIONS: Final[dict[OperationKind, Action]] = {
    K.START: _on_pool(lambda storage, name: storage.start_pool(name)),
    K.STOP: _on_pool(lambda storage, name: storage.stop_pool(name)),
    K.AUTOSTART_ON: _on_pool(lambda storage, name: storage.set_pool_autostart(name, on=True)),
    K.AUTOSTART_OFF: _on_pool(lambda storage, name: storage.set_pool_autostart(name, on=False)),
    K.REFRESH: _on_pool(lambda storage, name: storage.refresh_pool(name)),
    K.UNDEFINE: _stopped_first(lambda storage, name: storage.undefine_pool(name)),
    K.DELETE: _stopped_first(lambda storage, name: storage.delete_pool(name)),
    K.VOLUME_CREATE: _make_volume,
    K.VOLUME_CLONE: _clone_volume,
    K.VOLUME_RESIZE: _resize_volume,
    K.VOLUME_WIPE: _wipe_volume,
    K.VOLUME_DELETE: _delete_volume,
    K.VOLUME_UPLOAD: streams.upload,
    K.VOLUME_DOWNLOAD: streams.download,
}
