"""What a worker does beside the work: its lease, its bytes, and how it learns that it is to stop."""

from __future__ import annotations

import time
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from hosts.models import OperationOutcome, StorageOperation
from hosts.services import storage_watch, storage_work
from hosts.services.storage_kinds import OperationKind
from hosts.services.storage_watch import CancelledByPerson, Fenced, Watch, leased
from tests.hosts.services.storage import make_host, make_pool
from tests.waiting import wait_until


def make_operation(**more: Any) -> StorageOperation:
    values = {
        "kind": OperationKind.VOLUME_UPLOAD,
        "volume_name": "a.img",
        "claimed_at": timezone.now(),
    } | more
    host = make_host("mercury", make_pool("VM"))
    return StorageOperation.objects.create(host=host, pool_name="VM", asked_by_name="anna", **values)


def lease(operation: StorageOperation) -> Any:
    return StorageOperation.objects.values_list("lease_until", flat=True).get(pk=operation.pk)


@pytest.mark.django_db(transaction=True)
def test_lease_is_renewed_while_the_work_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_watch, "RENEW_EVERY_S", 0.02)
    old = timezone.now() - timedelta(minutes=1)
    operation = make_operation(lease_until=old)
    with leased(operation):
        wait_until(lambda: lease(operation) > timezone.now(), 5, "the lease is renewed")
    assert "storage-lease" not in [thread.name for thread in storage_watch.threading.enumerate()]


@pytest.mark.django_db(transaction=True)
def test_lease_is_renewed_again_after_the_database_was_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_watch, "RENEW_EVERY_S", 0.02)
    operation = make_operation(lease_until=timezone.now() - timedelta(minutes=1))
    away: list[bool] = []

    def now() -> Any:
        if not away:
            away.append(True)
            raise OperationalError("the database is restarted")
        return timezone.now()

    monkeypatch.setattr(storage_watch, "timezone", SimpleNamespace(now=now))
    with leased(operation):
        wait_until(lambda: lease(operation) > timezone.now(), 5, "the lease is renewed")
    assert away


@pytest.mark.django_db(transaction=True)
def test_lease_of_what_has_ended_is_not_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_watch, "RENEW_EVERY_S", 0.01)
    operation = make_operation(ended_at=timezone.now(), outcome=OperationOutcome.UNKNOWN)
    names = lambda: [thread.name for thread in storage_watch.threading.enumerate()]  # noqa: E731
    with leased(operation):
        wait_until(lambda: "storage-lease" not in names(), 5, "the thread ends by itself")
    assert lease(operation) is None


@pytest.mark.django_db
def test_worker_learns_that_it_was_cancelled_or_fenced_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_watch, "TELL_EVERY_S", 0.0)
    operation = make_operation()
    watch = Watch(operation)
    watch.begin_bytes(10)
    watch.add_bytes(4)
    assert StorageOperation.objects.values_list("done_bytes", "total_bytes").get() == (4, 10)
    StorageOperation.objects.update(cancel_requested_at=timezone.now())
    with pytest.raises(CancelledByPerson):
        watch.add_bytes(1)
    StorageOperation.objects.update(ended_at=timezone.now(), outcome=OperationOutcome.UNKNOWN)
    with pytest.raises(Fenced):
        watch.add_bytes(1)
    assert StorageOperation.objects.get().done_bytes == 5  # what has ended is not written any more


@pytest.mark.django_db
def test_progress_is_told_at_most_twice_a_second() -> None:
    watch = Watch(make_operation())
    watch.begin_bytes(10**9)
    started, told = time.monotonic(), []
    write = watch._write
    watch._write = lambda **changes: (told.append(changes), write(**changes))  # type: ignore[method-assign,assignment]
    for _ in range(10_000):
        watch.add_bytes(1)
    assert len(told) <= 1 + (time.monotonic() - started) / storage_watch.TELL_EVERY_S
    assert watch.done_bytes == 10_000


@pytest.mark.django_db(transaction=True)
def test_fault_of_the_product_itself_ends_as_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(_: StorageOperation) -> Any:
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr(storage_work, "_do", break_down)
    monkeypatch.setattr(storage_work.inventory, "refresh_host", lambda _: False)
    operation = make_operation(claimed_at=None, kind=OperationKind.VOLUME_DELETE)
    storage_work.run(operation.pk)
    operation.refresh_from_db()
    assert (operation.outcome, "RuntimeError" in operation.sentence) == (OperationOutcome.UNKNOWN, True)
    assert "nobody foresaw" not in operation.sentence
