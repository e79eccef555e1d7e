"""Guests that are shut off and bring their files along, between real hosts; compared byte for byte on the hosts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from jobs.engine.phases import Phase
from jobs.models import Migration
from jobs.services import offline_copy
from tests.jobs.console import Console, OnHost, check_ended_row
from tests.jobs.services import offline_site
from tests.jobs.services.offline_site import IMAGES, OfflineSite
from tests.lab.guest import LabGuest
from tests.waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.storage]

COPYING: dict[str, Any] = {"kind": "offline", "storage": "copy-all"}
PHASES = ["queued", "preparing", "transferring", "confirming", "succeeded"]
MOVED = {"jupiter": OnHost("carried", "shut off", persistent=True, autostart=False)}


@pytest.fixture
def site(console: Console) -> Iterator[OfflineSite]:
    made = OfflineSite(console)
    made.clear()
    yield made
    made.clear()


def check_moved(site: OfflineSite, row: Migration, on_hosts: dict[str, OnHost] = MOVED) -> None:
    assert row.phase == Phase.SUCCEEDED, (row.outcome_sentence, row.error_text, row.error_remedy)
    assert check_ended_row(row) == PHASES
    assert (row.verdict, row.error_text, row.leftovers_data) == ("moved", "", [])
    assert site.console.on_hosts(row.domain_uuid) == on_hosts
    assert row.duration_ms


def states(row: Migration) -> dict[str, str]:
    return {entry["shown"]: entry["state"] for entry in row.volumes_data}


def check_boots(site: OfflineSite, guest: LabGuest) -> None:
    """With its data: it counts on where it was."""
    site.hosts["jupiter"].virsh("start", guest.name, timeout=60)
    guest.wait_until_answering()
    wait_until(lambda: guest.disk_sequence() > 3, 20, "it counts on")
    numbers = guest.disk_numbers()
    assert numbers == list(range(numbers[0], numbers[-1] + 1))


def test_sparse_raw_disk_comes_along_and_the_guest_runs_there_with_its_data(site: OfflineSite) -> None:
    guest = site.make_guest(run_first=True)
    path = str(guest.disk_path)
    site.write(path, 9, 3)
    before = site.checksum("mercury", path)
    row = site.move(guest, **COPYING)
    check_moved(site, row)
    assert site.checksum("jupiter", path) == before
    assert site.checksum("mercury", path) == before, "the source is kept"
    assert row.volumes_data[0]["checksum"] == f"sha256:{before}"
    assert states(row) == {"disk vda (carried.img)": "verified"}
    assert site.stored_bytes("jupiter", path) < 16 * 2**20, "holes stay holes"
    check_boots(site, guest)


def test_qcow2_disk_goes_to_a_pool_of_another_name_and_its_source_is_removed(site: OfflineSite) -> None:
    guest = site.make_guest(disk_format="qcow2")
    words = ["qemu-io", "-f", "qcow2", "-c", "write -P 7 3M 5M", str(guest.disk_path)]
    site.hosts["mercury"].run(words)
    before = site.checksum("mercury", str(guest.disk_path))
    folder = site.make_pool("jupiter", "fast one")
    row = site.move(
        guest, **COPYING, storage_map=("vda=fast one/web 01.qcow2",), remove_source_disks=True,
        confirmed_name=guest.name,
    )  # fmt: skip
    check_moved(site, row)
    there = f"{folder}/web 01.qcow2"
    assert site.checksum("jupiter", there) == before
    assert not site.exists("mercury", str(guest.disk_path))
    assert there in site.hosts["jupiter"].virsh("domblklist", guest.name)
    assert "qcow2" in site.hosts["jupiter"].virsh("vol-dumpxml", "web 01.qcow2", "fast one")
    site.hosts["jupiter"].virsh("start", guest.name, timeout=60)  # QEMU opens it


def test_chain_brings_its_base_and_shares_it_with_the_next_guest(site: OfflineSite) -> None:
    base = site.make_base("base.qcow2")
    first, second = site.make_guest("carried"), site.make_guest("next")
    for guest in (first, second):
        site.put_on_base(guest, base)
    sums = {
        path: site.checksum("mercury", path) for path in (base, str(first.disk_path), str(second.disk_path))
    }
    check_moved(site, site.move(first, **COPYING))
    row = site.move(second, **COPYING, reuse_volumes=True)
    assert row.phase == Phase.SUCCEEDED, (row.outcome_sentence, row.error_text)
    assert states(row) == {"disk vda (next.img)": "verified", "layer 1 of disk vda (base.qcow2)": "reused"}
    assert {path: site.checksum("jupiter", path) for path in sums} == sums
    assert base in site.hosts["jupiter"].virsh("vol-dumpxml", "next.img", "local")


def test_firmware_variables_come_along_byte_for_byte(site: OfflineSite) -> None:
    guest = site.make_guest(xml_edit=offline_site.with_firmware)
    site.make_variables()
    site.hosts["mercury"].virsh("autostart", guest.name)
    before = site.checksum("mercury", offline_site.VARIABLES)
    row = site.move(guest, **COPYING)
    check_moved(site, row, {"jupiter": OnHost("carried", "shut off", persistent=True, autostart=True)})
    assert site.checksum("jupiter", offline_site.VARIABLES) == before
    assert states(row)["UEFI variables (carried_VARS.fd)"] == "verified"
    site.hosts["jupiter"].virsh("start", guest.name, timeout=60)
    assert site.stored_bytes("jupiter", offline_site.VARIABLES)


def test_same_contents_that_are_there_already_are_kept(site: OfflineSite) -> None:
    guest = site.make_guest()
    path = str(guest.disk_path)
    site.write(path, 2, 8)
    site.copy_by_hand(path)
    before = site.identity("jupiter", path)
    row = site.move(guest, **COPYING, reuse_volumes=True)
    check_moved(site, row)
    assert site.identity("jupiter", path) == before, "it was not touched"
    assert states(row) == {"disk vda (carried.img)": "reused"}


def test_other_contents_that_are_there_already_are_refused_and_not_touched(site: OfflineSite) -> None:
    guest = site.make_guest()
    path = str(guest.disk_path)
    site.copy_by_hand(path)
    before = site.identity("jupiter", path)
    site.write(path, 2, 8)
    row = site.move(guest, **COPYING, reuse_volumes=True)
    assert row.phase == Phase.FAILED
    assert "has other contents" in row.error_text
    assert site.identity("jupiter", path) == before
    assert list(site.console.on_hosts(row.domain_uuid)) == ["mercury"]


def test_two_disks_are_both_brought(site: OfflineSite) -> None:
    guest = site.make_guest(xml_edit=offline_site.with_second_disk)
    site.hosts["mercury"].virsh("vol-create-as", "local", "second.img", "32M", "--format", "raw")
    second = f"{IMAGES}/second.img"
    site.write(second, 1, 2)
    sums = {path: site.checksum("mercury", path) for path in (str(guest.disk_path), second)}
    row = site.move(guest, **COPYING)
    check_moved(site, row)
    assert {path: site.checksum("jupiter", path) for path in sums} == sums
    assert row.progress_data["disk_total_bytes"] == 2 * (64 + 32) * 2**20


@pytest.mark.parametrize(("asked", "told"), [("jupiter", True), ("mercury", False)])
def test_destination_takes_the_checksum_itself_where_it_can_be_asked(
    site: OfflineSite, asked: str, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A login that leads to the wrong machine finds a file of the same name and contents there, and is not believed."""
    monkeypatch.setattr(offline_copy, "ASKED_FROM_BYTES", 2**20)
    guest = site.make_guest()
    path = str(guest.disk_path)
    site.write(path, 9, 36)
    before = site.checksum("mercury", path)
    site.console.set_host("jupiter", probe_address=f"ssh://root@{site.hosts[asked].address}")
    row = site.move(guest, **COPYING)
    check_moved(site, row)
    assert site.checksum("jupiter", path) == before == row.volumes_data[0]["checksum"].removeprefix("sha256:")
    assert row.volumes_data[0]["told_by_host"] == told
    assert site.checksum("mercury", path) == before


