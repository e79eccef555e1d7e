"""All candidates of a guest from stored readings: what clashes is found, what cannot clash is not asked for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from hosts.models import Guest, Host
from hosts.services import pairs
from jobs.engine.phases import Phase
from jobs.models import Waiver
from jobs.options import Kind, MoveOptions, Storage, dump_options
from jobs.services import preflight
from jobs.services.planned import list_planned
from jobs.services.recent import read_records
from tests.jobs.builders import GIB, LOCAL_PATH, disk, probe, reading
from tests.jobs.rows import make_move
from tests.jobs.services.sites import make_host, store, store_pairs

pytestmark = pytest.mark.django_db


@pytest.fixture
def pair() -> tuple[Host, Host]:
    return make_host("mercury"), make_host("jupiter")


def ids(moving: Guest, destination: Host, options: MoveOptions | None = None) -> set[str]:
    pairs.store_pair(moving, destination, reading(), probe())
    return {
        finding.id for finding in preflight.evaluate(moving, destination, options or MoveOptions()).findings
    }


def test_taken_name_is_found_among_many(pair: tuple[Host, Host]) -> None:
    mercury, jupiter = pair
    moving = store(mercury, "web01")
    for number in range(20):
        store(jupiter, f"other{number}", mac=f"52:54:00:00:01:{number:02x}")
    assert "name.running-clash" not in ids(moving, jupiter)
    store(jupiter, "web01", mac="52:54:00:00:02:00")
    assert "name.running-clash" in ids(moving, jupiter)
    assert "name.running-clash" not in ids(moving, jupiter, MoveOptions(destination_name="web02"))


def test_new_name_that_is_taken_is_found(pair: tuple[Host, Host]) -> None:
    mercury, jupiter = pair
    moving = store(mercury, "web01")
    store(jupiter, "web02", mac="52:54:00:00:02:00")
    assert "name.running-clash" in ids(moving, jupiter, MoveOptions(destination_name="web02"))


def test_same_mac_is_found_whatever_its_case(pair: tuple[Host, Host]) -> None:
    mercury, jupiter = pair
    moving = store(mercury, "web01", mac="52:54:00:aa:bb:cc")
    assert "network.mac-clash" not in ids(moving, jupiter)
    store(jupiter, "other", mac="52:54:00:AA:BB:CC")
    assert "network.mac-clash" in ids(moving, jupiter)


def test_blocked_candidates_come_last(pair: tuple[Host, Host]) -> None:
    mercury, jupiter = pair
    saturn = make_host("saturn")
    moving = store(mercury, "web01")
    store(jupiter, "web01", mac="52:54:00:00:02:00")
    for host in (jupiter, saturn):
        pairs.store_pair(moving, host, reading(), probe())
    assert [candidate.host for candidate in preflight.list_candidates(moving, MoveOptions())] == [
        saturn,
        jupiter,
    ]


def test_memory_of_moves_on_their_way_counts(pair: tuple[Host, Host]) -> None:
    mercury, jupiter = pair
    moving, other = store(mercury, "web01"), store(mercury, "db01", mac="52:54:00:00:03:00")
    assert list_planned([jupiter]) == {}
    make_move(mercury, jupiter, name=other.name, domain_uuid=other.domain_uuid)
    planned = list_planned([jupiter])[jupiter.pk]
    assert planned.without(moving.domain_uuid).memory_bytes == other.memory_bytes
    assert planned.without(other.domain_uuid).memory_bytes == 0


def test_storage_of_moves_on_their_way_counts_where_it_is_copied(pair: tuple[Host, Host]) -> None:
    mercury, jupiter = pair
    moving = store(mercury, "web01", disks=(disk(source_path=LOCAL_PATH),))
    store_pairs([moving], [jupiter])
    copied = dump_options(MoveOptions(storage=Storage.COPY_ALL))
    make_move(mercury, jupiter, name="web01", domain_uuid=moving.domain_uuid, options_data=copied)
    assert list_planned([jupiter])[jupiter.pk].storage_bytes == {"local": GIB}


def test_queries_do_not_grow_with_the_number_of_hosts(
    pair: tuple[Host, Host], django_assert_max_num_queries: Any
) -> None:
    mercury, _ = pair
    moving = store(mercury, "web01")
    for number in range(30):
        make_host(f"host{number}")
    store_pairs([moving], list(Host.objects.exclude(pk=mercury.pk)))
    with django_assert_max_num_queries(7):
        candidates = preflight.list_candidates(moving)
    assert len(candidates) == 31


def order(moving: Guest) -> list[str]:
    return [candidate.host.name for candidate in preflight.list_candidates(moving)]


def test_more_room_after_the_move_fits_better(pair: tuple[Host, Host]) -> None:
    mercury, jupiter = pair
    moving = store(mercury, "web01")
    roomy = make_host("saturn", memory_free_bytes=60 * GIB)
    store_pairs([moving], [jupiter, roomy])
    assert order(moving) == ["saturn", "jupiter"]
    candidates = {candidate.host.name: candidate for candidate in preflight.list_candidates(moving)}
    assert candidates["saturn"].headroom == pytest.approx((60 - 2) / 64)


def test_host_where_it_failed_lately_comes_after_one_like_it(pair: tuple[Host, Host]) -> None:
    mercury, jupiter = pair
    moving = store(mercury, "web01")
    saturn = make_host("saturn")
    store_pairs([moving], [jupiter, saturn])
    assert order(moving) == ["jupiter", "saturn"]
    long_ago = timezone.now() - timedelta(days=40)
    failed = {"name": "web01", "phase": Phase.FAILED, "domain_uuid": moving.domain_uuid}
    make_move(mercury, jupiter, requested_at=long_ago, **failed)
    assert order(moving) == ["jupiter", "saturn"]
    make_move(mercury, jupiter, **failed)
    assert order(moving) == ["saturn", "jupiter"]


def test_record_is_of_the_guest_where_it_was_moved_there_before(pair: tuple[Host, Host]) -> None:
    mercury, jupiter = pair
    moving = store(mercury, "web01")
    for took_ms in (900, 1200, 5000):
        make_move(
            mercury,
            jupiter,
            name="db01",
            phase=Phase.SUCCEEDED,
            duration_ms=took_ms,
            downtime_ms=took_ms // 10,
        )
    record = read_records(moving, [jupiter])[jupiter.pk]
    assert (record.own, record.moved, record.failed) == (False, 3, 0)
    assert (record.duration_ms, record.downtime_ms) == (1200, 120)
    make_move(mercury, jupiter, phase=Phase.FAILED, domain_uuid=moving.domain_uuid)
    record = read_records(moving, [jupiter])[jupiter.pk]
    assert (record.own, record.moved, record.failed, record.duration_ms) == (True, 0, 1, None)


def test_local_disks_are_copied_only_where_that_meets_fewer_blockers(pair: tuple[Host, Host]) -> None:
    mercury, jupiter = pair
    moving = store(mercury, "web01", disks=(disk(source_path=LOCAL_PATH),))
    store_pairs([moving], [jupiter], volumes={LOCAL_PATH: None})
    (candidate,) = preflight.list_candidates(moving)
    assert candidate.options.storage is Storage.COPY_ALL
    (fixed,) = preflight.list_candidates(moving, MoveOptions(kind=Kind.LIVE))
    assert fixed.options.storage is Storage.SHARED
    assert len(fixed.evaluation.blockers) > len(candidate.evaluation.blockers)


def test_waiver_counts_for_its_guest_and_destination_only() -> None:
    mercury = make_host("mercury")
    jupiter, saturn = (make_host(name, memory_free_bytes=GIB) for name in ("jupiter", "saturn"))
    moving = store(mercury, "web01")
    store_pairs([moving], [jupiter, saturn])
    found = {candidate.host.name: candidate.evaluation for candidate in preflight.list_candidates(moving)}
    (blocker,) = found["jupiter"].blockers
    assert [one.id for one in found["saturn"].blockers] == ["memory.headroom"]
    Waiver.objects.create(
        domain_uuid=moving.domain_uuid, guest_name="web01", destination=jupiter, check_id=blocker.id,
        subject=blocker.subject, reason="tested", waived_by_name="anna",
        valid_until=timezone.now() + timedelta(days=1),
    )  # fmt: skip
    found = {candidate.host.name: candidate.evaluation for candidate in preflight.list_candidates(moving)}
    assert found["jupiter"].blockers == ()
    assert any("anna" in one.waived for one in found["jupiter"].warnings)
    assert len(found["saturn"].blockers) == 1


def test_reading_that_was_never_made_is_unread_and_an_old_one_is_waited_for(pair: tuple[Host, Host]) -> None:
    mercury, jupiter = pair
    moving = store(mercury, "web01")
    (never,) = preflight.list_candidates(moving)
    assert never.evaluation.unread
    assert never.evaluation.waiting
    pairs.store_pair(moving, jupiter, reading(), probe())
    moving_pair = pairs.find_pair(moving, jupiter)
    assert moving_pair is not None
    moving_pair.read_at = timezone.now() - timedelta(minutes=5)
    moving_pair.save()
    (old,) = preflight.list_candidates(moving)
    assert not old.evaluation.unread
    assert old.evaluation.waiting
    assert old.evaluation.read_at == moving_pair.read_at
