"""Orders: refused, one at a time, claimed once, withdrawn, lapsed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from hosts.facts.storage import VolumeFacts
from hosts.models import AuditEntry, OperationOutcome, StorageOperation, StorageRun
from hosts.services import storage_orders, storage_work
from hosts.services.storage_live_guard import refuse_hurting_live
from hosts.services.storage_orders import OperationKind as K
from hosts.services.storage_orders import StorageRefused, cancel, expire_lapsed, order
from hosts.services.storage_steps import is_placed
from hosts.storage_ports import PoolReading
from tests.hosts.services.storage import (
    MIB,
    make_guest,
    make_host,
    make_pool,
    make_template,
    make_volume,
    store,
)
from tests.jobs.console import Console

pytestmark = pytest.mark.django_db
O = OperationOutcome  # noqa: E741


@pytest.fixture(autouse=True)
def rung(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    for place in ("storage_orders", "contents", "inventory"):
        monkeypatch.setattr(f"hosts.services.{place}.ring", lambda *words, **_: not found.append(words))
    return found


def ask(
    host: Any, kind: K = K.START, volume: str = "", pool: str = "VM", who: str = "anna", **more: Any
) -> Any:
    return order(Console.person(who), host, kind, pool, volume, **more)


def test_same_thing_twice_says_who_asked_and_when(
    django_capture_on_commit_callbacks: Any, rung: list[Any]
) -> None:
    host = make_host("mercury", make_pool("VM"))
    with django_capture_on_commit_callbacks(execute=True):
        first = ask(host)
    assert rung == [("hosts.tasks.run_storage_operation", first.pk)]
    with pytest.raises(
        StorageRefused, match=r"anna asked at .* for this: Start pool VM, on mercury"
    ) as refused:
        ask(host, K.REFRESH, who="bert")
    assert refused.value.under_way == first
    assert AuditEntry.objects.filter(action="storage.refresh", outcome="refused").exists()
    assert StorageOperation.objects.count() == 1


def test_database_itself_refuses_the_second_of_two_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    host = make_host("mercury", make_pool("VM"))
    first = ask(host)
    found = iter([None, first])
    monkeypatch.setattr(storage_orders, "find_in_the_way", lambda _: next(found))
    with pytest.raises(StorageRefused) as refused:
        ask(host)
    assert refused.value.under_way == first


def test_pool_waits_for_its_volumes_and_volumes_for_their_pool() -> None:
    host = make_host("mercury", make_pool("VM"))
    ask(host, K.VOLUME_DELETE, "a.img")
    ask(host, K.VOLUME_DELETE, "b.img")
    with pytest.raises(StorageRefused, match=r"Delete volume a\.img"):
        ask(host, K.STOP)
    StorageOperation.objects.update(ended_at=timezone.now(), outcome=O.DONE)
    ask(host, K.STOP)
    with pytest.raises(StorageRefused, match="Stop pool VM"):
        ask(host, K.VOLUME_DELETE, "a.img")


def test_disabled_host_is_refused() -> None:
    with pytest.raises(StorageRefused, match="mercury is disabled"):
        ask(make_host("mercury", make_pool("VM"), enabled=False))
    assert AuditEntry.objects.get().outcome == "refused"


@pytest.mark.parametrize(
    ("kind", "volume", "arguments"),
    [
        ("explode", "", {}),
        (K.START, "volume.img", {}),
        (K.VOLUME_DELETE, "", {}),
        (K.VOLUME_CREATE, "a/b", {"capacity_bytes": MIB}),
        (K.VOLUME_CREATE, "..", {"capacity_bytes": MIB}),
        (K.VOLUME_CREATE, "a\nb", {"capacity_bytes": MIB}),
        (K.VOLUME_CREATE, "ä" * 128, {"capacity_bytes": MIB}),
        (K.VOLUME_CREATE, "a", {}),
        (K.VOLUME_CREATE, "a", {"capacity_bytes": 0}),
        (K.VOLUME_CREATE, "a", {"capacity_bytes": True}),
        (K.VOLUME_CREATE, "a", {"capacity_bytes": 2**64}),
        (K.VOLUME_CREATE, "a", {"capacity_bytes": MIB, "preallocation": "lots"}),
        (K.VOLUME_CREATE, "a", {"capacity_bytes": MIB, "backing_path": "/pool/b"}),
        (K.VOLUME_CLONE, "a", {}),
        (K.VOLUME_CLONE, "a", {"new_name": "../b"}),
        (K.VOLUME_RESIZE, "a", {"capacity_bytes": -1}),
        (K.VOLUME_WIPE, "a", {"algorithm": "hammer"}),
        (K.VOLUME_UPLOAD, "a", {}),
    ],
)
def test_nonsense_is_refused(kind: K, volume: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(StorageRefused):
        ask(make_host("mercury", make_pool("VM")), kind, volume, arguments=arguments)
    assert not StorageOperation.objects.exists()


@pytest.mark.parametrize("kind", [K.VOLUME_DELETE, K.VOLUME_WIPE, K.VOLUME_UPLOAD, K.VOLUME_RESIZE, K.DELETE])
def test_what_a_running_guest_uses_is_never_touched(kind: K) -> None:
    host = make_host("mercury", make_pool("VM"))
    make_guest(host, "web01", "/pool/a.img")
    arguments = {"capacity_bytes": MIB, "spool": "token"}
    with pytest.raises(StorageRefused, match="in use by web01 on mercury"):
        ask(host, kind, "" if kind is K.DELETE else "a.img", arguments=arguments, confirmed="VM")


def test_volume_of_a_guest_that_is_off_may_grow_but_not_go() -> None:
    host = make_host("mercury", make_pool("VM"))
    make_guest(host, "web01", "/pool/a.img", state="shut off")
    with pytest.raises(StorageRefused):
        ask(host, K.VOLUME_DELETE, "a.img")
    ask(host, K.VOLUME_RESIZE, "a.img", arguments={"capacity_bytes": MIB})


def test_pool_of_running_guests_is_stopped_only_with_its_name_typed() -> None:
    host = make_host("mercury", make_pool("VM"))
    make_guest(host, "web01", "/pool/a.img")
    for typed in ("", "vm", "VM "):
        with pytest.raises(StorageRefused, match="web01 on mercury"):
            ask(host, K.STOP, confirmed=typed)
    assert ask(host, K.STOP, confirmed="VM").arguments_data == {"confirmed": "VM"}


def test_guest_of_another_host_does_not_keep_a_pool_from_stopping_here() -> None:
    shared = make_pool("VM", type="netfs", source="netfs nfs 10.0.0.5:/srv/vm")
    host = make_host("mercury", shared)
    make_guest(make_host("jupiter", shared), "far", "/pool/a.img")
    ask(host, K.STOP)
    with pytest.raises(StorageRefused, match="far on jupiter"):
        ask(make_host("saturn", shared), K.DELETE)


def test_volume_group_whose_volumes_were_never_read_is_not_deleted() -> None:
    pool = make_pool("vg", "/dev/vg", type="logical", source="logical vg", active=False)
    host = make_host("mercury", pool)
    with pytest.raises(StorageRefused, match="were never read"):
        ask(host, K.DELETE, pool="vg")
    store(host, pool, make_volume("root", "vg", "/dev/vg/root"))
    with pytest.raises(StorageRefused, match="still holds volumes: root"):
        ask(host, K.DELETE, pool="vg")


def test_second_delivery_finds_it_claimed() -> None:
    operation = ask(make_host("mercury", make_pool("VM")))
    assert storage_work.claim(operation.pk) is not None
    assert storage_work.claim(operation.pk) is None


def test_long_copies_leave_a_slot_free() -> None:
    host = make_host("mercury", make_pool("VM"))
    copies = [ask(host, K.VOLUME_WIPE, f"{number}.img", arguments={}) for number in range(3)]
    other = ask(host, K.VOLUME_DELETE, "short.img")
    assert [storage_work.claim(copy.pk) is not None for copy in copies] == [True, True, False]
    assert storage_work.claim(other.pk) is not None


def test_what_waits_is_withdrawn_at_once_and_what_runs_is_asked_to_stop() -> None:
    host, anna = make_host("mercury", make_pool("VM")), Console.person("anna")
    waiting = cancel(anna, ask(host, K.VOLUME_DELETE, "a.img"))
    assert (waiting.outcome, storage_work.claim(waiting.pk)) == (O.CANCELLED, None)
    upload = ask(host, K.VOLUME_UPLOAD, "b.img", arguments={"spool": "token", "create": True})
    storage_work.claim(upload.pk)
    assert cancel(anna, upload).cancel_requested_at is not None
    deletion = ask(host, K.VOLUME_DELETE, "c.img")
    storage_work.claim(deletion.pk)
    with pytest.raises(StorageRefused, match="cannot interrupt"):
        cancel(anna, deletion)


def test_order_that_nobody_takes_is_withdrawn(rung: list[Any]) -> None:
    operation = ask(make_host("mercury", make_pool("VM")))
    storage_orders.ring_waiting()
    assert ("hosts.tasks.run_storage_operation", operation.pk) in rung
    StorageOperation.objects.update(asked_at=timezone.now() - timedelta(hours=1))
    expire_lapsed()
    operation.refresh_from_db()
    assert (operation.outcome, "nothing was changed" in operation.sentence) == (O.REFUSED, True)


def test_lapsed_lease_ends_as_unknown_once_and_reads_the_host(rung: list[Any]) -> None:
    host = make_host("mercury", make_pool("VM"))
    operation = ask(host)
    storage_work.claim(operation.pk)
    expire_lapsed()
    assert StorageOperation.objects.get().ended_at is None  # its lease holds
    StorageOperation.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    expire_lapsed()
    expire_lapsed()
    assert StorageOperation.objects.get().outcome == O.UNKNOWN
    assert AuditEntry.objects.filter(outcome="unknown").count() == 1
    assert ("hosts.tasks.read_contents_task", host.pk, "VM") in rung
    assert not storage_orders.end_operation(operation, O.DONE, "Too late.")
    assert StorageOperation.objects.get().outcome == O.UNKNOWN


def test_bell_that_cannot_be_rung_withdraws_the_order(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    monkeypatch.setattr(storage_orders, "ring", lambda *_, **__: False)
    with django_capture_on_commit_callbacks(execute=True):
        operation = ask(make_host("mercury", make_pool("VM")))
    operation.refresh_from_db()
    assert (operation.outcome, "could not be called" in operation.sentence) == (O.REFUSED, True)


def test_secret_counts_as_set_only_by_the_last_apply_of_this_very_version() -> None:
    host = make_host("mercury", make_pool("VM"))
    template = make_template("VM", host)

    def applied(version: int, outcome: str = O.DONE, *, dry: bool = False) -> StorageOperation:
        run = StorageRun.objects.create(template=template, template_name="VM", asked_by_name="anna", dry=dry)
        return StorageOperation.objects.create(
            run=run, host=host, kind=K.APPLY, pool_name="VM", asked_by_name="anna", outcome=outcome,
            arguments_data={"version": version}, ended_at=timezone.now(),
        )  # fmt: skip

    assert not is_placed(applied(1))
    assert is_placed(applied(1))
    assert not is_placed(applied(2, O.FAILED))
    assert not is_placed(applied(2))
    applied(3, dry=True)
    assert is_placed(applied(2))
    assert not is_placed(applied(3))


class VolumeGroup:
    """What the worker's guard asks of a host: one pool of type logical, as libvirt tells it."""

    def __init__(self, *, active: bool, allocation_bytes: int = 0, made_beside: str = "") -> None:
        self.pool = make_pool(
            "vg", "/dev/vg", type="logical", active=active, allocation_bytes=allocation_bytes
        )
        self.hidden = [make_volume(made_beside, "vg", f"/dev/vg/{made_beside}")] if made_beside else []
        self.shown: list[VolumeFacts] = []

    @property
    def storage(self) -> VolumeGroup:
        return self

    def find_pool(self, name: str) -> PoolReading:
        return PoolReading(self.pool, "<pool/>", "<pool/>")

    def refresh_pool(self, name: str) -> None:
        self.shown = self.hidden

    def read_volumes(self, name: str) -> list[VolumeFacts]:
        return self.shown

    def find_users(self, paths: list[str]) -> tuple[tuple[str, str], ...]:
        return ()


@pytest.mark.parametrize(
    ("group", "words"),
    [
        (VolumeGroup(active=False), "cannot be seen"),
        (VolumeGroup(active=True, made_beside="root"), "still holds 1 volumes"),
        (VolumeGroup(active=True, allocation_bytes=MIB), "does not show"),
        (VolumeGroup(active=True), ""),
    ],
    ids=["inactive", "made-beside-libvirt", "thin", "empty"],
)
def test_worker_deletes_a_volume_group_only_when_it_sees_now_that_it_is_empty(
    group: VolumeGroup, words: str
) -> None:
    """What was read of it may be a year old, and libvirt removes the group with all that is in it."""
    pool = make_pool("vg", "/dev/vg", type="logical", source="logical vg")
    host = make_host("mercury", pool)
    store(host, pool)
    operation = ask(host, K.DELETE, pool="vg")
    if not words:
        refuse_hurting_live(operation, group)  # type: ignore[arg-type]
        return
    with pytest.raises(StorageRefused, match=words):
        refuse_hurting_live(operation, group)  # type: ignore[arg-type]
