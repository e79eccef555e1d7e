"""A guest that is shut off is on its way with its files, and then one thing goes wrong in the middle of a copy: the
guest and its data stay whole at the source, what was made at the destination is removed or named."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from hosts.driver import connection
from hosts.driver.pool import borrow, close_idle
from hosts.services import connections
from jobs.engine.phases import Phase
from jobs.models import Migration
from jobs.services import settlement
from jobs.services.control import request_cancel
from tests.jobs.console import Console, OnHost, check_ended_row
from tests.jobs.services import offline_site
from tests.jobs.services.offline_site import IMAGES, OfflineSite
from tests.lab.guest import LabGuest
from tests.waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.faults]

SLOW: dict[str, Any] = {"kind": "offline", "storage": "copy-all", "bandwidth_mib_per_s": 8}
STAYS = {"mercury": OnHost("carried", "shut off", persistent=True, autostart=False)}
MOVED = {"jupiter": OnHost("carried", "shut off", persistent=True, autostart=False)}


@pytest.fixture
def site(console: Console) -> Iterator[OfflineSite]:
    made = OfflineSite(console)
    made.clear()
    yield made
    made.clear()


@pytest.fixture
def guest(site: OfflineSite) -> LabGuest:
    made = site.make_guest(disk_mib=48)
    site.write(str(made.disk_path), 0, 40)
    return made


def begin(site: OfflineSite, guest: LabGuest, **options: Any) -> tuple[Migration, Any]:
    migration = site.request(guest, **SLOW, **options)
    worker = site.console.start(migration)
    site.console.wait_for_bytes(migration)
    return migration, worker


def check_stayed(site: OfflineSite, guest: LabGuest, row: Migration, before: str) -> None:
    check_ended_row(row)
    assert row.verdict == "not-moved"
    assert site.console.on_hosts(row.domain_uuid) == STAYS
    assert site.checksum("mercury", str(guest.disk_path)) == before
    assert not site.exists("jupiter", str(guest.disk_path))
    assert row.leftovers_data == []
    assert [entry["state"] for entry in row.volumes_data] == ["removed"]


def test_cancelled_copy_leaves_nothing_behind(site: OfflineSite, guest: LabGuest) -> None:
    before = site.checksum("mercury", str(guest.disk_path))
    migration, worker = begin(site, guest)
    request_cancel(site.console.person("bert"), migration)
    worker.join_and_raise(20)
    row = site.console.reread(migration)
    assert row.phase == Phase.CANCELLED
    assert row.outcome_sentence
    check_stayed(site, guest, row, before)


def test_cancelled_copy_of_a_uefi_guest_takes_its_variables_away_again(site: OfflineSite) -> None:
    site.make_variables()
    guest = site.make_guest(disk_mib=48, xml_edit=offline_site.with_firmware)
    site.write(str(guest.disk_path), 0, 40)
    migration, worker = begin(site, guest)
    assert site.exists("jupiter", offline_site.VARIABLES), (
        "they are made with the disks, before anything is copied"
    )
    request_cancel(site.console.person("bert"), migration)
    worker.join_and_raise(20)
    row = site.console.reread(migration)
    assert row.phase == Phase.CANCELLED
    assert [entry["state"] for entry in row.volumes_data] == ["removed", "removed"]
    assert not site.exists("jupiter", offline_site.VARIABLES)
    assert not site.exists("jupiter", str(guest.disk_path))
    assert site.exists("mercury", offline_site.VARIABLES)
    pools = site.hosts["jupiter"].virsh("pool-list", "--all", "--name").splitlines()
    assert sorted(filter(None, map(str.strip, pools))) == ["VM", "local"], "no pool of ours stays"


def test_guest_that_is_started_meanwhile_keeps_running_and_is_not_moved(
    site: OfflineSite, guest: LabGuest
) -> None:
    migration, worker = begin(site, guest)
    site.hosts["mercury"].virsh("start", guest.name, timeout=60)
    worker.join_and_raise(30)
    row = site.console.reread(migration)
    assert row.phase == Phase.FAILED
    assert "was started on mercury" in row.error_text
    assert {name: found.state for name, found in site.console.on_hosts(row.domain_uuid).items()} == {
        "mercury": "running"
    }
    assert not site.exists("jupiter", str(guest.disk_path))


def test_file_that_is_written_meanwhile_is_not_taken_for_a_copy(site: OfflineSite, guest: LabGuest) -> None:
    migration, worker = begin(site, guest)
    site.write(str(guest.disk_path), 1, 1)
    before = site.checksum("mercury", str(guest.disk_path))
    worker.join_and_raise(30)
    row = site.console.reread(migration)
    assert "was changed on mercury" in row.error_text
    check_stayed(site, guest, row, before)


def test_pool_that_fills_up_meanwhile_fails_the_move_and_is_emptied_again(
    site: OfflineSite, guest: LabGuest
) -> None:
    before = site.checksum("mercury", str(guest.disk_path))
    jupiter, folder = site.hosts["jupiter"], site.make_pool("jupiter", "small")
    jupiter.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder])
    jupiter.virsh("pool-refresh", "small")
    try:
        migration, worker = begin(site, guest, storage_map=("vda=small",))
        jupiter.run(["dd", "if=/dev/zero", f"of={folder}/else", "bs=1M"], check=False)
        worker.join_and_raise(30)
        row = site.console.reread(migration)
        assert row.phase == Phase.FAILED
        assert "No space left" in row.error_text or "full" in row.error_text
        assert jupiter.run(["ls", folder]).stdout.split() == ["else"]
        check_stayed(site, guest, row, before)
    finally:
        jupiter.virsh("pool-destroy", "small")
        jupiter.run(["umount", folder])


def cut_destination(site: OfflineSite) -> Callable[[], None]:
    site.hosts["jupiter"].link_down()
    return site.hosts["jupiter"].link_up


def kill_destination_daemon(site: OfflineSite) -> Callable[[], None]:
    site.hosts["jupiter"].kill_libvirtd()
    return site.hosts["jupiter"].start_libvirtd


def kill_source_daemon(site: OfflineSite) -> Callable[[], None]:
    site.hosts["mercury"].kill_libvirtd()
    return site.hosts["mercury"].start_libvirtd


def notice_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    """That a host is lost, and that it is still lost: what the real limits are is no matter here."""
    close_idle()  # warm connections have the real ones
    monkeypatch.setattr(connection, "KEEPALIVE_INTERVAL_S", 1)
    monkeypatch.setattr(connection, "KEEPALIVE_COUNT", 1)
    monkeypatch.setattr(connections, "borrow", partial(borrow, deadline_s=2.0))


@pytest.mark.parametrize(
    "strike", [cut_destination, kill_destination_daemon, kill_source_daemon], ids=lambda one: one.__name__
)
def test_host_lost_in_the_middle_costs_nothing_but_the_copy(
    site: OfflineSite, guest: LabGuest, strike: Callable[[OfflineSite], Callable[[], None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(settlement, "UNKNOWN_WITHIN_S", 0.5)
    notice_sooner(monkeypatch)
    before = site.checksum("mercury", str(guest.disk_path))
    migration, worker = begin(site, guest)
    undo = strike(site)
    worker.join_and_raise(60)
    row = site.console.reread(migration)
    assert row.phase in {Phase.UNCONFIRMED, Phase.FAILED}
    assert site.console.on_hosts(row.domain_uuid) == STAYS if row.phase == Phase.FAILED else True
    undo()
    row = site.console.take_over(migration)
    assert row.phase == Phase.FAILED
    check_stayed(site, guest, row, before)


def in_the_second_disk(site: OfflineSite) -> tuple[LabGuest, dict[str, str], Migration]:
    """Two disks: the first is copied and verified, a worker of its own process is in the middle of the second."""
    guest = site.make_guest(disk_mib=32, xml_edit=offline_site.with_second_disk)
    site.hosts["mercury"].virsh("vol-create-as", "local", "second.img", "48M", "--format", "raw")
    site.write(str(guest.disk_path), 3, 2)
    site.write(f"{IMAGES}/second.img", 0, 40)
    sums = {path: site.checksum("mercury", path) for path in (str(guest.disk_path), f"{IMAGES}/second.img")}
    return guest, sums, site.request(guest, **SLOW | {"bandwidth_mib_per_s": 16})


def wait_for_second(site: OfflineSite, migration: Migration) -> None:
    def there() -> bool:
        first, second = site.console.reread(migration).volumes_data
        return bool(first["state"] == "verified" and second.get("begun"))

    site.console.wait_for_phase(migration, Phase.TRANSFERRING)
    wait_until(there, 30, "the first disk is verified")
    done = site.console.reread(migration).progress_data["disk_processed_bytes"]
    wait_until(
        lambda: site.console.reread(migration).progress_data["disk_processed_bytes"] > done + 4 * 2**20, 20,
        "the second disk is on its way",
    )  # fmt: skip


def check_taken_over(site: OfflineSite, row: Migration, sums: dict[str, str]) -> None:
    assert row.phase == Phase.SUCCEEDED, (row.outcome_sentence, row.error_text)
    check_ended_row(row)
    assert site.console.on_hosts(row.domain_uuid) == MOVED
    assert {path: site.checksum("jupiter", path) for path in sums} == sums
    assert [entry["state"] for entry in row.volumes_data] == ["verified", "verified"]
    assert [line.sentence for line in row.transitions.all() if "Keeps disk vda" in line.sentence]


def test_killed_worker_is_followed_by_one_that_keeps_what_was_verified(site: OfflineSite) -> None:
    _, sums, migration = in_the_second_disk(site)
    worker = site.console.start_process(migration)
    wait_for_second(site, migration)
    worker.kill()
    worker.wait()
    site.console.let_lease_lapse(migration)
    check_taken_over(site, site.console.take_over(migration), sums)


def test_worker_that_wakes_up_after_another_took_over_writes_nothing(site: OfflineSite) -> None:
    _, sums, migration = in_the_second_disk(site)
    worker = site.console.start_process(migration)
    wait_for_second(site, migration)
    os.kill(worker.pid, signal.SIGSTOP)
    site.console.let_lease_lapse(migration)
    adopting = site.console.start(migration, "adopt")
    wait_until(lambda: site.console.reread(migration).epoch == 2, 10, "another worker has taken over")
    os.kill(worker.pid, signal.SIGCONT)
    worker.wait(30)
    adopting.join_and_raise(60)
    check_taken_over(site, site.console.take_over(migration), sums)


def test_adopted_copy_can_be_cancelled(site: OfflineSite) -> None:
    guest, sums, migration = in_the_second_disk(site)
    worker = site.console.start_process(migration)
    wait_for_second(site, migration)
    worker.kill()
    worker.wait()
    site.console.let_lease_lapse(migration)
    request_cancel(site.console.person("bert"), migration)
    row = site.console.take_over(migration)
    assert row.phase == Phase.CANCELLED
    assert site.console.on_hosts(row.domain_uuid) == STAYS
    assert {path: site.checksum("mercury", path) for path in sums} == sums
    assert not any(site.exists("jupiter", path) for path in sums)
    assert guest.where() == {"mercury": "shut off"}
