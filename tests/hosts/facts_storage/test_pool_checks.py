"""What makes a pool template unusable: every problem at once, each at its field, before a host is asked."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hosts.facts.pool_template import PoolForm, check_template, render_form
from hosts.facts.pool_template_shape import MAX_TEMPLATE_CHARACTERS
from tests.hosts.facts_storage.pool_forms import ALL_FORMS

# Form, what is changed in it, the fields told, a word of the message.
WRONG: tuple[tuple[str, dict[str, Any], list[str], str], ...] = (
    ("dir", {"name": ""}, ["name"], "needs Name"),
    ("dir", {"name": "a/b"}, ["name"], "no /"),
    ("dir", {"name": "a\nb"}, ["name"], "line break"),
    ("dir", {"target_path": "/a\u202eb"}, ["target_path"], "U+202E"),
    ("dir", {"name": "n" * 248}, ["name"], "247 bytes"),
    ("dir", {"name": "ü" * 124}, ["name"], "247 bytes"),
    ("dir", {"name": "on {{ host.name }}"}, ["name"], "same on every host"),
    ("dir", {"target_path": ""}, ["target_path"], "needs Target path"),
    ("dir", {"target_path": "images"}, ["target_path"], "not an absolute path"),
    ("dir", {"target_path": "/srv/../etc"}, ["target_path"], "'..'"),
    ("dir", {"target_path": "/etc/"}, ["target_path"], "belongs to the host's system"),
    ("netfs-nfs", {"target_path": "//"}, ["target_path"], ""),
    ("dir", {"target_path": "/a" * 2100}, ["target_path"], "longer"),
    ("dir", {"target_path": "{{ host.name }}"}, ["target_path"], "not an absolute path"),
    ("dir", {"mode": "999"}, ["mode"], "no mode"),
    ("dir", {"mode": "4755"}, ["mode"], "no mode"),
    ("dir", {"owner": "root"}, ["owner"], "no number"),
    ("dir", {"group": "-2"}, ["group"], "no number"),
    ("dir", {"group": "4294967295"}, ["group"], "no number"),
    ("dir", {"cow": "maybe"}, ["cow"], "neither yes nor no"),
    ("fs", {"devices": ()}, ["devices"], "needs Device"),
    ("fs", {"devices": ("sdb1",)}, ["devices"], "not the path of a device"),
    ("fs", {"devices": ("/dev/a", "/dev/b")}, ["devices"], "exactly 1"),
    ("fs", {"source_format": "ntfs"}, ["source_format"], "no format"),
    ("netfs-nfs", {"hosts": ()}, ["hosts"], "needs Host"),
    ("netfs-nfs", {"hosts": ("a", "b")}, ["hosts"], "exactly 1 host"),
    ("netfs-nfs", {"hosts": ("a", "a")}, ["hosts", "hosts"], ""),
    ("netfs-nfs", {"hosts": ("na s",)}, ["hosts"], "neither a host name"),
    ("netfs-nfs", {"hosts": ("{{ host.device }}",)}, ["hosts"], "neither a host name"),
    ("netfs-nfs", {"hosts": ("nas:2050",)}, ["hosts"], "without looking"),
    ("iscsi", {"hosts": ("san:0",)}, ["hosts"], "no port"),
    ("iscsi", {"hosts": ("san:65536",)}, ["hosts"], "no port"),
    ("iscsi", {"hosts": ("san:http",)}, ["hosts"], "no port"),
    ("netfs-nfs", {"source_dir": ""}, ["source_dir"], "needs Directory"),
    ("netfs-nfs", {"source_dir": "vm"}, ["source_dir"], "not an absolute path"),
    ("netfs-auto", {"source_dir": "vm"}, ["source_dir"], "not an absolute path"),
    ("netfs-cifs", {"source_dir": "/vm"}, ["source_dir"], "no / in front"),
    ("netfs-glusterfs", {"source_dir": "VM/../other"}, ["source_dir"], "'..'"),
    ("netfs-nfs", {"protocol_version": "5"}, ["protocol_version"], "no NFS version"),
    ("netfs-nfs", {"protocol_version": "4.x"}, ["protocol_version"], "no NFS version"),
    ("netfs-cifs", {"protocol_version": "3"}, ["protocol_version"], "says nothing for cifs"),
    ("netfs-nfs", {"mount_options": ("hard,vers=4.1",)}, ["protocol_version"], "given twice"),
    ("netfs-nfs", {"mount_options": ("hard", "hard")}, ["mount_options"], "more than once"),
    ("netfs-nfs", {"mount_options": ("rsize = 1",)}, ["mount_options"], "no mount option"),
    ("netfs-nfs", {"mount_options": ("a,,b",)}, ["mount_options"], "no mount option"),
    ("netfs-cifs", {"mount_options": ("password=geheim",)}, ["mount_options"], "holds a password"),
    ("netfs-cifs", {"mount_options": ("ro,PASS=geheim",)}, ["mount_options"], "holds a password"),
    ("netfs-cifs", {"mount_options": ("username=a%geheim",)}, ["mount_options"], "holds a password"),
    ("netfs-cifs", {"mount_options": ("ro password = geheim",)}, ["mount_options"], "holds a password"),
    ("netfs-cifs", {"mount_options": ("user = a%geheim }}",)}, ["", "mount_options"], "holds a password"),
    ("iscsi", {"target_iqn": ""}, ["target_iqn"], "needs Target IQN"),
    ("iscsi", {"target_iqn": "iqn.2013-13.com.example"}, ["target_iqn"], "no iSCSI qualified name"),
    ("iscsi", {"initiator_iqn": "mercury"}, ["initiator_iqn"], "no iSCSI qualified name"),
    ("iscsi-direct", {"initiator_iqn": ""}, ["initiator_iqn"], "needs Initiator IQN"),
    ("iscsi-chap", {"secret_usage": ""}, ["secret_usage"], "names no secret"),
    ("iscsi-chap", {"auth_username": ""}, ["auth_username"], "no user name"),
    ("iscsi-direct", {"secret_uuid": "none"}, ["secret_uuid"], "no UUID"),
    ("rbd", {"secret_uuid": "2ec115d7-3a88-3ceb-bc12-0ac909a6fd87"}, ["secret_uuid"], "named twice"),
    ("rbd", {"source_name": ""}, ["source_name"], "needs Ceph pool"),
    ("rbd", {"config_options": ("key=AQB",)}, ["config_options"], "holds a secret"),
    ("rbd", {"config_options": ("timeout",)}, ["config_options"], "no Ceph option"),
    ("logical-devices", {"devices": ("/dev/sdb", "/dev/sdb")}, ["devices"], "more than once"),
    ("zfs", {"source_name": ""}, ["source_name"], "needs Pool or dataset"),
    ("zfs", {"devices": ("sda", "sdb")}, ["devices"], "exactly 1"),
)  # fmt: skip


@pytest.mark.parametrize("case", WRONG, ids=lambda case: f"{case[0]} {case[1]}"[:60])
def test_what_is_wrong_is_told_at_its_field(case: tuple[str, dict[str, Any], list[str], str]) -> None:
    name, changes, fields, word = case
    problems = check_template(render_form(replace(ALL_FORMS[name], **changes)))
    assert [problem.field for problem in problems] == fields, problems
    assert any(word in problem.message for problem in problems), problems
    assert all(problem.message.endswith(".") and problem.remedy.endswith((".", "…")) for problem in problems)


RIGHT: tuple[tuple[str, dict[str, Any]], ...] = (
    ("dir", {"target_path": "/srv/{{ host.name }}"}),
    ("dir", {"target_path": "{{host.path}}"}),
    ("dir", {"name": "ü" * 123}),
    ("dir", {"name": "👩\u200d💻 <script>"}),
    ("netfs-nfs", {"hosts": ("nas:2049",)}),
    ("fs", {"devices": ("{{ host.device }}",)}),
    ("iscsi", {"initiator_iqn": "iqn.2013-06.com.example:{{ host.hostname }}"}),
    ("iscsi", {"initiator_iqn": "eui.0123456789abcdef"}),
    ("iscsi", {"hosts": ("{{ host.address }}:3260",)}),
    ("iscsi", {"hosts": ("2001:db8::1",)}),
    ("netfs-glusterfs", {"source_dir": "/VM/images"}),
    ("netfs-auto", {"protocol_version": "3"}),
    ("netfs-cifs", {"mount_options": ("passthrough", "username=a", "credentials=/a%b")}),
    ("logical", {"source_name": "", "name": "vg0"}),
    ("zfs", {"devices": ("sda",)}),
    ("gluster", {"source_dir": ""}),
)  # fmt: skip


@pytest.mark.parametrize("case", RIGHT, ids=lambda case: f"{case[0]} {case[1]}"[:60])
def test_what_is_right_passes(case: tuple[str, dict[str, Any]]) -> None:
    assert check_template(render_form(replace(ALL_FORMS[case[0]], **case[1]))) == ()


def test_all_problems_are_told_at_once() -> None:
    form = PoolForm("netfs", "a/b", "x", hosts=("a b",), source_dir="", source_format="nfs", mode="9")
    told = [problem.field for problem in check_template(render_form(form))]
    assert sorted(told) == ["hosts", "mode", "name", "source_dir", "target_path"]


# Text → the field told, a word of the message.
BROKEN = {
    "": ("", "not well-formed"),
    "<pool type='dir'>": ("", "not well-formed"),
    "<network/>": ("", "Expected a <pool>"),
    "<!DOCTYPE pool SYSTEM 'http://x/y'><pool type='dir'/>": ("", "document type"),
    "<!DOCTYPE pool [<!ENTITY a 'aaaa'>]><pool type='dir'/>": ("", "document type"),
    "<pool type='dir'><!--" + "x" * MAX_TEMPLATE_CHARACTERS + "--></pool>": ("", "more than"),
    "<pool><name>x</name></pool>": ("type", "has no type"),
    "<pool type='cloud'><name>x</name></pool>": ("type", "no pool type known"),
    "<pool type='dir'><name> x</name><target><path>/a</path></target></pool>": ("name", "white space"),
    "<pool type='dir'><name>x</name><target><path>/a/{{ host.nam }}</path></target></pool>": (
        "",
        "no variable",
    ),
    "<pool type='dir'><name>x</name><target><path>/a/{{ host.name }</path></target></pool>": ("", "braces"),
    "<pool type='dir'><name>x</name><target><path>/a/}}</path></target></pool>": ("", "braces"),
    "<pool type='dir'><name>x</name><target passwd='geheim'><path>/a</path></target></pool>": (
        "",
        "no secret",
    ),
}


@pytest.mark.parametrize("xml", BROKEN, ids=lambda xml: xml[:60])
def test_text_that_is_no_template_is_told(xml: str) -> None:
    field, word = BROKEN[xml]
    problems = check_template(xml)
    assert [problem.field for problem in problems] == [field], problems
    assert word in problems[0].message
    assert "geheim" not in repr(problems)


# Wherever the form does not look, too.
HIDDEN = (
    "<fs:mount_opts xmlns:fs='http://libvirt.org/schemas/storagepool/fs/1.0'><fs:option name='{}'/></fs:mount_opts>",
    "<our:x xmlns:our='urn:x' password='{}'/>",
)


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("kind", ["dir", "cloud"])
def test_a_password_is_refused_wherever_it_is(hidden: str, kind: str) -> None:
    inside = hidden.format("password=geheim {{ x }} }}")
    problems = check_template(
        f"<pool type='{kind}'><name>x</name><target><path>/a</path></target>{inside}</pool>"
    )
    assert any("password" in problem.message for problem in problems)
    assert "geheim" not in repr(problems)


@pytest.mark.parametrize(
    "option", ["password=geheim", "user=a%geheim", "x,pass=geheim", "x pass = geheim {{", "user = a%geheim}}"]
)
def test_no_problem_repeats_a_password(option: str) -> None:
    problems = check_template(render_form(replace(ALL_FORMS["netfs-cifs"], mount_options=(option,))))
    assert "mount_options" in [problem.field for problem in problems]
    assert "geheim" not in repr(problems)


@settings(max_examples=300, deadline=None)
@given(st.text(), st.text("<pool>type='dir' /&;!DOCTYPE[]{}\x00", max_size=60))
def test_any_text_is_answered(text: str, inside: str) -> None:
    for xml in (text, f"<pool type='dir'>{inside}</pool>"):
        assert all(problem.message and problem.remedy for problem in check_template(xml))


def test_the_longest_template_is_answered_at_once() -> None:
    host = "<host name='a'/>"
    hosts = host * ((MAX_TEMPLATE_CHARACTERS - 200) // len(host))
    xml = f"<pool type='rbd'><name>x</name><source>{hosts}<name>p</name></source></pool>"
    started = time.monotonic()
    assert [problem.field for problem in check_template(xml)] == ["hosts"]
    assert time.monotonic() - started < 2
