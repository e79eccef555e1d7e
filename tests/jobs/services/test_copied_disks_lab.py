"""Moves that bring disks along, between real hosts: the data compared byte for byte, and what a failed one leaves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jobs import queue
from jobs.engine.phases import Phase
from jobs.models import Migration, StaleTransition
from jobs.services import control, execution, volumes
from tests.jobs.console import Console, check_ended_row
from tests.jobs.rows import make_move
from tests.jobs.services.copied_guest import IMAGES, LOCAL, MIB, Carrier, Disk
from tests.waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.storage]

HERE, THERE = "mercury", "jupiter"
COPY = {"storage": "copy-all", "suspend": True}  # stays paused there: nothing is written after the copy
STRANGE = "web 01, <new> 🙂.qcow2"


@pytest.fixture
def carrier(console: Console) -> Iterator[Carrier]:
    console.lab.reset()
    made = Carrier(console.lab)
    yield made
    console.lab.reset()
    made.close()


def check_moved(migration: Migration) -> None:
    assert migration.phase == Phase.SUCCEEDED, (migration.outcome_sentence, migration.error_text)
    check_ended_row(migration)
    assert migration.leftovers_data == []


def states(migration: Migration) -> dict[str, str]:
    return {entry["target"]: entry["state"] for entry in migration.volumes_data}


def sources(console: Console, host: str, name: str, *words: str) -> list[str]:
    """Where the disks of a guest lie, as virsh tells them."""
    lines = console.lab.hosts[host].virsh("domblklist", *words, name).splitlines()
    return [line.split(maxsplit=1)[1] for line in lines if line.strip()]


def test_disks_go_to_the_same_paths(console, carrier):
    raw, layered = f"{LOCAL}/same.img", f"{LOCAL}/same.qcow2"
    carrier.image(HERE, raw)
    carrier.image(HERE, layered, format_name="qcow2")
    guest = carrier.guest(HERE, "same", Disk("vda", raw), Disk("vdb", layered, "qcow2"))
    carrier.files += [(console.lab.hosts[THERE], raw), (console.lab.hosts[THERE], layered)]
    migration = console.move(guest, HERE, THERE, tls=True, **COPY)
    check_moved(migration)
    assert states(migration) == {"vda": "created", "vdb": "created"}
    assert guest.where() == {THERE: "paused"}
    assert carrier.contents(THERE, raw) == carrier.contents(HERE, raw)
    assert carrier.contents(THERE, layered, "qcow2") == carrier.contents(HERE, layered, "qcow2")
    done = {disk["target"]: disk["done_bytes"] for disk in migration.progress_data["disks"]}
    assert set(done) <= {"vda", "vdb"}


def test_disks_go_to_another_pool_and_name(console, carrier):
    folder = carrier.pool(THERE, "fast disks")
    raw, image = f"{LOCAL}/other.img", f"{LOCAL}/other.qcow2"
    carrier.image(HERE, raw)
    carrier.image(HERE, image, format_name="qcow2")
    guest = carrier.guest(HERE, "other", Disk("vda", raw), Disk("vdb", image, "qcow2"))
    places = ["vda=fast disks", f"vdb=fast disks/{STRANGE}"]
    migration = console.move(guest, HERE, THERE, storage_map=places, **COPY)
    check_moved(migration)
    expected = [f"{folder}/other.img", f"{folder}/{STRANGE}"]
    assert sources(console, THERE, guest.name) == expected
    assert sources(console, THERE, guest.name, "--inactive") == expected
    assert carrier.contents(THERE, expected[0]) == carrier.contents(HERE, raw)
    assert carrier.contents(THERE, expected[1], "qcow2") == carrier.contents(HERE, image, "qcow2")
    assert carrier.exists(HERE, raw)
    assert "vol-create-as" in migration.virsh_line
    # What was moved starts again from its new disks.
    console.lab.hosts[THERE].virsh("destroy", guest.name)
    console.lab.hosts[THERE].virsh("start", guest.name)
    assert sources(console, THERE, guest.name) == expected


def test_a_disk_goes_from_a_folder_to_network_storage(console, carrier):
    path, there = f"{LOCAL}/typed.img", f"{IMAGES}/VM/typed 2.img"
    carrier.image(HERE, path)
    guest = carrier.guest(HERE, "typed", Disk("vda", path))
    carrier.files.append((console.lab.hosts[THERE], there))
    migration = console.move(guest, HERE, THERE, storage_map=["vda=VM/typed 2.img"], **COPY)
    check_moved(migration)
    assert sources(console, THERE, guest.name, "--inactive") == [there]
    assert carrier.contents(THERE, there) == carrier.contents(HERE, path)


def test_a_whole_copy_of_layers_is_one_image(console, carrier):
    base, top = f"{LOCAL}/whole-base.img", f"{LOCAL}/whole.qcow2"
    carrier.image(HERE, base)
    carrier.image(HERE, top, format_name="qcow2", backing=base)
    folder = carrier.pool(THERE, "fast")
    guest = carrier.guest(HERE, "whole", Disk("vda", top, "qcow2"))
    migration = console.move(guest, HERE, THERE, kind="non-live", storage_map=["vda=fast"], **COPY)
    check_moved(migration)
    copy = f"{folder}/whole.qcow2"
    assert "backing" not in carrier.shell(THERE, f"qemu-img info -U {copy}")
    assert carrier.contents(THERE, copy, "qcow2") == carrier.contents(HERE, top, "qcow2")


def test_a_top_layer_goes_onto_its_base_in_another_pool(console, carrier):
    base, top = f"{LOCAL}/shared-base.img", f"{LOCAL}/top.qcow2"
    for host in (HERE, THERE):
        carrier.image(host, base)
    carrier.image(HERE, top, format_name="qcow2", backing=base)
    folder = carrier.pool(THERE, "fast")
    guest = carrier.guest(HERE, "top", Disk("vda", top, "qcow2"))
    options = COPY | {"storage": "copy-incremental", "storage_map": ["vda=fast/new top.qcow2"]}
    migration = console.move(guest, HERE, THERE, **options)
    check_moved(migration)
    copy = f"{folder}/new top.qcow2"
    told = carrier.shell(THERE, f"qemu-img info -U '{copy}'")
    assert f"backing file: {base}" in told
    assert "backing file format: raw" in told
    assert carrier.contents(THERE, copy, "qcow2") == carrier.contents(HERE, top, "qcow2")


@pytest.mark.parametrize("place", [(), ("vda=fast/new.qcow2",)], ids=["same pool", "another pool"])
def test_a_disk_that_is_named_by_pool_stays_so(console, carrier, place):
    path = f"{LOCAL}/volume.qcow2"
    carrier.image(HERE, path, format_name="qcow2")
    console.lab.hosts[HERE].virsh("pool-refresh", "local")
    folder = carrier.pool(THERE, "fast")
    carrier.files.append((console.lab.hosts[THERE], path))
    guest = carrier.guest(HERE, "volume", Disk("vda", path, "qcow2", pool="local"))
    migration = console.move(guest, HERE, THERE, storage_map=list(place), **COPY)
    check_moved(migration)
    name = "new.qcow2" if place else "volume.qcow2"
    assert sources(console, THERE, guest.name, "--inactive") == [name]
    copy = f"{folder}/{name}" if place else path
    assert carrier.contents(THERE, copy, "qcow2") == carrier.contents(HERE, path, "qcow2")


def test_only_the_chosen_disk_is_copied(console, carrier):
    shared, local = f"{IMAGES}/VM/chosen.img", f"{LOCAL}/chosen.img"
    carrier.image(HERE, shared)
    carrier.image(HERE, local)
    console.lab.hosts[HERE].virsh("pool-refresh", "VM")
    guest = carrier.guest(HERE, "chosen", Disk("vda", shared), Disk("vdb", local))
    folder = carrier.pool(THERE, "fast")
    migration = console.move(guest, HERE, THERE, migrate_disks=["vdb"], storage_map=["vdb=fast"], **COPY)
    check_moved(migration)
    assert states(migration) == {"vdb": "created"}
    assert sources(console, THERE, guest.name) == [shared, f"{folder}/chosen.img"]
    assert carrier.contents(THERE, f"{folder}/chosen.img") == carrier.contents(HERE, local)


def test_a_volume_that_is_right_is_reused_and_survives_a_failure(console, carrier):
    """Nothing that was there before is ever removed."""
    path = f"{LOCAL}/again.img"
    carrier.image(HERE, path, full=True)
    carrier.image(THERE, path, full=True)
    guest = carrier.guest(HERE, "again", Disk("vda", path))
    cancelled = cancel_in_the_middle(console, guest, reuse_volumes=True)
    assert states(cancelled) == {"vda": "reused"}
    assert carrier.exists(THERE, path)
    migration = console.move(guest, HERE, THERE, reuse_volumes=True, **COPY)
    check_moved(migration)
    assert states(migration) == {"vda": "reused"}
    assert carrier.contents(THERE, path) == carrier.contents(HERE, path)


def test_the_disks_at_the_source_are_removed_when_that_was_asked_for(console, carrier):
    mine, used = f"{LOCAL}/goes.img", f"{LOCAL}/stays.img"
    for path in (mine, used):
        carrier.image(HERE, path)
    guest = carrier.guest(HERE, "goes", Disk("vda", mine), Disk("vdb", used))
    carrier.guest(HERE, "neighbour", Disk("vda", used), start=False)
    carrier.pool(THERE, "fast")
    options = {"remove_source_disks": True, "confirmed_name": "goes", "storage_map": ["vda=fast", "vdb=fast"]}
    migration = console.move(guest, HERE, THERE, **options, **COPY)
    assert migration.phase == Phase.SUCCEEDED, (migration.outcome_sentence, migration.error_text)
    assert not carrier.exists(HERE, mine)
    assert carrier.exists(HERE, used)
    (left,) = migration.leftovers_data
    assert used in left
    assert "neighbour" in left


def cancel_in_the_middle(console, guest, **options) -> Migration:
    migration = console.request(guest, HERE, THERE, bandwidth_mib_per_s=8, **options, **COPY)
    worker = console.start(migration)
    wait_for_disks(console, migration)
    control.request_cancel(console.person("berta"), migration)
    worker.join_and_raise(40)
    return console.reread(migration)


def wait_for_disks(console, migration) -> Migration:
    """Until libvirt copies disks."""

    def flowing() -> Migration | None:
        row = console.reread(migration)
        sent = (row.progress_data or {}).get("disk_processed_bytes") or 0
        return row if row.phase == Phase.TRANSFERRING and sent > 2**20 else None

    return wait_until(flowing, 30, f"{migration} copies its disks")


def check_at_source(console, carrier, guest, migration, path: str, before: str) -> None:
    """The guest runs where it was, with its data, and nothing of the copy is left."""
    assert migration.verdict == "not-moved"
    check_ended_row(migration)
    assert guest.where() == {HERE: "running"}
    assert set(states(migration).values()) == {"removed"}
    assert migration.leftovers_data == []
    console.lab.hosts[HERE].virsh("destroy", guest.name)
    assert carrier.contents(HERE, path) == before


def test_a_cancelled_copy_removes_what_it_made_and_nothing_else(console, carrier):
    path = f"{LOCAL}/cancelled.img"
    carrier.image(HERE, path, full=True)
    folder = carrier.pool(THERE, "fast")
    other = f"{folder}/other.img"
    carrier.image(THERE, other, mib=2)
    before = carrier.contents(HERE, path)
    guest = carrier.guest(HERE, "cancelled", Disk("sda", path))
    migration = cancel_in_the_middle(console, guest, storage_map=["sda=fast"])
    assert migration.phase == Phase.CANCELLED
    assert not carrier.exists(THERE, f"{folder}/cancelled.img")
    assert carrier.exists(THERE, other)
    check_at_source(console, carrier, guest, migration, path, before)


def test_a_pool_that_fills_up_ends_the_move_with_the_guest_at_the_source(console, carrier):
    path = f"{LOCAL}/full.img"
    carrier.image(HERE, path, full=True)
    before = carrier.contents(HERE, path)
    folder = carrier.pool(THERE, "small", tmpfs_mib=80)
    guest = carrier.guest(HERE, "full", Disk("sda", path))
    migration, worker = start_copying(console, guest, "sda=small")
    carrier.shell(THERE, f"dd if=/dev/zero of={folder}/filler bs=1M count=200 2>/dev/null || true")
    worker.join_and_raise(60)
    migration = console.reread(migration)
    assert migration.phase == Phase.FAILED, migration.outcome_sentence
    assert migration.error_text
    assert carrier.shell(THERE, f"ls {folder}").split() == ["filler"]
    check_at_source(console, carrier, guest, migration, path, before)


def test_a_cut_between_the_hosts_leaves_nothing_of_the_copy(console, carrier):
    """QEMU waits for the link as long as TCP does; libvirt at the destination gives up before, and when the link is
    back nobody is there to go on."""
    path = f"{LOCAL}/cut.img"
    carrier.image(HERE, path, full=True)
    before = carrier.contents(HERE, path)
    folder = carrier.pool(THERE, "fast")
    guest = carrier.guest(HERE, "cut", Disk("sda", path))
    mercury, jupiter = console.lab.hosts[HERE], console.lab.hosts[THERE]
    migration, worker = start_copying(console, guest, "sda=fast")
    mercury.block_peer(jupiter)
    wait_until(lambda: THERE not in guest.where(), 60, "the destination gives up")
    assert guest.where() == {HERE: "running"}
    mercury.restore()
    worker.join_and_raise(60)
    migration = console.reread(migration)
    assert migration.phase == Phase.FAILED, migration.outcome_sentence
    assert not carrier.exists(THERE, f"{folder}/cut.img")
    check_at_source(console, carrier, guest, migration, path, before)


def test_who_takes_over_removes_what_the_dead_worker_made(console, carrier):
    path = f"{LOCAL}/orphan.img"
    carrier.image(HERE, path, full=True)
    before = carrier.contents(HERE, path)
    folder = carrier.pool(THERE, "fast")
    guest = carrier.guest(HERE, "orphan", Disk("sda", path))
    migration = console.request(guest, HERE, THERE, storage_map=["sda=fast"], bandwidth_mib_per_s=8, **COPY)
    process = console.start_process(migration)
    wait_for_disks(console, migration)
    process.kill()
    process.wait()
    control.request_cancel(console.person("berta"), console.reread(migration))
    console.let_lease_lapse(migration)
    ended = console.take_over(migration)
    assert ended.phase == Phase.CANCELLED, ended.outcome_sentence
    assert not carrier.exists(THERE, f"{folder}/orphan.img")
    check_at_source(console, carrier, guest, ended, path, before)


@pytest.mark.parametrize(("mib", "state", "kept"), [(64, "removed", False), (32, "left", True)])
def test_of_a_volume_nobody_saw_being_made_only_what_is_surely_ours_is_removed(
    console, carrier, mib, state, kept
):
    """The worker ended between its note that it is about to make the volume and its note that it did."""
    path = f"{LOCAL}/crash.img"
    carrier.image(HERE, path)
    folder = carrier.pool(THERE, "fast")
    guest = carrier.guest(HERE, "crash", Disk("sda", path))
    migration = console.request(guest, HERE, THERE, storage_map=["sda=fast"], **COPY)
    claimed = queue.claim_queued(migration.pk)
    assert claimed is not None
    carrier.image(THERE, f"{folder}/crash.img", mib=mib)
    entry = {
        "target": "sda",
        "layer": 0,
        "source_path": path,
        "pool": "fast",
        "name": "crash.img",
        "path": "",
        "format": "raw",
        "capacity_bytes": 64 * MIB,
        "state": "creating",
    }
    claimed.write(volumes_data=[entry])
    console.let_lease_lapse(claimed)
    execution.adopt(claimed.pk)
    migration = console.reread(migration)
    assert migration.phase == Phase.FAILED
    assert states(migration) == {"sda": state}
    assert carrier.exists(THERE, f"{folder}/crash.img") is kept
    assert ["vol-delete --pool fast crash.img" in left for left in migration.leftovers_data] == (
        [True] if kept else []
    )


def test_a_name_that_was_taken_meanwhile_is_left_alone(console, carrier):
    path = f"{LOCAL}/taken.img"
    carrier.image(HERE, path)
    folder = carrier.pool(THERE, "fast")
    guest = carrier.guest(HERE, "taken", Disk("sda", path))
    migration = console.request(guest, HERE, THERE, storage_map=["sda=fast"], **COPY)
    carrier.image(THERE, f"{folder}/taken.img")
    before = carrier.contents(THERE, f"{folder}/taken.img")
    execution.run(migration.pk)
    migration = console.reread(migration)
    assert migration.phase == Phase.FAILED
    assert "already has" in migration.outcome_sentence
    assert carrier.contents(THERE, f"{folder}/taken.img") == before
    assert guest.where() == {HERE: "running"}


def start_copying(console, guest, place: str):
    """The move and its worker, in the middle of a disk."""
    migration = console.request(guest, HERE, THERE, storage_map=[place], bandwidth_mib_per_s=8, **COPY)
    worker = console.start(migration)
    wait_for_disks(console, migration)
    return migration, worker


def test_worker_that_was_taken_over_removes_nothing(console, carrier):
    there, name = console.lab.hosts[THERE], "taken-over.img"
    there.virsh("vol-create-as", "local", name, "1M", "--format", "raw")
    row = make_move(
        console.hosts[HERE], console.hosts[THERE], phase=Phase.ROLLING_BACK,
        volumes_data=[
            {"target": "vda", "layer": 0, "pool": "local", "name": name, "path": f"{LOCAL}/{name}",
             "format": "raw", "capacity_bytes": MIB, "state": "created"},
        ],
    )  # fmt: skip
    Migration.objects.filter(pk=row.pk).update(epoch=row.epoch + 1)  # another worker has it now
    with pytest.raises(StaleTransition):
        volumes.remove_created(row, console.hosts[THERE])
    assert name in there.virsh("vol-list", "local")
    there.virsh("vol-delete", "--pool", "local", name)
