"""Volumes on real hosts: made, copied, resized, wiped, deleted; refused while guests or other volumes need them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hosts.driver.connection import Connection
from hosts.driver.storage import Storage
from hosts.errors import HostError, OperationFailed, Refused
from hosts.storage_ports import Preallocation, VolumeOrder, WipeAlgorithm
from tests.hosts.storage_lab import IMAGES, MIB, bring_up, contents
from tests.lab.host import LabHost

pytestmark = [pytest.mark.lab, pytest.mark.storage]

Connect = Callable[..., Connection]
LOCAL = f"{IMAGES}/local"
GUEST = """<domain type='qemu'><name>user</name><memory unit='MiB'>32</memory>
<os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>
<devices><controller type='usb' model='none'/><disk type='{type}' device='disk'>
<driver name='qemu' type='{format}'/><source {source}/><target dev='vda' bus='virtio'/></disk></devices></domain>"""


def define(host: LabHost, *, source: str, type: str = "file", format: str = "qcow2") -> None:  # noqa: A002
    host.path("/run/put.xml").write_text(GUEST.format(source=source, type=type, format=format))
    host.virsh("define", "/run/put.xml")


def refusal(change: Callable[[], object], words: str) -> HostError:
    with pytest.raises(Refused, match=words) as caught:
        change()
    return caught.value


MADE = (
    (VolumeOrder("a.img", "raw", 8 * MIB), False),
    (VolumeOrder("a.img", "raw", 8 * MIB, Preallocation.FULL), True),
    (VolumeOrder("a.qcow2", "qcow2", 8 * MIB), False),
    (VolumeOrder("a.qcow2", "qcow2", 8 * MIB, Preallocation.METADATA), False),
    (VolumeOrder("a.qcow2", "qcow2", 8 * MIB, Preallocation.FULL), True),
)


def test_volume_is_made_once(storage: Storage, mercury: LabHost) -> None:
    for order, allocated in MADE:
        check_made_once(storage, mercury, order, allocated=allocated)


def check_made_once(storage: Storage, mercury: LabHost, order: VolumeOrder, *, allocated: bool) -> None:
    change = storage.make_volume("local", order)
    assert change.changed
    facts = storage.find_volume("local", order.name)
    assert facts is not None
    assert (facts.format, facts.capacity_bytes) == (order.format, 8 * MIB)
    assert (facts.allocation_bytes >= 8 * MIB) == allocated
    assert order.format in mercury.run(["qemu-img", "info", facts.path]).stdout
    assert not storage.make_volume("local", order).changed
    other = VolumeOrder(order.name, order.format, 9 * MIB)
    assert "was not touched" in refusal(lambda: storage.make_volume("local", other), "another volume").message
    assert storage.find_volume("local", order.name) == facts
    storage.delete_volume("local", order.name)


def test_volume_on_a_layer_below(storage: Storage, mercury: LabHost) -> None:
    storage.make_volume("local", VolumeOrder("base.qcow2", "qcow2", 8 * MIB))
    order = VolumeOrder("top.qcow2", "qcow2", 8 * MIB, Preallocation.OFF, f"{LOCAL}/base.qcow2", "qcow2")
    assert storage.make_volume("local", order).changed
    assert not storage.make_volume("local", order).changed
    assert "backing file format: qcow2" in mercury.run(["qemu-img", "info", f"{LOCAL}/top.qcow2"]).stdout
    facts = storage.find_volume("local", "top.qcow2")
    assert facts is not None
    assert (facts.backing_path, facts.backing_format) == (f"{LOCAL}/base.qcow2", "qcow2")
    refusal(
        lambda: storage.make_volume("local", VolumeOrder("top.qcow2", "qcow2", 8 * MIB)), "another volume"
    )
    refusal(lambda: storage.delete_volume("local", "base.qcow2"), r"layer below top\.qcow2")
    refusal(lambda: storage.wipe_volume("local", "base.qcow2", WipeAlgorithm.ZERO), r"layer below top\.qcow2")
    assert storage.delete_volume("local", "top.qcow2").changed
    assert storage.delete_volume("local", "base.qcow2").changed


WRONG = (
    (VolumeOrder("a/b", "raw", MIB), "no name for a volume"),
    (VolumeOrder("..", "raw", MIB), "no name for a volume"),
    (VolumeOrder("a", "raw", 0), "above zero"),
    (VolumeOrder("a", "sparkle", MIB), "sparkle"),
    (VolumeOrder("a", "raw", MIB, Preallocation.METADATA), "Only the metadata of qcow2"),
    (VolumeOrder("a", "raw", MIB, Preallocation.OFF, "/x", "raw"), "only qcow2 has layers"),
    (VolumeOrder("a", "qcow2", MIB, Preallocation.OFF, "/x", ""), "format of /x is not given"),
    (VolumeOrder("a", "qcow2", MIB, Preallocation.METADATA, "/x", "raw"), "cannot be preallocated"),
    (
        VolumeOrder("a", "qcow2", MIB, Preallocation.OFF, f"{LOCAL}/gone", "raw"),
        "layer below it is not there",
    ),
)


def test_order_that_cannot_be_is_refused_and_leaves_nothing(storage: Storage, mercury: LabHost) -> None:
    for order, words in WRONG:
        refusal(lambda order=order: storage.make_volume("local", order), words)
    assert mercury.run(["ls", LOCAL]).stdout == ""


def test_full_pool_is_told_and_the_volume_is_not_left_behind(storage: Storage, full_pool: str) -> None:
    with pytest.raises(OperationFailed, match="storage there is full") as caught:
        storage.make_volume(full_pool, VolumeOrder("a.img", "raw", 16 * MIB, Preallocation.FULL))
    assert "Make room" in caught.value.remedy
    assert storage.read_volumes(full_pool) == ()


def test_pool_that_sleeps_or_is_missing_is_refused(storage: Storage) -> None:
    bring_up(storage, "spare")
    storage.stop_pool("spare")
    order = VolumeOrder("a.img", "raw", MIB)
    for change in (
        lambda: storage.make_volume("spare", order),
        lambda: storage.read_volumes("spare"),
        lambda: storage.find_volume("spare", "a.img"),
        lambda: storage.delete_volume("spare", "a.img"),
    ):
        assert "Start it first" in refusal(change, "not started").remedy
    refusal(lambda: storage.make_volume("nothing", order), "no storage pool nothing")
    storage.delete_pool("spare")


def test_what_is_there_is_told_not_what_the_pool_remembers(storage: Storage, mercury: LabHost) -> None:
    mercury.run(["truncate", "-s", "3M", f"{LOCAL}/foreign.img"])
    found = storage.find_volume("local", "foreign.img")
    assert found is not None
    assert found.capacity_bytes == 3 * MIB
    mercury.run(["rm", f"{LOCAL}/foreign.img"])
    assert storage.read_volumes("local") == ()
    assert storage.find_volume("local", "foreign.img") is None
    assert not storage.delete_volume("local", "foreign.img").changed
    assert storage.make_volume("local", VolumeOrder("foreign.img", "raw", MIB)).changed


def test_clone_is_a_whole_copy_without_layers(storage: Storage, mercury: LabHost) -> None:
    storage.make_volume("local", VolumeOrder("base.img", "raw", 8 * MIB))
    storage.write_volume("local", "base.img", [b"the contents"])
    order = VolumeOrder("top.qcow2", "qcow2", 8 * MIB, Preallocation.OFF, f"{LOCAL}/base.img", "raw")
    storage.make_volume("local", order)
    change = storage.clone_volume("local", "top.qcow2", "copy.qcow2")
    assert "no layer below" in change.says
    assert "backing_path" not in change.after
    mercury.run(["qemu-img", "compare", f"{LOCAL}/top.qcow2", f"{LOCAL}/copy.qcow2"])
    assert storage.clone_volume("local", "base.img", "copy.img").changed
    assert contents(storage, "local", "copy.img") == contents(storage, "local", "base.img")
    refusal(lambda: storage.clone_volume("local", "base.img", "copy.img"), r"has a volume copy\.img already")
    refusal(lambda: storage.clone_volume("local", "base.img", "../x"), "no name")
    refusal(lambda: storage.clone_volume("local", "nothing", "x"), "no volume nothing")


def test_volume_grows_and_never_shrinks(storage: Storage) -> None:
    storage.make_volume("local", VolumeOrder("a.qcow2", "qcow2", 8 * MIB))
    change = storage.resize_volume("local", "a.qcow2", 16 * MIB)
    assert (change.changed, change.after["capacity_bytes"]) == (True, str(16 * MIB))
    assert not storage.resize_volume("local", "a.qcow2", 16 * MIB).changed
    refusal(lambda: storage.resize_volume("local", "a.qcow2", 8 * MIB), "cut off")


def test_wiped_volume_holds_zeros(storage: Storage) -> None:
    storage.make_volume("local", VolumeOrder("a.img", "raw", MIB))
    storage.write_volume("local", "a.img", [b"secret" * 1000])
    assert storage.wipe_volume("local", "a.img", WipeAlgorithm.ZERO).changed
    assert contents(storage, "local", "a.img") == bytes(MIB)
    refusal(lambda: storage.wipe_volume("local", "a.img", WipeAlgorithm.TRIM), "does not offer this")
    storage.make_volume("local", VolumeOrder("a.qcow2", "qcow2", MIB))
    assert "no qcow2 image any more" in storage.wipe_volume("local", "a.qcow2", WipeAlgorithm.ZERO).says


def test_deleted_volume_is_gone(storage: Storage, mercury: LabHost) -> None:
    storage.make_volume("local", VolumeOrder("a.img", "raw", MIB))
    change = storage.delete_volume("local", "a.img")
    assert (change.changed, change.after) == (True, {"volume": "missing"})
    assert not mercury.path(f"{LOCAL}/a.img").exists()
    assert not storage.delete_volume("local", "a.img").changed


@pytest.mark.parametrize(
    ("type_", "source"),
    [("file", f"file='{LOCAL}/../local/top.qcow2'"), ("volume", "pool='local' volume='top.qcow2'")],
    ids=["file", "volume"],
)
def test_what_a_guest_uses_is_found_with_all_its_layers_and_kept(
    storage: Storage, mercury: LabHost, type_: str, source: str
) -> None:
    """Shut off: the definition tells the top layer only."""
    storage.make_volume("local", VolumeOrder("base.img", "raw", 8 * MIB))
    storage.make_volume("local", VolumeOrder("other.img", "raw", 8 * MIB))
    order = VolumeOrder("top.qcow2", "qcow2", 8 * MIB, Preallocation.OFF, f"{LOCAL}/base.img", "raw")
    storage.make_volume("local", order)
    define(mercury, source=source, type=type_)
    paths = [f"{LOCAL}/{name}" for name in ("base.img", "other.img", "top.qcow2")]
    used = {(f"{LOCAL}/base.img", "user"), (f"{LOCAL}/top.qcow2", "user")}
    assert set(storage.find_users(paths)) == used
    assert storage.find_users([]) == ()
    for name in ("top.qcow2", "base.img"):
        refusal(lambda name=name: storage.delete_volume("local", name), "used by guests: user")
        refusal(
            lambda name=name: storage.wipe_volume("local", name, WipeAlgorithm.ZERO), "used by guests: user"
        )
    assert storage.resize_volume("local", "top.qcow2", 16 * MIB).changed, "nobody has it open"
    assert storage.clone_volume("local", "top.qcow2", "copy.qcow2").changed
    mercury.virsh("start", "user")
    assert set(storage.find_users(paths)) == used
    refusal(lambda: storage.resize_volume("local", "top.qcow2", 32 * MIB), "used by running guests: user")
    refusal(lambda: storage.clone_volume("local", "top.qcow2", "torn.qcow2"), "would be torn")
    refusal(lambda: storage.write_volume("local", "top.qcow2", [b"x"]), "used by running guests: user")
    assert storage.clone_volume("local", "base.img", "base2.img").changed, "a layer below is not written to"
    mercury.virsh("destroy", "user")
    mercury.virsh("undefine", "user")
    assert storage.delete_volume("local", "top.qcow2").changed


def test_layers_of_an_image_made_beside_libvirt_are_found_too(storage: Storage, mercury: LabHost) -> None:
    storage.make_volume("local", VolumeOrder("base.qcow2", "qcow2", 8 * MIB))
    base = f"{LOCAL}/base.qcow2"
    for top, below in (("middle", base), ("top", f"{LOCAL}/middle.qcow2")):
        mercury.run(
            ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", below, f"{LOCAL}/{top}.qcow2"]
        )
    define(mercury, source=f"file='{LOCAL}/top.qcow2'")
    assert storage.find_users([base]) == ((base, "user"),)
    refusal(lambda: storage.delete_volume("local", "base.qcow2"), "used by guests: user")


def test_disk_that_only_the_running_guest_has_counts_too(storage: Storage, mercury: LabHost) -> None:
    storage.make_volume("local", VolumeOrder("own.img", "raw", 8 * MIB))
    storage.make_volume("local", VolumeOrder("hot.img", "raw", 8 * MIB))
    define(mercury, source=f"file='{LOCAL}/own.img'", format="raw")
    mercury.virsh("start", "user")
    mercury.virsh("attach-disk", "user", f"{LOCAL}/hot.img", "vdb", "--live")
    assert storage.find_users([f"{LOCAL}/hot.img"]) == ((f"{LOCAL}/hot.img", "user"),)
    refusal(lambda: storage.delete_volume("local", "hot.img"), "used by guests: user")
