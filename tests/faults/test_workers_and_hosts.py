"""One start, one fault, and then what both hosts and the row must say. The guest is quiet and the move slowed down,
so that the fault lands in the middle of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from jobs import queue
from jobs.engine.perform import TransferEnd
from jobs.engine.phases import Phase
from jobs.engine.plan import load_plan
from jobs.models import Migration
from jobs.options import parse_options
from jobs.services import execution, settlement
from jobs.services.control import request_cancel
from jobs.services.requests import MoveRefused, request_move
from tests.jobs.console import Console, OnHost, check_ended_row
from tests.lab.guest import LabGuest
from tests.waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.faults]

SLOW: dict[str, Any] = {"bandwidth_mib_per_s": 15}
STAYS = {"mercury": OnHost("quiet", "running", persistent=True, autostart=False)}
MOVED = {"jupiter": OnHost("quiet", "running", persistent=True, autostart=False)}


def check_moved(console: Console, guest: LabGuest, row: Migration, before: int) -> None:
    assert row.phase == Phase.SUCCEEDED, (row.outcome_sentence, row.error_text)
    check_ended_row(row)
    assert row.verdict == "moved"
    assert console.on_hosts(row.domain_uuid) == MOVED
    assert console.inventory(row.domain_uuid) == {"jupiter": "running"}
    assert row.leftovers_data == []
    assert row.source_state == "not there"
    check_alive(guest, before)


def check_stayed(console: Console, guest: LabGuest, row: Migration, before: int) -> None:
    assert row.phase == Phase.FAILED, (row.outcome_sentence, row.error_text)
    check_ended_row(row)
    assert row.verdict == "not-moved"
    assert console.on_hosts(row.domain_uuid) == STAYS
    assert console.inventory(row.domain_uuid) == {"mercury": "running"}
    assert row.source_state.startswith("running")
    assert (row.downtime_ms, row.statistics_data) == (None, {})
    check_alive(guest, before)


def check_alive(guest: LabGuest, before: int) -> None:
    wait_until(lambda: guest.ping(0.5), 15, "the guest answers")
    wait_until(lambda: guest.disk_sequence() > before + 1, 20, "the guest goes on counting")
    numbers = guest.disk_numbers()
    assert numbers == list(range(numbers[0], numbers[-1] + 1))


def kill_worker_in_the_middle(console: Console, guest: LabGuest, **options: Any) -> Migration:
    """Its lease has lapsed, too."""
    migration = console.request(guest, "mercury", "jupiter", **SLOW, **options)
    worker = console.start_process(migration)
    console.wait_for_bytes(migration)
    worker.kill()
    worker.wait()
    console.let_lease_lapse(migration)
    assert console.reread(migration).phase == Phase.TRANSFERRING
    return migration


def let_it_finish(console: Console) -> None:
    """At full speed; nobody needs the rest to be slow."""
    console.lab.hosts["mercury"].virsh("migrate-setspeed", "quiet", "10000")


def hold(console: Console) -> None:
    """As good as stop the transfer: it must not end before the test has done what it does in the middle of it."""
    console.lab.hosts["mercury"].virsh("migrate-setspeed", "quiet", "1")


# The worker


def test_peer_to_peer_move_outlives_its_worker_and_is_adopted(console: Console, guest: LabGuest) -> None:
    before = guest.disk_sequence()
    migration = kill_worker_in_the_middle(console, guest)
    let_it_finish(console)
    row = console.take_over(migration)
    check_moved(console, guest, row, before)
    assert row.epoch >= 2
    assert row.duration_ms
    assert row.downtime_ms
    assert any("Another worker took over" in line.sentence for line in row.transitions.all())


def test_direct_move_ends_with_its_worker_and_the_guest_stays(console: Console, guest: LabGuest) -> None:
    before = guest.disk_sequence()
    migration = kill_worker_in_the_middle(console, guest, control="direct")
    check_stayed(console, guest, console.take_over(migration), before)


def test_worker_killed_while_it_prepares_has_changed_nothing(console: Console, guest: LabGuest) -> None:
    before = guest.disk_sequence()
    migration = console.request(guest, "mercury", "jupiter")
    console.lab.hosts["jupiter"].pause_libvirtd()
    worker = console.start_process(migration)
    console.wait_for_phase(migration, Phase.PREPARING)
    worker.kill()
    worker.wait()
    console.lab.hosts["jupiter"].resume_libvirtd()
    console.let_lease_lapse(migration)
    row = console.take_over(migration)
    assert check_ended_row(row) == ["queued", "preparing", "failed"]
    assert row.verdict == "not-moved"
    assert "Nothing was changed" in row.outcome_sentence
    assert console.on_hosts(row.domain_uuid) == STAYS
    check_alive(guest, before)


def test_adopted_move_can_be_cancelled(console: Console, guest: LabGuest) -> None:
    before = guest.disk_sequence()
    migration = kill_worker_in_the_middle(console, guest, control="peer-to-peer", kind="live")
    hold(console)
    adopting = console.start(migration, "adopt")
    wait_until(lambda: console.reread(migration).epoch == 2, 5, "a worker has taken over")
    request_cancel(console.person("bert"), migration)
    adopting.join_and_raise(30)
    row = console.reread(migration)
    assert check_ended_row(row)[-2:] == ["rolling-back", "cancelled"]
    assert row.transitions.last().sentence.startswith("Cancelled by bert.")  # type: ignore[union-attr]
    assert console.on_hosts(row.domain_uuid) == STAYS
    check_alive(guest, before)


# The hosts


def kill_source_daemon(console: Console) -> None:
    console.lab.hosts["mercury"].kill_libvirtd()
    console.lab.hosts["mercury"].start_libvirtd()


def kill_destination_daemon(console: Console) -> None:
    console.lab.hosts["jupiter"].kill_libvirtd()
    console.lab.hosts["jupiter"].start_libvirtd()


def kill_destination_qemu(console: Console) -> None:
    console.lab.hosts["jupiter"].run(["pkill", "-KILL", "-f", "^/usr/bin/qemu-system-"])


def destroy_incoming(console: Console) -> None:
    console.lab.hosts["jupiter"].virsh("destroy", "quiet")


@dataclass(frozen=True)
class Fault:
    strike: Callable[[Console], None]
    control: str = "peer-to-peer"


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kill_source_daemon),
        Fault(kill_destination_daemon),
        Fault(kill_destination_daemon, "direct"),
        Fault(kill_destination_qemu),
        Fault(destroy_incoming),
    ],
    ids=lambda fault: f"{fault.strike.__name__} in a {fault.control} move",
)
def test_guest_stays_when_a_host_fails_in_the_middle(console: Console, guest: LabGuest, fault: Fault) -> None:
    before = guest.disk_sequence()
    migration = console.request(guest, "mercury", "jupiter", **SLOW, control=fault.control)
    worker = console.start(migration)
    console.wait_for_bytes(migration)
    fault.strike(console)
    worker.join_and_raise(60)
    row = console.take_over(migration)
    check_stayed(console, guest, row, before)
    assert row.error_text, "libvirt's own words"


def test_source_daemon_that_is_stopped_lies_about_the_end(console: Console, guest: LabGuest) -> None:
    """The client is told "end of file" while the daemon lingers until the guest has moved."""
    before = guest.disk_sequence()
    migration = console.request(guest, "mercury", "jupiter", **SLOW)
    worker = console.start(migration)
    console.wait_for_bytes(migration)
    console.lab.hosts["mercury"].terminate_libvirtd()  # returns when it has ended
    assert console.reread(migration).phase in {Phase.TRANSFERRING, Phase.UNCONFIRMED}
    console.lab.hosts["mercury"].start_libvirtd()
    worker.join_and_raise(60)
    row = console.take_over(migration)
    check_moved(console, guest, row, before)
    assert row.error_text, "what libvirt said is kept, though it was not true"


def test_link_between_the_hosts_cut_for_8_seconds_delays_the_move(console: Console, guest: LabGuest) -> None:
    before = guest.disk_sequence()
    migration = console.request(guest, "mercury", "jupiter", **SLOW)
    worker = console.start(migration)
    console.wait_for_bytes(migration)
    mercury, jupiter = console.lab.hosts.values()
    mercury.block_peer(jupiter)
    heal = threading.Timer(8, mercury.restore)
    heal.start()
    worker.join_and_raise(90)
    heal.join()
    check_moved(console, guest, console.reread(migration), before)


def test_link_between_the_hosts_cut_for_good_ends_the_move_and_not_the_guest(
    console: Console, guest: LabGuest
) -> None:
    """libvirt's keepalive gives up after 30 s; the guest never stops."""
    before = guest.disk_sequence()
    migration = console.request(guest, "mercury", "jupiter", **SLOW)
    worker = console.start(migration)
    console.wait_for_bytes(migration)
    mercury, jupiter = console.lab.hosts.values()
    mercury.block_peer(jupiter)
    worker.join_and_raise(90)
    row = console.take_over(migration)
    check_stayed(console, guest, row, before)


