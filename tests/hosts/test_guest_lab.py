"""Guests on real hosts: reading, moving, cancelling, watching, and what the source sees of its peer."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from hosts.driver.connection import Connection
from hosts.driver.events import DomainEvent, EventKind, watch_domain_events
from hosts.errors import HostUnreachable, OperationAborted, OperationFailed, Refused
from hosts.facts.domain import DomainState
from hosts.ports import MigrateFlag, TransferOrder
from tests.lab import Lab
from tests.lab.guest import LabGuest
from tests.waiting import wait_until

pytestmark = pytest.mark.lab

Connect = Callable[..., Connection]
MOVE = frozenset({MigrateFlag.LIVE, MigrateFlag.PERSIST_DEST, MigrateFlag.UNDEFINE_SOURCE})
SLOW = {"bandwidth": 5}  # MiB/s: long enough to look at


@pytest.fixture
def guest(clean_lab: Lab) -> LabGuest:
    return clean_lab.create_guest("mercury", "web-1")


@pytest.fixture
def in_background() -> Iterator[Callable[[Callable[[], None]], Callable[[], BaseException | None]]]:
    """Run a blocking call in a thread; what comes back waits for it and gives its error."""
    threads: list[threading.Thread] = []

    def start(action: Callable[[], None]) -> Callable[[], BaseException | None]:
        errors: list[BaseException] = []

        def run() -> None:
            try:
                action()
            except Exception as error:  # noqa: BLE001 — whatever it is, the test is to show it
                errors.append(error)

        thread = threading.Thread(target=run)
        threads.append(thread)
        thread.start()

        def finished() -> BaseException | None:
            thread.join(60)
            assert not thread.is_alive()
            return errors[0] if errors else None

        return finished

    yield start
    for thread in threads:
        thread.join(60)


def peer_to_peer(lab: Lab, guest: LabGuest, host: str, **parameters: int | str) -> TransferOrder:
    uri = {"migrate_uri": f"tcp://{lab.hosts[host].address}"}
    flags = MOVE | {MigrateFlag.PEER2PEER}
    return TransferOrder(guest.uuid, flags, uri | parameters, lab.hosts[host].peer_uri("tcp"))


def test_host_is_read_whole(lab: Lab, connect: Connect) -> None:
    facts = connect("mercury").read_facts()
    assert (facts.host_uuid, facts.hostname, facts.hypervisor) == (
        lab.hosts["mercury"].uuid,
        "mercury",
        "QEMU",
    )
    assert {pool.name for pool in facts.pools} >= {"VM", "local"}
    assert "br0" in facts.bridges
    assert facts.memory_free_bytes
    assert facts.memory_free_bytes < facts.memory_bytes
    assert facts.unread == ()


def test_running_and_shut_off_and_transient_guests_are_read(clean_lab: Lab, connect: Connect) -> None:
    clean_lab.create_guest("mercury", "running")
    clean_lab.create_guest("mercury", "off", start=False)
    clean_lab.create_guest("mercury", "transient", persistent=False, pool=None)
    connection = connect("mercury")
    readings = {reading.name: reading for reading in connection.read_guests()}
    assert {name: reading.status.state for name, reading in readings.items()} == {
        "running": DomainState.RUNNING,
        "off": DomainState.SHUT_OFF,
        "transient": DomainState.RUNNING,
    }
    assert readings["transient"].inactive_xml == ""
    assert not readings["transient"].status.persistent
    assert readings["off"].xml == readings["off"].inactive_xml
    for reading in readings.values():
        alone = connection.find_guest_reading(reading.domain_uuid)
        assert alone is not None
        assert (alone.status, alone.facts) == (reading.status, reading.facts)


def test_strange_name_neither_hides_nor_breaks(clean_lab: Lab, connect: Connect) -> None:
    name = "<script>'\"& 🖥️ Büro"
    escaped = name.replace("&", "&amp;").replace("<", "&lt;")

    def rename(xml: str) -> str:
        return xml.replace("<name>odd</name>", f"<name>{escaped}</name>")

    odd = clean_lab.create_guest("mercury", "odd", start=False, pool=None)
    connection = connect("mercury")
    reading = connection.find_guest_reading(odd.uuid)
    assert reading is not None
    other_uuid = "11111111-2222-4333-8444-555555555555"
    connection.define_guest(rename(reading.inactive_xml).replace(odd.uuid, other_uuid))
    try:
        assert {one.name for one in connection.read_guests()} == {"odd", name}
        found = connection.find_guest(other_uuid)
        assert found is not None
        assert found.read_status().state is DomainState.SHUT_OFF
    finally:
        stranger = connection.find_guest(other_uuid)
        if stranger is not None:
            stranger.undefine()


def test_guest_that_is_not_there_is_none(connect: Connect) -> None:
    connection = connect("mercury")
    assert connection.find_guest("11111111-2222-4333-8444-000000000000") is None
    assert connection.find_guest_reading("11111111-2222-4333-8444-000000000000") is None


def test_description_that_is_none_is_refused(connect: Connect) -> None:
    with pytest.raises(Refused):
        connect("mercury").define_guest("<domain type='qemu'><name>x</name>")


def test_destination_says_what_it_knows_of_a_guest(clean_lab: Lab, guest: LabGuest, connect: Connect) -> None:
    reading = connect("mercury").find_guest_reading(guest.uuid)
    assert reading is not None
    path = reading.facts.disks[0].source_path
    said = connect("jupiter").read_for_guest(
        reading, disk_paths=(path, "/var/lib/libvirt/images/VM/none.img", "/nowhere/x")
    )
    assert said.cpu.result in {"identical", "superset"}
    known = said.volumes[path]
    assert known is not None
    assert known.pool == "VM"
    assert said.volumes["/var/lib/libvirt/images/VM/none.img"] is None
    assert "/nowhere/x" not in said.volumes


def test_cpu_the_destination_lacks_is_named(clean_lab: Lab, connect: Connect) -> None:
    def with_feature(xml: str) -> str:
        return xml.replace("</cpu>", "<feature policy='require' name='avx512f'/></cpu>")

    guest = clean_lab.create_guest("mercury", "avx", start=False, pool=None, xml_edit=with_feature)
    reading = connect("mercury").find_guest_reading(guest.uuid)
    assert reading is not None
    comparison = connect("jupiter").read_for_guest(reading, disk_paths=()).cpu
    assert comparison.result == "incompatible"
    assert "avx512f" in comparison.detail


@pytest.mark.parametrize("peer", [True, False], ids=["peer-to-peer", "direct"])
def test_guest_moves_and_leaves_statistics(
    clean_lab: Lab, guest: LabGuest, connect: Connect, peer: bool
) -> None:
    source, destination = connect("mercury"), connect("jupiter")
    moving = source.find_guest(guest.uuid)
    assert moving is not None
    assert moving.read_job() is None
    order = peer_to_peer(clean_lab, guest, "jupiter") if peer else TransferOrder(guest.uuid, MOVE)
    moving.transfer(order, None if peer else destination)
    assert source.find_guest(guest.uuid) is None
    arrived = destination.find_guest(guest.uuid)
    assert arrived is not None
    status = arrived.read_status()
    assert (status.state, status.reason, status.persistent) == (DomainState.RUNNING, "migrated", True)
    for _ in range(2):  # the record stays for the next reader
        completed = arrived.read_completed_job()
        assert completed is not None
        assert completed.downtime_ms is not None
        assert completed.type == "completed"


def test_running_move_is_seen_on_both_hosts_and_can_be_cancelled(
    clean_lab: Lab,
    guest: LabGuest,
    connect: Connect,
    in_background: Callable[[Callable[[], None]], Callable[[], BaseException | None]],
) -> None:
    moving = connect("mercury").find_guest(guest.uuid)
    watched = connect("mercury").find_guest(guest.uuid)
    destination = connect("jupiter")
    assert moving is not None
    assert watched is not None
    order = peer_to_peer(clean_lab, guest, "jupiter", **SLOW)
    finished = in_background(lambda: moving.transfer(order, None))

    def sent() -> bool:
        job = watched.read_job()
        return bool(job and job.operation == "migration-out" and job.memory_processed_bytes)

    wait_until(sent, 20, "the move under way")
    arriving = destination.find_guest(guest.uuid)
    assert arriving is not None
    assert arriving.read_status().job == "incoming"
    assert arriving.read_job() is None
    assert watched.read_status().job == "unbounded"
    watched.set_max_downtime(500)
    watched.set_bandwidth(6)
    watched.abort_job()
    assert isinstance(finished(), OperationAborted)
    status = watched.read_status()
    assert (status.state, status.job) == (DomainState.RUNNING, "")
    assert destination.find_guest(guest.uuid) is None


def test_move_to_a_host_without_daemon_fails_and_changes_nothing(
    clean_lab: Lab, guest: LabGuest, connect: Connect
) -> None:
    clean_lab.hosts["jupiter"].kill_libvirtd()
    moving = connect("mercury").find_guest(guest.uuid)
    assert moving is not None
    with pytest.raises(OperationFailed) as failure:
        moving.transfer(peer_to_peer(clean_lab, guest, "jupiter"), None)
    assert failure.value.libvirt_code == 38
    assert failure.value.remedy
    assert moving.read_status().state is DomainState.RUNNING


def test_source_that_does_not_know_its_peers_key_says_whose_login_failed(
    clean_lab: Lab, guest: LabGuest, connect: Connect
) -> None:
    jupiter = clean_lab.hosts["jupiter"]
    jupiter.replace_host_key()
    moving = connect("mercury").find_guest(guest.uuid)
    assert moving is not None
    order = TransferOrder(guest.uuid, MOVE | {MigrateFlag.PEER2PEER}, {}, jupiter.peer_uri("ssh"))
    with pytest.raises(OperationFailed, match="source's own login") as failure:
        moving.transfer(order, None)
    assert "virsh -c" in failure.value.remedy


def test_unsafe_move_is_refused_in_words(clean_lab: Lab, connect: Connect) -> None:
    guest = clean_lab.create_guest("mercury", "local-1", pool="local")
    moving = connect("mercury").find_guest(guest.uuid)
    assert moving is not None
    with pytest.raises(Refused) as refusal:
        moving.transfer(peer_to_peer(clean_lab, guest, "jupiter"), None)
    assert refusal.value.libvirt_code == 81
    assert "shar" in refusal.value.message


def test_direct_move_without_a_destination_is_refused(guest: LabGuest, connect: Connect) -> None:
    moving = connect("mercury").find_guest(guest.uuid)
    assert moving is not None
    with pytest.raises(Refused, match="open connection"):
        moving.transfer(TransferOrder(guest.uuid, MOVE), None)


def test_suspend_resume_autostart_destroy_undefine(guest: LabGuest, connect: Connect) -> None:
    connection = connect("mercury")
    found = connection.find_guest(guest.uuid)
    assert found is not None
    found.suspend()
    assert found.read_status().words == "paused (user)"
    found.resume()
    assert found.read_status().words == "running (unpaused)"
    found.set_autostart(True)
    assert found.read_status().autostart is True
    assert "<domain" in found.read_xml(secure=True, migratable=True)
    found.destroy()
    assert found.read_status().words == "shut off (destroyed)"
    found.undefine()
    assert connection.find_guest(found.domain_uuid) is None


def test_lost_connection_is_unreachable_never_absent(
    clean_lab: Lab, guest: LabGuest, connect: Connect
) -> None:
    connection, domain_uuid = connect("mercury"), guest.uuid
    clean_lab.hosts["mercury"].kill_libvirtd()
    with pytest.raises(HostUnreachable):
        connection.find_guest(domain_uuid)
    with pytest.raises(HostUnreachable):
        connection.read_guests()
    assert not connection.is_alive()


def test_daemon_that_stops_answering_is_noticed_while_it_is_asked(clean_lab: Lab, connect: Connect) -> None:
    connection = connect("mercury")
    clean_lab.hosts["mercury"].pause_libvirtd()
    started = time.monotonic()
    with pytest.raises(HostUnreachable):
        connection.read_guests()
    assert time.monotonic() - started < 15
    clean_lab.hosts["mercury"].resume_libvirtd()


def test_events_of_a_guest_arrive_and_the_end_of_the_connection_is_one(
    clean_lab: Lab, guest: LabGuest, connect: Connect
) -> None:
    events: queue.Queue[DomainEvent] = queue.Queue()
    watch = watch_domain_events(connect("mercury"), events.put)
    acting = connect("mercury").find_guest(guest.uuid)
    assert acting is not None
    acting.suspend()
    first = events.get(timeout=10)
    assert (first.kind, first.domain_uuid, first.detail) == (EventKind.LIFECYCLE, guest.uuid, "suspended")
    acting.transfer(peer_to_peer(clean_lab, guest, "jupiter"), None)
    seen = {first.kind}
    while EventKind.JOB_COMPLETED not in seen:
        seen.add(events.get(timeout=10).kind)
    assert EventKind.ITERATION in seen
    clean_lab.hosts["mercury"].kill_libvirtd()
    while EventKind.CONNECTION_CLOSED not in seen:
        seen.add(events.get(timeout=20).kind)
    watch.stop()
