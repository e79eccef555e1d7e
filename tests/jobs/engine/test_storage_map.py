"""Where copied disks go: the volumes that are prepared, and what the destination's definition says of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.engine.plan import build_plan, dump_plan, load_plan
from jobs.engine.storage_map import DiskRewrite, plan_disk_rewrites, plan_volumes
from jobs.options.storage_map import MapEntry, find_volume_problem, parse_entry
from tests.jobs.builders import (
    GIB,
    LOCAL_PATH,
    copying,
    disk,
    domain,
    guest,
    local_pool,
    pool,
    reading,
    volume,
)
from tests.jobs.builders import offline as shut_off
from tests.jobs.builders import with_facts as facts_of

FAST = pool(name="fast", type="dir", target_path="/srv/fast/", source="dir /srv/fast")
GROUP = pool(name="vg0", type="logical", target_path="/dev/vg0", source="logical vg0")
BASE = "/var/lib/libvirt/local/base.img"


def there(*entries: str, disks=None, **changes):
    """A guest whose disks are copied to a host that also has a fast pool of files and a volume group."""
    options = {"storage_map": list(entries)} | changes.pop("options", {})
    if disks is not None:
        changes["guest"] = guest(domain(disks=disks))
    context = copying(options=options, **changes)
    return facts_of(context, "destination", pools=(pool(), local_pool(), FAST, GROUP))


def layered(**changes):
    return disk(source_path=LOCAL_PATH, backing_paths=(BASE,), backing_formats=("raw",), **changes)


@given(
    st.builds(
        MapEntry,
        st.sampled_from(("vda", "sdab", "hda1")),
        st.text("abc =,🙂<>", min_size=1).filter(lambda name: name == name.strip()),
        st.text("abc =,.🙂<>").filter(lambda name: not name or not find_volume_problem(name)),
    )
)
def test_what_is_written_is_read_again(entry):
    assert parse_entry(entry.text) == entry


def test_a_copy_to_the_same_path_is_prepared_by_us():
    (made,) = plan_volumes(there())
    assert (made.pool, made.name, made.path) == ("local", "web01.qcow2", LOCAL_PATH)
    assert (made.target, made.layer, made.source_path) == ("vda", 0, LOCAL_PATH)
    assert (made.format, made.capacity_bytes, made.reuse) == ("qcow2", 8 * GIB, False)
    assert plan_disk_rewrites(there()) == ()


def test_a_mapped_disk_goes_to_the_pool_and_name_asked_for():
    context = there("vda=fast/web 01, new.qcow2")
    (made,) = plan_volumes(context)
    assert (made.pool, made.name, made.path) == ("fast", "web 01, new.qcow2", "/srv/fast/web 01, new.qcow2")
    assert plan_disk_rewrites(context) == (DiskRewrite("vda", "file", path="/srv/fast/web 01, new.qcow2"),)


def test_without_a_name_it_keeps_its_own():
    (made,) = plan_volumes(there("vda=fast"))
    assert made.path == "/srv/fast/web01.qcow2"


def test_a_raw_file_becomes_a_device_of_a_volume_group():
    context = there(
        "vda=vg0/web01", disks=(disk(source_path="/var/lib/libvirt/local/web01.img", format="raw"),)
    )
    (made,) = plan_volumes(context)
    assert (made.path, made.format) == ("/dev/vg0/web01", "")
    assert plan_disk_rewrites(context) == (DiskRewrite("vda", "block", path="/dev/vg0/web01"),)


def test_a_device_becomes_a_file():
    device = disk(type="block", format="raw", source_path="/dev/vg9/web01")
    context = there("vda=fast/web01.img", disks=(device,))
    assert plan_volumes(context)[0].path == "/srv/fast/web01.img"
    assert plan_disk_rewrites(context) == (DiskRewrite("vda", "file", path="/srv/fast/web01.img"),)


def test_a_disk_of_a_pool_stays_one_of_a_pool():
    context = there(
        "vda=fast", disks=(disk(type="volume", source_path="", pool="local", volume="web01.qcow2"),)
    )
    (made,) = plan_volumes(context)
    assert (made.source_path, made.path) == ("local/web01.qcow2", "/srv/fast/web01.qcow2")
    assert plan_disk_rewrites(context) == (DiskRewrite("vda", "volume", pool="fast", volume="web01.qcow2"),)


def test_a_pool_that_is_not_there_plans_nothing():
    assert plan_volumes(there("vda=gone")) == ()
    assert plan_disk_rewrites(there("vda=gone")) == ()


def test_a_whole_copy_of_layers_is_one_image():
    (made,) = plan_volumes(there(disks=(layered(),)))
    assert made.backing_path == ""
    assert plan_disk_rewrites(there(disks=(layered(),))) == (DiskRewrite("vda", whole=True),)


def test_a_copy_of_the_top_layer_stands_on_its_base():
    context = there(disks=(layered(),), options={"storage": "copy-incremental"})
    (made,) = plan_volumes(context)
    assert (made.backing_path, made.backing_format) == (BASE, "raw")
    assert plan_disk_rewrites(context) == ()


def test_a_guest_that_is_shut_off_brings_every_layer():
    context = shut_off(
        guest=guest(domain(disks=(layered(),))),
        options={"storage": "copy-all", "storage_map": ["vda=fast"]},
        disk_capacity_bytes={"vda": GIB},
    )
    top, base = plan_volumes(facts_of(context, "destination", pools=(local_pool(), FAST)))
    assert (top.path, top.backing_path, top.backing_format) == ("/srv/fast/web01.qcow2", BASE, "raw")
    assert (base.layer, base.path, base.pool, base.format) == (1, BASE, "local", "raw")


ALLOWED = [
    ({"reuse_volumes": True}, True),
    ({"storage": "copy-incremental"}, True),
    ({"confirmed_name": "web01"}, True),
    ({"confirmed_name": "web01", "remove_source_disks": True}, False),
    ({}, False),
]


@pytest.mark.parametrize(("options", "expected"), ALLOWED)
def test_what_is_there_is_used_only_when_that_was_said(options, expected):
    found = reading(volumes={LOCAL_PATH: volume(LOCAL_PATH)})
    (made,) = plan_volumes(there(options=options, destination_reading=found))
    assert made.reuse is expected


def test_disks_that_are_not_copied_are_no_volumes():
    both = (disk(source_path=LOCAL_PATH), disk(target="vdb"), disk(target="vdc", readonly=True))
    volumes = plan_volumes(there(disks=both, options={"migrate_disks": ["vda"]}))
    assert [made.target for made in volumes] == ["vda"]


def test_the_plan_is_read_back_as_it_was_written():
    plan = build_plan(
        there("vda=fast"), source_uri="qemu+tcp://a/system", destination_uri="qemu+tcp://b/system"
    )
    assert load_plan(dump_plan(plan)) == plan
    assert plan.volumes
    assert plan.disk_rewrites


LINE = "virsh -c qemu+tcp://b/system vol-create-as"


def lines(context):
    plan = build_plan(context, source_uri="qemu+tcp://a/system", destination_uri="qemu+tcp://b/system")
    return plan.virsh_line.split("\n")


def test_virsh_is_told_to_make_what_libvirt_would_not():
    made, move = lines(there("vda=fast/web 01.qcow2"))
    assert (
        made == f"{LINE} --pool=fast '--name=web 01.qcow2' --capacity {8 * GIB} --allocation 0 --format qcow2"
    )
    assert move.endswith(" --xml destination.xml --persistent-xml persistent.xml")
    assert "''" not in move
    assert "vda=fast" not in move


def test_what_virsh_has_no_word_for_is_not_in_its_line():
    said = {"confirmed_name": "web01", "reuse_volumes": True, "remove_source_disks": True}
    assert lines(there(options=said)) == lines(there())


def test_virsh_makes_a_top_layer_on_its_base():
    made, move = lines(there(disks=(layered(),), options={"storage": "copy-incremental"}))
    assert made.endswith(f" --format qcow2 --backing-vol={BASE} --backing-vol-format raw")
    assert "--xml" not in move


def test_what_libvirt_makes_by_itself_is_no_line():
    assert len(lines(there())) == 1


def test_of_a_guest_that_is_shut_off_virsh_carries_each_file_before_its_definition():
    context = shut_off(options={"storage": "copy-all"}, disk_capacity_bytes={"vda": GIB})
    made, carried, move = lines(context)
    volume = plan_volumes(context)[0]
    there = "virsh -q -c qemu+tcp://b/system"
    assert made == f"{there} vol-create-as --pool={volume.pool} --name={volume.name} 0 --format raw"
    assert carried == (
        f"virsh -q -c qemu+tcp://a/system vol-download {volume.source_path} /dev/stdout | "
        f"{there} vol-upload --pool={volume.pool} --vol={volume.name} /dev/stdin"
    )
    assert "--copy-storage-all" not in move
    assert "--offline" in move