def test_source_that_falls_silent_after_success_leaves_a_definition_that_is_named(
    console: Console, guest: LabGuest
) -> None:
    migration = kill_worker_in_the_middle(console, guest)
    let_it_finish(console)
    uuid = str(migration.domain_uuid)
    wait_until(lambda: guest.where() == {"mercury": "shut off", "jupiter": "running"}, 40, "libvirt is done")
    console.lab.hosts["mercury"].pause_libvirtd()
    adopted = queue.adopt(migration.pk)
    assert adopted is not None
    run = execution.build_run(adopted)
    end = TransferEnd(error=None, elapsed_ms=1)  # as if the worker had still heard of libvirt's success
    settlement.settle(
        adopted, run.source, run.destination, load_plan(adopted.plan_data), end, execution.Recorder(run)
    )
    console.lab.hosts["mercury"].resume_libvirtd()
    row = console.reread(migration)
    assert (row.phase, row.verdict) == (Phase.SUCCEEDED, "moved")
    assert row.source_state.startswith("does not answer")
    assert any("still defines quiet" in leftover for leftover in row.leftovers_data)
    assert console.on_hosts(uuid)["mercury"].state == "shut off"


def test_silent_destination_leaves_the_outcome_open_until_it_answers(
    console: Console, guest: LabGuest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is removed meanwhile, though the source has let the guest go."""
    monkeypatch.setattr(settlement, "UNKNOWN_WITHIN_S", 2.0)
    before = guest.disk_sequence()
    migration = kill_worker_in_the_middle(console, guest)
    let_it_finish(console)
    uuid = str(migration.domain_uuid)
    wait_until(
        lambda: (
            {name: seen.state for name, seen in console.on_hosts(uuid).items()}
            == {"mercury": "shut off", "jupiter": "running"}
        ),
        40,
        "libvirt has moved the guest without a worker",
    )
    console.lab.hosts["jupiter"].pause_libvirtd()
    console.let_lease_lapse(migration)
    execution.adopt(migration.pk)
    row = console.reread(migration)
    assert (row.phase, row.verdict, row.ended_at) == (Phase.UNCONFIRMED, "unknown", None)
    assert row.lease_until is None
    assert row.destination_state.startswith("does not answer")
    assert "start it by hand" in row.help_desk_sentence
    with pytest.raises(MoveRefused, match="not known yet"):
        request_cancel(console.person("bert"), row)
    with pytest.raises(MoveRefused, match="is being moved already"):
        request_move(
            console.person("bert"),
            console.find(guest, "mercury"),
            console.hosts["jupiter"],
            parse_options({}),
        )
    assert "quiet" in console.lab.hosts["mercury"].virsh("list", "--all", "--name"), "nothing was removed"
    console.lab.hosts["jupiter"].resume_libvirtd()
    check_moved(console, guest, console.take_over(migration), before)


def test_move_that_goes_on_after_a_silence_can_be_cancelled_again(
    console: Console, guest: LabGuest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settlement, "UNKNOWN_WITHIN_S", 2.0)
    before = guest.disk_sequence()
    migration = kill_worker_in_the_middle(console, guest)
    hold(console)
    console.lab.hosts["mercury"].pause_libvirtd()
    execution.adopt(migration.pk)
    row = console.reread(migration)
    assert (row.phase, row.verdict) == (Phase.UNCONFIRMED, "unknown")
    console.lab.hosts["mercury"].resume_libvirtd()
    console.let_lease_lapse(migration)
    adopting = console.start(migration, "adopt")
    console.wait_for_phase(migration, Phase.TRANSFERRING)
    request_cancel(console.person("bert"), console.reread(migration))
    adopting.join_and_raise(60)
    row = console.reread(migration)
    assert check_ended_row(row)[-4:] == ["unconfirmed", "transferring", "rolling-back", "cancelled"]
    assert console.on_hosts(row.domain_uuid) == STAYS
    check_alive(guest, before)


def test_move_that_has_begun_is_brought_to_its_end_though_its_hosts_were_disabled(
    console: Console, guest: LabGuest
) -> None:
    before = guest.disk_sequence()
    migration = kill_worker_in_the_middle(console, guest)
    let_it_finish(console)
    console.set_host("mercury", enabled=False)
    console.set_host("jupiter", enabled=False)
    row = console.take_over(migration)
    assert row.verdict == "moved", row.outcome_sentence
    console.set_host("jupiter", enabled=True)  # so that the inventory is read again
    assert console.on_hosts(row.domain_uuid) == MOVED
    check_alive(guest, before)


def test_move_planned_by_another_version_is_left_to_a_person(console: Console, guest: LabGuest) -> None:
    before = guest.disk_sequence()
    migration = kill_worker_in_the_middle(console, guest)
    row = console.reread(migration)
    Migration.objects.filter(pk=row.pk).update(plan_data=row.plan_data | {"version": 0})
    execution.adopt(migration.pk)
    row = console.reread(migration)
    assert (row.phase, row.verdict) == (Phase.UNCONFIRMED, "needs-operator")
    assert "another version" in row.outcome_sentence
    execution.adopt(migration.pk)
    assert console.reread(migration).epoch == row.epoch, "nobody takes it up again at once"
    check_alive(guest, before)