def test_header_that_a_guest_wrote_into_its_raw_disk_brings_no_file_of_the_host_along(
    site: OfflineSite,
) -> None:
    """libvirt takes such a file for a qcow2 and tells of a layer below it; what the guest is defined with counts."""
    guest, base = site.make_guest(), site.make_base("others.qcow2")
    path, mercury = str(guest.disk_path), site.hosts["mercury"]
    mercury.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", path])
    mercury.run(["truncate", "-s", "64M", path])
    mercury.virsh("pool-refresh", "local")
    assert base in mercury.virsh("vol-dumpxml", "carried.img", "local"), "libvirt believes it"
    before = site.checksum("mercury", path)
    row = site.move(guest, **COPYING, remove_source_disks=True, confirmed_name=guest.name)
    check_moved(site, row)
    assert site.checksum("jupiter", path) == before
    assert [entry["name"] for entry in row.volumes_data] == ["carried.img"]
    assert not site.exists("jupiter", base)
    assert site.exists("mercury", base), "it was never this guest's"


def test_image_that_keeps_its_data_in_another_file_is_not_moved_without_it(site: OfflineSite) -> None:
    guest = site.make_guest(disk_format="qcow2")
    path, mercury = str(guest.disk_path), site.hosts["mercury"]
    mercury.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-o", f"data_file={IMAGES}/data.raw", path, "64M"]
    )
    mercury.virsh("pool-refresh", "local")
    row = site.move(guest, **COPYING)
    assert row.phase == Phase.FAILED
    assert "keeps its data in another file" in row.error_text
    assert list(site.console.on_hosts(row.domain_uuid)) == ["mercury"]
    assert not site.exists("jupiter", path)
