"""Volumes as they are stored: many at once, only what changed, never deleted by silence."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from hosts.models import PoolContents, Volume
from hosts.services import contents
from hosts.services.contents import request_contents, store_contents
from hosts.storage_ports import PoolReading
from tests.hosts.services.storage import make_host, make_pool, make_volume, store

pytestmark = pytest.mark.django_db
POOL = make_pool("VM")


@pytest.fixture(autouse=True)
def rung(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    monkeypatch.setattr(contents, "ring", lambda *words, **_: not found.append(words))
    return found


def test_twenty_thousand_volumes_are_stored_in_seconds() -> None:
    host = make_host("mercury", POOL)
    many = [make_volume(f"v{number:05}.qcow2") for number in range(20_000)]
    started = time.monotonic()
    store(host, POOL, *many)
    assert time.monotonic() - started < 15
    assert Volume.objects.count() == 20_000
    started = time.monotonic()
    store(host, POOL, *many[1:], make_volume("new.qcow2"))
    assert time.monotonic() - started < 5
    assert Volume.objects.count() == 20_000
    assert not Volume.objects.filter(name="v00000.qcow2").exists()


def test_row_of_a_volume_that_stays_is_kept() -> None:
    host = make_host("mercury", POOL)
    store(host, POOL, make_volume("a"), make_volume("b"))
    before = dict(Volume.objects.values_list("name", "pk"))
    store(host, POOL, make_volume("a", allocation_bytes=2), make_volume("b"))
    assert dict(Volume.objects.values_list("name", "pk")) == before
    assert Volume.objects.get(name="a").allocation_bytes == 2


def test_older_answer_changes_nothing() -> None:
    host = make_host("mercury", POOL)
    store(host, POOL, make_volume("new"))
    earlier = timezone.now() - timedelta(seconds=5)
    store_contents(host, "VM", PoolReading(POOL, "<old/>", "<old/>"), [make_volume("old")], earlier)
    assert [volume.name for volume in Volume.objects.all()] == ["new"]
    assert PoolContents.objects.get().definition_xml == "<pool/>"


def test_stopped_pool_keeps_its_volumes_and_their_age() -> None:
    host = make_host("mercury", POOL)
    store(host, POOL, make_volume("a"))
    read_at = PoolContents.objects.get().read_at
    row = store_contents(host, "VM", PoolReading(POOL, "<new/>", "<new/>"), None, timezone.now())
    assert (row.definition_xml, row.read_at, row.volumes.count()) == ("<new/>", read_at, 1)
    assert "not active" in row.error
    assert row.error_remedy


def test_pool_is_asked_for_once_at_a_time_and_not_while_fresh(rung: list[Any]) -> None:
    host = make_host("mercury", POOL)
    assert request_contents(host, "VM")
    assert not request_contents(host, "VM")
    assert rung == [("hosts.tasks.read_contents_task", host.pk, "VM")]
    store(host, POOL, make_volume("a"))
    assert not request_contents(host, "VM")
    assert request_contents(host, "VM", anew=True)
    PoolContents.objects.update(read_at=timezone.now() - timedelta(minutes=2), asked_at=None)
    assert request_contents(host, "VM")


def test_failed_reading_is_not_asked_for_again_at_once(rung: list[Any]) -> None:
    """A page that hears of the failure draws itself anew, and must not ask in a circle."""
    host = make_host("mercury", POOL)
    request_contents(host, "VM")
    contents._record_error(host, "VM", "mercury does not answer.", "")
    assert not request_contents(host, "VM")


def test_disabled_host_is_not_asked(rung: list[Any]) -> None:
    assert not request_contents(make_host("mercury", POOL, enabled=False), "VM")
    assert rung == []
