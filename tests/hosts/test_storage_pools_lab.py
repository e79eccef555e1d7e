"""Pools on real hosts: each change done, done again, refused; virsh on the host says the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from hosts.driver.connection import Connection
from hosts.driver.storage import Storage
from hosts.errors import HostError, HostUnreachable, OperationFailed, Refused
from hosts.ports import Change
from hosts.storage_ports import SecretOrder, VolumeOrder
from tests.hosts.storage_lab import IMAGES, MIB, POOL, bring_up
from tests.lab import Lab
from tests.lab.host import LabHost

pytestmark = [pytest.mark.lab, pytest.mark.storage]

Connect = Callable[..., Connection]
TEST_UUID = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def mercury(clean_lab: Lab) -> Iterator[LabHost]:
    host = clean_lab.hosts["mercury"]
    yield host
    host.run(["sh", "-c", f"rm -rf {IMAGES}/spare {IMAGES}/other '{IMAGES}/odd 🖥️'"])
    for words in host.virsh("secret-list").splitlines():
        host.virsh("secret-undefine", words.split()[0])


def done_then_harmless(change: Callable[[], Change]) -> Change:
    """Done, and done again without doing anything."""
    first, second = change(), change()
    assert first.changed
    assert first.before != first.after
    assert not second.changed
    assert second.before == second.after
    assert second.says.endswith(".")
    return first


def refusal(change: Callable[[], object]) -> HostError:
    with pytest.raises(Refused) as caught:
        change()
    assert caught.value.remedy
    return caught.value


def test_pools_are_read_with_definition_and_state(storage: Storage) -> None:
    pools = {pool.facts.name: pool for pool in storage.read_pools()}
    assert set(pools) == {"VM", "local"}
    assert pools["VM"].facts == storage.find_pool("VM").facts  # type: ignore[union-attr]
    assert (pools["VM"].facts.type, pools["VM"].facts.active, pools["VM"].facts.autostart) == (
        "netfs",
        True,
        True,
    )
    assert "<format type='glusterfs'/>" in pools["VM"].definition_xml
    assert storage.find_pool("nothing") is None


def test_transient_pool_has_no_definition_and_is_forgotten_when_stopped(
    storage: Storage, mercury: LabHost
) -> None:
    mercury.run(["mkdir", "-p", f"{IMAGES}/spare"])
    mercury.path("/run/put.xml").write_text(POOL.format(name="spare", path=f"{IMAGES}/spare"))
    mercury.virsh("pool-create", "/run/put.xml")
    reading = storage.find_pool("spare")
    assert reading is not None
    assert (reading.definition_xml, reading.facts.persistent, reading.facts.active) == ("", False, True)
    assert "no definition" in refusal(lambda: storage.set_pool_autostart("spare", True)).message
    change = storage.stop_pool("spare")
    assert "forgotten it" in change.says
    assert storage.find_pool("spare") is None


def test_whole_life_of_a_pool(storage: Storage, mercury: LabHost) -> None:
    xml = POOL.format(name="spare", path=f"{IMAGES}/spare")
    done_then_harmless(lambda: storage.define_pool(xml))
    assert storage.build_pool("spare").changed
    assert mercury.path(f"{IMAGES}/spare").is_dir()
    done_then_harmless(lambda: storage.start_pool("spare"))
    assert not storage.build_pool("spare").changed, "one that runs is built"
    done_then_harmless(lambda: storage.set_pool_autostart("spare", True))
    assert "spare" in mercury.virsh("pool-list", "--autostart", "--name")
    done_then_harmless(lambda: storage.set_pool_autostart("spare", False))
    mercury.run(["truncate", "-s", "1M", f"{IMAGES}/spare/new.img"])
    seen = done_then_harmless(lambda: storage.refresh_pool("spare"))
    assert (seen.before["volumes"], seen.after["volumes"]) == ("0", "1")
    assert "runs" in refusal(lambda: storage.undefine_pool("spare")).message
    assert "runs" in refusal(lambda: storage.delete_pool("spare")).message
    done_then_harmless(lambda: storage.stop_pool("spare"))
    assert "not started" in refusal(lambda: storage.refresh_pool("spare")).message
    done_then_harmless(lambda: storage.undefine_pool("spare"))
    assert mercury.path(f"{IMAGES}/spare/new.img").exists(), "what lies in it stays"
    assert "spare" not in mercury.virsh("pool-list", "--all", "--name")


def test_pool_is_deleted_with_its_empty_folder_only(storage: Storage, mercury: LabHost) -> None:
    bring_up(storage, "spare")
    storage.make_volume("spare", VolumeOrder("a.img", "raw", MIB))
    storage.stop_pool("spare")
    with pytest.raises(OperationFailed, match="The folder is not empty"):
        storage.delete_pool("spare")
    assert storage.find_pool("spare") is not None, "what could not be deleted stays defined"
    mercury.run(["rm", f"{IMAGES}/spare/a.img"])
    done_then_harmless(lambda: storage.delete_pool("spare"))
    assert not mercury.path(f"{IMAGES}/spare").exists()


def test_deleting_goes_on_where_the_folder_has_gone_already(storage: Storage, mercury: LabHost) -> None:
    storage.define_pool(POOL.format(name="spare", path=f"{IMAGES}/spare"))
    assert storage.delete_pool("spare").changed
    assert storage.find_pool("spare") is None


def test_pool_is_redefined_under_its_own_uuid(storage: Storage) -> None:
    bring_up(storage, "spare")
    before = storage.find_pool("spare")
    change = storage.define_pool(POOL.format(name="spare", path=f"{IMAGES}/other"))
    after = storage.find_pool("spare")
    assert before is not None
    assert after is not None
    assert after.facts.pool_uuid == before.facts.pool_uuid
    assert (after.facts.target_path, f"{IMAGES}/other" in after.definition_xml) == (f"{IMAGES}/spare", True)
    assert "stopped and started" in change.says


WRONG = (
    ("<pool type='dir'><name>bad</name><bogus/><target><path>/x</path></target></pool>", "schema"),
    ("<pool type='dir'><name>bad</name></pool>", "bad"),
    ("<pool type='dir'><target><path>/x</path></target></pool>", "no name"),
    ("not even XML", "not well-formed"),
    (POOL.format(name="bad", path=f"{IMAGES}/local"), "Another pool"),
    (POOL.format(name="bad", path="relative"), "bad"),
)


def test_definition_that_cannot_be_is_refused_and_leaves_nothing(storage: Storage, mercury: LabHost) -> None:
    for xml, words in WRONG:
        assert words in refusal(lambda xml=xml: storage.define_pool(xml)).message
    assert set(mercury.virsh("pool-list", "--all", "--name").split()) == {"VM", "local"}


def test_name_with_spaces_and_signs_is_a_name_like_any_other(storage: Storage, mercury: LabHost) -> None:
    name = "odd 🖥️"
    bring_up(storage, name)
    storage.make_volume(name, VolumeOrder("<b>&amp; ü.img", "raw", MIB))
    assert [volume.name for volume in storage.read_volumes(name)] == ["<b>&amp; ü.img"]
    assert storage.delete_volume(name, "<b>&amp; ü.img").changed
    storage.stop_pool(name)
    assert storage.delete_pool(name).changed


def test_pool_that_is_not_built_says_what_to_do(storage: Storage) -> None:
    storage.define_pool(POOL.format(name="spare", path=f"{IMAGES}/spare"))
    with pytest.raises(OperationFailed, match=f"could not start the pool spare.*{IMAGES}/spare") as caught:
        storage.start_pool("spare")
    assert "Build the pool first" in caught.value.remedy


def test_storage_server_that_is_not_there_is_named(storage: Storage) -> None:
    xml = (
        "<pool type='netfs'><name>spare</name><source><host name='nowhere.invalid'/><dir path='VM'/>"
        f"<format type='glusterfs'/></source><target><path>{IMAGES}/spare</path></target></pool>"
    )
    storage.define_pool(xml)
    storage.build_pool("spare")
    with pytest.raises(OperationFailed, match=r"could not start the pool spare: .*mount"):
        storage.start_pool("spare")


def test_building_on_a_device_never_writes_over_what_is_there_unasked(
    storage: Storage, mercury: LabHost
) -> None:
    """A file stands for the disk: libvirt and parted look at it as at a device."""
    mercury.run(["truncate", "-s", "16M", f"{IMAGES}/local/disk.img"])
    mercury.run(["mkfs.ext4", "-q", "-F", f"{IMAGES}/local/disk.img"])
    xml = (
        f"<pool type='disk'><name>spare</name><source><device path='{IMAGES}/local/disk.img'/>"
        "<format type='gpt'/></source><target><path>/dev</path></target></pool>"
    )
    storage.define_pool(xml)
    before = mercury.path(f"{IMAGES}/local/disk.img").read_bytes()
    message = refusal(lambda: storage.build_pool("spare")).message
    assert "something on it already" in message
    assert mercury.path(f"{IMAGES}/local/disk.img").read_bytes() == before


def test_kinds_without_anything_to_build_say_so(storage: Storage) -> None:
    storage.define_pool(
        "<pool type='iscsi'><name>spare</name><source><host name='san'/><device path='iqn.2026-01.org:x'/></source>"
        "<target><path>/dev/disk/by-path</path></target></pool>"
    )
    change = storage.build_pool("spare")
    assert (change.changed, "nothing to build" in change.says) == (False, True)


def test_pool_that_is_not_there_is_refused_or_as_good_as_removed(storage: Storage) -> None:
    for change in (storage.build_pool, storage.start_pool, storage.refresh_pool):
        assert "no storage pool nothing" in refusal(lambda change=change: change("nothing")).message
    for change in (storage.stop_pool, storage.undefine_pool, storage.delete_pool):
        assert not change("nothing").changed


def test_secret_is_defined_with_its_value(storage: Storage, mercury: LabHost) -> None:
    order = SecretOrder("ceph", "client.vm", TEST_UUID, b"s3cret")
    assert "s3cret" not in repr(order)
    change = storage.define_secret(order)
    assert (change.changed, change.after["uuid"]) == (True, TEST_UUID)
    assert "ceph client.vm" in " ".join(mercury.virsh("secret-list").split())
    assert not storage.define_secret(SecretOrder("ceph", "client.vm")).changed
    assert "set anew" in storage.define_secret(SecretOrder("ceph", "client.vm", "", b"other")).says
    other = SecretOrder("ceph", "client.vm", TEST_UUID.replace("1", "6"))
    assert TEST_UUID in refusal(lambda: storage.define_secret(other)).message
    assert storage.define_secret(SecretOrder("iscsi", "iqn.2026-01.org:x")).changed
    with pytest.raises(Refused, match="iscsi or ceph"):
        storage.define_secret(SecretOrder("tls", "x"))


def test_lost_connection_is_no_answer(storage: Storage, mercury: LabHost) -> None:
    mercury.kill_libvirtd()
    with pytest.raises(HostUnreachable):
        storage.read_pools()
    mercury.start_libvirtd()
