"""What must not happen does not happen, is said clearly, and changes nothing on either host."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from hosts.models import Host
from hosts.services.inventory import refresh_host
from jobs import queue
from jobs.engine.phases import Phase
from jobs.models import Migration, StaleTransition
from jobs.options import InvalidOptions, parse_options
from jobs.services import execution, requests
from jobs.services.control import request_cancel
from jobs.services.requests import MoveRefused
from tests.jobs.console import Console, check_ended_row
from tests.lab.guest import LabGuest
from tests.waiting import wait_until

pytestmark = pytest.mark.lab

SLOW: dict[str, Any] = {"bandwidth_mib_per_s": 10}
REFUSED = ["queued", "preparing", "failed"]
Snapshot = Callable[[], tuple[Any, ...]]


@pytest.fixture
def guest(console: Console) -> Iterator[LabGuest]:
    """A running guest on mercury, for tests in which it should stay there."""
    lab = console.lab
    found = lab.guests.get("stayer")
    if found is None or found.where() != {"mercury": "running"} or not found.ping(1):
        lab.reset()
        found = lab.create_guest("mercury", "stayer")
        found.wait_until_answering()
    yield found
    for host in lab.hosts.values():
        host.restore()


@pytest.fixture
def hosts_as_seen(console: Console) -> Snapshot:
    """Everything on both hosts that a refused move must leave alone."""

    def look() -> tuple[Any, ...]:
        for host in console.lab.hosts.values():  # a preflight refreshes them, too
            host.virsh("pool-refresh VM; pool-refresh local")
        return tuple(
            (name, host.virsh("list", "--all"), host.virsh("vol-list", "VM"), host.virsh("vol-list", "local"))
            for name, host in console.lab.hosts.items()
        )

    return look


def check_untouched(migration: Migration, phases: list[str] = REFUSED) -> None:
    assert check_ended_row(migration) == phases
    assert migration.verdict == "not-moved"
    assert "not touched" in migration.outcome_sentence
    assert "Nothing was changed" in migration.help_desk_sentence
    assert (migration.duration_ms, migration.downtime_ms, migration.statistics_data) == (None, None, {})


# Refused when asked: no row, no trace


def test_same_host_is_refused(console: Console, guest: LabGuest, hosts_as_seen: Snapshot) -> None:
    before = hosts_as_seen()
    with pytest.raises(MoveRefused, match="stayer already is on mercury"):
        console.request(guest, "mercury", "mercury")
    assert not Migration.objects.exists()
    assert hosts_as_seen() == before


@pytest.mark.parametrize("host", ["mercury", "jupiter"])
def test_disabled_host_is_refused(console: Console, guest: LabGuest, host: str) -> None:
    console.request(guest, "mercury", "jupiter").delete()
    console.set_host(host, enabled=False)
    with pytest.raises(MoveRefused, match=f"{host} is disabled"):
        requests.request_move(
            console.person("anna"),
            console.find(guest, "mercury"),
            console.hosts["jupiter"],
            parse_options({}),
        )
    assert not Migration.objects.exists()


def test_dead_destination_is_a_blocker_that_names_it(console: Console, guest: LabGuest) -> None:
    console.lab.hosts["jupiter"].kill_libvirtd()
    with pytest.raises(MoveRefused) as refused:
        console.request(guest, "mercury", "jupiter")
    assert "jupiter" in refused.value.message
    assert refused.value.findings
    assert not Migration.objects.exists()


def test_guest_gone_since_the_page_was_drawn_is_refused(console: Console, guest: LabGuest) -> None:
    other = console.lab.create_guest("mercury", "passing", pool=None)
    console.request(other, "mercury", "jupiter").delete()
    row = console.find(other, "mercury")
    console.lab.remove_guest(other)
    assert refresh_host(Host.objects.get(name="mercury"))
    with pytest.raises(MoveRefused, match="passing is no longer on mercury"):
        requests.request_move(console.person("anna"), row, console.hosts["jupiter"], parse_options({}))


def test_name_taken_at_the_destination_is_a_blocker(
    console: Console, guest: LabGuest, hosts_as_seen: Snapshot
) -> None:
    twin = guest_xml_named(guest.name)
    console.lab.hosts["jupiter"].path("/run/twin.xml").write_text(twin)
    console.lab.hosts["jupiter"].virsh("create", "/run/twin.xml")
    before = hosts_as_seen()
    with pytest.raises(MoveRefused) as refused:
        console.request(guest, "mercury", "jupiter")
    assert "name.running-clash" in {finding.id for finding in refused.value.findings}
    assert hosts_as_seen() == before
    assert not Migration.objects.exists()
    console.lab.hosts["jupiter"].virsh("destroy", guest.name)


def guest_xml_named(name: str) -> str:
    return (
        f"<domain type='qemu'><name>{name}</name><memory unit='MiB'>32</memory>"
        "<os><type arch='x86_64'>hvm</type></os><devices/></domain>"
    )


@pytest.mark.parametrize(
    "options",
    [
        {"bandwidth_mib_per_s": -1},
        {"bandwidth_mib_per_s": 2**62},
        {"bandwidth_mib_per_s": 10**30},
        {"parallel": True, "parallel_connections": 0},
        {"timeout_s": -5},
        {"disks_port": 70000, "storage": "copy-all"},
        {"bandwidth_mib_per_s": "many"},
        {"kind": "teleport"},
        {"no_such_option": True},
        {"migrate_uri": "tcp://10.0.0.1:99999"},
        {"destination_name": "a\nb"},
        {"destination_name": "x" * 5000},
        {"destination_xml": "not xml at all"},
    ],
    ids=lambda options: " ".join(f"{name}={str(value)[:20]!r}" for name, value in options.items()),
)
def test_absurd_options_are_refused_before_anything_is_queued(
    console: Console, guest: LabGuest, options: dict[str, Any]
) -> None:
    with pytest.raises((InvalidOptions, MoveRefused)) as refused:
        console.request(guest, "mercury", "jupiter", **options)
    assert str(refused.value)
    assert not Migration.objects.exists()
    assert guest.where() == {"mercury": "running"}


ENTITIES = "".join(
    f'<!ENTITY {new} "{f"&{old};" * 10}">' for old, new in itertools.pairwise("abcdefghijklmnopqrstuvwxyz")
)
BOMB = f'<!DOCTYPE lolz [<!ENTITY a "lol">{ENTITIES}]><domain><name>&z;</name></domain>'


@pytest.mark.parametrize("field", ["destination_xml", "persistent_xml"])
def test_xml_bomb_is_refused_and_not_exploded(console: Console, guest: LabGuest, field: str) -> None:
    with pytest.raises((InvalidOptions, MoveRefused)) as refused:
        console.request(guest, "mercury", "jupiter", **{field: BOMB})
    assert len(str(refused.value)) < 2000
    assert not Migration.objects.exists()
    assert guest.where() == {"mercury": "running"}


# Two at once


def at_the_same_instant(*actions: Callable[[], Any]) -> list[Any]:
    """What each gave or raised."""
    line_up, results = threading.Barrier(len(actions)), {}

    def act(number: int, action: Callable[[], Any]) -> None:
        line_up.wait(10)
        try:
            results[number] = action()
        except Exception as error:  # noqa: BLE001 (told to the test)
            results[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=act, args=item) for item in enumerate(actions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return [results[number] for number in range(len(actions))]


def test_of_two_people_at_the_same_instant_one_wins_and_the_other_is_told_by_whom(
    console: Console, guest: LabGuest
) -> None:
    console.request(guest, "mercury", "jupiter").delete()
    row, there = console.find(guest, "mercury"), console.hosts["jupiter"]
    names = ["anna", "bert", "cleo", "dora"]
    people = [console.person(name) for name in names]
    asked = [
        lambda person=person: requests.request_move(
            person, type(row).objects.get(pk=row.pk), Host.objects.get(pk=there.pk), parse_options({})
        )
        for person in people
    ]
    answers = at_the_same_instant(*asked)
    won = [answer for answer in answers if isinstance(answer, Migration)]
    lost = [answer for answer in answers if isinstance(answer, MoveRefused)]
    assert (len(won), len(lost)) == (1, 3), answers
    for refused in lost:
        assert "is being moved already" in refused.message
        assert won[0].requested_by_name in refused.message
    assert Migration.objects.count() == 1
    assert Migration.objects.get().transitions.count() == 1


def test_second_delivery_finds_the_move_claimed(console: Console, guest: LabGuest) -> None:
    migration = console.request(guest, "mercury", "jupiter", **SLOW)
    first = console.start(migration)
    console.wait_for_bytes(migration)
    row = console.reread(migration)
    execution.run(migration.pk)
    execution.adopt(migration.pk)  # nor may anybody adopt what is looked after
    after = console.reread(migration)
    assert (after.phase, after.epoch, after.worker) == (Phase.TRANSFERRING, row.epoch, row.worker)
    request_cancel(console.person("anna"), after)
    first.join_and_raise(30)
    starts = migration.transitions.filter(new=Phase.PREPARING).count()
    assert starts == 1


# Cancelled


def test_cancel_while_queued_touches_nothing(
    console: Console, guest: LabGuest, hosts_as_seen: Snapshot
) -> None:
    before = hosts_as_seen()
    migration = console.request(guest, "mercury", "jupiter")
    assert "was not touched" in request_cancel(console.person("bert"), migration)
    execution.run(migration.pk)  # the bell comes late
    row = console.reread(migration)
    check_untouched(row, ["queued", "cancelled"])
    assert row.cancel_requested_by == "bert"
    assert hosts_as_seen() == before
    with pytest.raises(MoveRefused, match="has ended"):
        request_cancel(console.person("bert"), row)


@pytest.mark.parametrize(
    "options", [{}, {"control": "direct"}, {"kind": "non-live"}], ids=["p2p", "direct", "non-live"]
)
def test_cancel_during_the_transfer_keeps_the_guest_and_says_so(
    console: Console, guest: LabGuest, hosts_as_seen: Snapshot, options: dict[str, Any]
) -> None:
    before = hosts_as_seen()
    migration = console.request(guest, "mercury", "jupiter", **SLOW, **options)
    worker = console.start(migration)
    console.wait_for_bytes(migration)
    assert "stays on mercury" in request_cancel(console.person("bert"), migration)
    worker.join_and_raise(30)
    row = console.reread(migration)
    assert check_ended_row(row) == ["queued", "preparing", "transferring", "rolling-back", "cancelled"]
    assert row.verdict == "not-moved"
    assert row.source_state.startswith("running")
    assert row.destination_state == "not there"
    assert row.outcome_sentence.startswith("stayer was not moved")
    assert row.error_text == ""
    sentences = [line.sentence for line in row.transitions.all()]
    assert any("Asked libvirt to abort" in sentence for sentence in sentences)
    assert sentences[-1].startswith("Cancelled by bert.")
    assert (row.downtime_ms, row.statistics_data) == (None, {})
    assert hosts_as_seen() == before
    assert console.inventory(row.domain_uuid) == {"mercury": "running"}
    wait_until(guest.ping, 5, "the guest goes on answering")


def test_cancel_too_late_says_why(console: Console, guest: LabGuest) -> None:
    migration = console.request(guest, "mercury", "jupiter")
    for phase, words in (
        (Phase.POSTCOPY, "only go forward"),
        (Phase.CONFIRMING, "being verified"),
        (Phase.ROLLING_BACK, "already being taken back"),
        (Phase.UNCONFIRMED, "not known yet"),
        (Phase.SUCCEEDED, "has ended"),
    ):
        Migration.objects.filter(pk=migration.pk).update(phase=phase)
        with pytest.raises(MoveRefused, match=words):
            request_cancel(console.person("bert"), migration)
    assert console.reread(migration).cancel_requested_at is None


# Changed between the request and the run


def test_guest_stopped_meanwhile_is_not_moved(console: Console, guest: LabGuest) -> None:
    migration = console.request(guest, "mercury", "jupiter")
    console.lab.hosts["mercury"].virsh("destroy", guest.name)
    execution.run(migration.pk)
    row = console.reread(migration)
    check_untouched(row)
    assert "kind.state" in {finding["id"] for finding in row.findings_data}
    assert guest.where() == {"mercury": "shut off"}
    assert console.inventory(row.domain_uuid) == {"mercury": "shut off"}


def test_guest_gone_meanwhile_is_not_moved(console: Console, guest: LabGuest) -> None:
    migration = console.request(guest, "mercury", "jupiter")
    console.lab.hosts["mercury"].virsh("destroy", guest.name)
    console.lab.hosts["mercury"].virsh("undefine", guest.name)
    execution.run(migration.pk)
    row = console.reread(migration)
    assert check_ended_row(row) == REFUSED
    assert "stayer is no longer on mercury" in row.error_text
    assert row.verdict == "not-moved"
    # It would be a lie to say that it still is there.
    assert "still on mercury" not in row.help_desk_sentence
    assert console.inventory(row.domain_uuid) == {}


def test_name_taken_meanwhile_is_found_at_run_time(console: Console, guest: LabGuest) -> None:
    migration = console.request(guest, "mercury", "jupiter")
    console.lab.hosts["jupiter"].path("/run/twin.xml").write_text(guest_xml_named(guest.name))
    console.lab.hosts["jupiter"].virsh("create", "/run/twin.xml")
    execution.run(migration.pk)
    row = console.reread(migration)
    check_untouched(row)
    assert "name.running-clash" in {finding["id"] for finding in row.findings_data}
    assert guest.where() == {"mercury": "running", "jupiter": "running"}
    console.lab.hosts["jupiter"].virsh("destroy", guest.name)


def test_changed_definition_that_libvirt_refuses_leaves_the_guest_alone(
    console: Console, guest: LabGuest, hosts_as_seen: Snapshot
) -> None:
    before = hosts_as_seen()
    row = console.move(guest, "mercury", "jupiter", destination_xml=guest_xml_named("someone-else"))
    assert check_ended_row(row)[-1] == "failed"
    assert row.verdict == "not-moved"
    assert row.error_text
    assert hosts_as_seen() == before


def test_destination_dead_meanwhile_leaves_the_guest_alone(console: Console, guest: LabGuest) -> None:
    migration = console.request(guest, "mercury", "jupiter")
    console.lab.hosts["jupiter"].kill_libvirtd()
    execution.run(migration.pk)
    row = console.reread(migration)
    check_untouched(row)
    # A connection that was open already may not have noticed yet that it is at its end.
    assert re.search("Connection refused|End of file|Connection reset", row.error_text)
    assert "jupiter" in row.error_meaning
    assert row.error_remedy
    assert guest.where() == {"mercury": "running"}


def test_host_disabled_meanwhile_leaves_the_guest_alone(console: Console, guest: LabGuest) -> None:
    migration = console.request(guest, "mercury", "jupiter")
    console.set_host("jupiter", enabled=False)
    execution.run(migration.pk)
    row = console.reread(migration)
    check_untouched(row)
    assert "jupiter is disabled" in row.error_text


@pytest.mark.parametrize("how", ["reject", "drop"])
def test_blocked_migration_port_is_found_before_libvirt_hangs_on_it(
    lab: Any, bells: None, transactional_db: None, how: str
) -> None:
    console = Console(lab, transport="ssh").connect()
    lab.reset()
    guest = lab.create_guest("mercury", "stayer")
    lab.hosts["jupiter"].block_ports(49152, 49215, how=how)
    try:
        with pytest.raises(MoveRefused) as refused:
            console.request(guest, "mercury", "jupiter")
        assert "network.migration-ports" in {finding.id for finding in refused.value.findings}
        assert not Migration.objects.exists()
    finally:
        lab.hosts["jupiter"].unblock_ports()
    assert guest.where() == {"mercury": "running"}


def test_worker_thought_dead_is_fenced_off_when_it_comes_back(console: Console, guest: LabGuest) -> None:
    migration = console.request(guest, "mercury", "jupiter")
    slow = queue.claim_queued(migration.pk)
    assert slow is not None
    console.let_lease_lapse(migration)
    execution.adopt(migration.pk)
    row = console.reread(migration)
    check_untouched(row)
    with pytest.raises(StaleTransition):
        slow.advance(Phase.TRANSFERRING, "I was only slow.")
    assert console.reread(migration).phase == Phase.FAILED
    assert check_ended_row(console.reread(migration)) == REFUSED
