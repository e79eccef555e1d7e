"""What differs between a template and a host's pool, and what only looks as if it did."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from hosts.facts.pool_drift import Difference, compare_definitions
from hosts.facts.pool_template import PoolForm, render_form
from tests.hosts.facts_storage.pool_forms import ALL_FORMS, forms, golden

# Name of a golden file → (what is changed in it, to what, how that is told).
CHANGES: tuple[tuple[str, str, str, Difference], ...] = (
    ("dir", "/var/lib/images", "/srv", Difference("target/path", "/var/lib/images", "/srv")),
    ("dir", "t-dir", "other", Difference("name", "t-dir", "other")),
    ("dir-permissions", "0751", "0711", Difference("target/permissions/mode", "0751", "0711")),
    ("dir-permissions", "<owner>107</owner>", "", Difference("target/permissions/owner", "107", "")),
    ("dir-permissions", "'no'", "'yes'", Difference("features/cow state", "no", "yes")),
    ("netfs-nfs", "nas.example", "nas2", Difference("source/host name", "nas.example", "nas2")),
    ("netfs-nfs", "/srv/vm", "/srv/vm2", Difference("source/dir path", "/srv/vm", "/srv/vm2")),
    ("netfs-nfs", "'nfs'", "'auto'", Difference("source/format type", "nfs", "auto")),
    ("netfs-nfs", "<protocol ver='4.2'/>", "", Difference("source/protocol ver", "4.2", "")),
    ("netfs-nfs", "<fs:option name='hard'/>", "",
     Difference("fs:mount_opts/fs:option name", "hard, nconnect=4", "nconnect=4")),
    ("netfs-auto", "<dir", "<vendor name='x'/><dir", Difference("source/vendor name", "", "x")),
    ("iscsi-chap", "3261", "3262", Difference("source/host port", "3261", "3262")),
    ("iscsi-chap", "'libvirt'", "'root'", Difference("source/auth username", "libvirt", "root")),
    ("iscsi-chap", "san of", "nas of",
     Difference("source/auth/secret usage", "san of the guests", "nas of the guests")),
    ("logical", "<name>vg_guests", "<name>vg_old", Difference("source/name", "vg_guests", "vg_old")),
    ("logical-devices", "/dev/sdc", "/dev/sdx",
     Difference("source/device path", "/dev/sdb, /dev/sdc", "/dev/sdb, /dev/sdx")),
    ("rbd", " port='6789'", " port='6790'",
     Difference("source/host port", "2001:db8::3: 3300, mon2.example: 6789", "2001:db8::3: 3300, mon2.example: 6790")),
    ("disk", "type='disk'", "type='zfs'", Difference("type", "disk", "zfs")),
)  # fmt: skip


@pytest.mark.parametrize("case", CHANGES, ids=lambda case: f"{case[0]} {case[3].element}")
def test_one_change_is_one_difference(case: tuple[str, str, str, Difference]) -> None:
    name, old, new, difference = case
    assert old in golden(name)
    found = compare_definitions(render_form(ALL_FORMS[name]), golden(name).replace(old, new))
    assert difference in found
    if difference.element != "type":  # another type has other places
        assert found == (difference,)


# Wanted, actual: the same pool, written in two ways.
SAME: dict[str, tuple[str, str]] = {
    "figures and UUID": (
        "<pool type='dir'><name>a</name><target><path>/a</path></target></pool>",
        ("<pool type='dir'><name>a</name><uuid>2ec115d7-3a88-3ceb-bc12-0ac909a6fd87</uuid><capacity unit='bytes'>5"
        "</capacity><allocation>1</allocation><available>4</available><source>\n  </source>"
        "<target><path>/a</path></target></pool>")),
    "slashes": (
        "<pool type='dir'><name>a</name><target><path>/a//b/</path></target></pool>",
        "<pool type='dir'><name>a</name><target><path>/a/b</path></target></pool>"),
    "permissions nobody asked for": (
        ("<pool type='dir'><name>a</name><target><path>/a</path><permissions><owner>-1</owner></permissions>"
        "</target></pool>"),
        ("<pool type='dir'><name>a</name><target><path>/a</path><permissions><mode>0755</mode><owner>0</owner>"
        "<group>0</group><label>x</label></permissions></target></pool>")),
    "a mode with fewer digits": (
        ("<pool type='dir'><name>a</name><target><path>/a</path><permissions><mode>755</mode></permissions>"
        "</target></pool>"),
        ("<pool type='dir'><name>a</name><target><path>/a</path><permissions><mode>0755</mode></permissions>"
        "</target></pool>")),
    "comments and white space": (
        "<pool type='dir'><!-- x --><name> a </name><target><path>/a</path></target></pool>",
        "<pool type='dir'>\n<name>a</name>\n<target>\n<path>/a</path></target></pool>"),
    "a default format": (
        "<pool type='netfs'><name>a</name><source><host name='n'/><dir path='/x/'/></source></pool>",
        ("<pool type='netfs'><name>a</name><source><host name='N'/><dir path='/x'/><format type='auto'/></source>"
        "</pool>")),
    "a default port": (
        "<pool type='iscsi'><name>a</name><source><host name='n'/><device path='iqn.x'/></source></pool>",
        "<pool type='iscsi'><name>a</name><source><host name='n' port='3260'/><device path='iqn.x'/></source></pool>"),
    "the order of hosts and options": (
        ("<pool type='rbd'><name>a</name><source><host name='m' port='1'/><host name='n'/><name>p</name></source>"
        "<r:config_opts xmlns:r='http://libvirt.org/schemas/storagepool/rbd/1.0'><r:option name='a' value='1'/>"
        "<r:option name='b' value='2'/></r:config_opts></pool>"),
        ("<pool type='rbd'><name>a</name><source><name>p</name><host name='n'/><host name='m' port='1'/></source>"
        "<rbd:config_opts xmlns:rbd='http://libvirt.org/schemas/storagepool/rbd/1.0'><rbd:option name='b' value='2'/>"
        "<rbd:option name='a' value='1'/></rbd:config_opts></pool>")),
    "the target libvirt makes up": (
        "<pool type='logical'><name>vg</name><target><path>/x</path></target></pool>",
        ("<pool type='logical'><name>vg</name><source><name>vg</name><format type='lvm2'/></source>"
        "<target><path>/dev/vg</path></target></pool>")),
    "free extents of a disk": (
        "<pool type='disk'><name>d</name><source><device path='/dev/sdd'/></source></pool>",
        ("<pool type='disk'><name>d</name><source><device path='/dev/sdd'><freeExtent start='1' end='9'/></device>"
        "<format type='unknown'/></source></pool>")),
    "how a secret is named": (
        ("<pool type='rbd'><name>a</name><source><auth type='ceph' username='u'><secret type='ceph' "
        "uuid='2EC115D7-3A88-3CEB-BC12-0AC909A6FD87'/></auth></source></pool>"),
        ("<pool type='rbd'><name>a</name><source><auth username='u' type='ceph'><secret "
        "uuid='2ec115d7-3a88-3ceb-bc12-0ac909a6fd87'/></auth></source></pool>")),
}  # fmt: skip


@pytest.mark.parametrize("what", SAME)
def test_the_same_pool_written_otherwise_does_not_differ(what: str) -> None:
    wanted, actual = SAME[what]
    assert compare_definitions(wanted, actual) == ()


def test_ports_that_change_places_between_hosts_are_seen() -> None:
    form = PoolForm("rbd", "a", hosts=("m:1", "n:2"), source_name="p")
    actual = render_form(PoolForm("rbd", "a", hosts=("m:2", "n:1"), source_name="p"))
    assert compare_definitions(render_form(form), actual) == (
        Difference("source/host port", "m: 1, n: 2", "m: 2, n: 1"),
    )


def test_all_differences_come_in_the_order_of_the_template() -> None:
    wanted = render_form(ALL_FORMS["netfs-nfs"])
    found = compare_definitions(wanted, golden("dir"))
    assert [difference.element for difference in found] == [
        "type", "name", "source/host name", "source/dir path", "source/format type", "source/protocol ver",
        "target/path", "target/permissions/mode", "target/permissions/group", "fs:mount_opts/fs:option name",
    ]  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(forms(), forms())
def test_forms_differ_only_when_they_say_something_else(one: PoolForm, other: PoolForm) -> None:
    wanted, actual = render_form(one), render_form(other)
    assert compare_definitions(wanted, wanted) == ()
    for difference in compare_definitions(wanted, actual):
        assert difference.wanted != difference.actual
        assert difference.element


def test_what_is_no_pool_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="pool"):
        compare_definitions("<pool type='dir'/>", "")
