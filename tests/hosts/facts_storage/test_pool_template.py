"""Forms of pool templates: read, written, imported; what they do not know is left alone."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from lxml import etree

from hosts.facts.pool_drift import compare_definitions
from hosts.facts.pool_template import (
    POOL_TYPES,
    PoolForm,
    check_template,
    find_type,
    import_xml,
    join_host,
    read_form,
    render_form,
    split_host,
    summarise_source,
)
from hosts.facts.pool_template_places import LIST_PLACES, PLACES
from tests.hosts.facts_storage.pool_forms import ALL_FORMS, forms, golden

# With all that a form does not know: comments, odd elements and attributes, another namespace, a label.
RICH = """<pool type='netfs' xmlns:fs='http://libvirt.org/schemas/storagepool/fs/1.0' xmlns:our='urn:our'>
  <!-- rack 3 & 4 -->
  <name>VM</name>
  <our:note by='anna'>keep me</our:note>
  <source>
    <host name='nas.example' our:rack='3'/> <!-- the old one -->
    <dir path='/srv//vm/'/>
    <format type='nfs'/>
    <vendor name='NetApp'/>
  </source>
  <target>
    <path>/mnt/vm/</path>
    <permissions><mode>755</mode><label>system_u:object_r:virt_image_t:s0</label></permissions>
  </target>
  <fs:mount_opts><fs:option name='hard' our:why='slow link'/></fs:mount_opts>
</pool>
"""


def canonical(xml: str) -> str:
    return str(etree.canonicalize(xml, with_comments=True, strip_text=True))


def test_every_field_of_the_form_has_a_place_and_a_type() -> None:
    names = {item.name for item in fields(PoolForm)} - {"type"}
    assert names == PLACES.keys() | LIST_PLACES.keys()
    assert names == {field.field for kind in POOL_TYPES for field in kind.fields}


def test_every_field_tells_what_it_is() -> None:
    for kind in POOL_TYPES:
        assert kind.help.endswith(".")
        for field in kind.fields:
            assert field.label
            assert field.element
            assert field.help.endswith("."), field


@pytest.mark.parametrize("name", ALL_FORMS)
def test_a_form_is_what_libvirt_wrote_for_it(name: str) -> None:
    form, returned = ALL_FORMS[name], golden(name)
    assert read_form(returned) == form
    xml = render_form(form)
    assert read_form(xml) == form
    assert check_template(xml) == check_template(import_xml(returned)) == ()
    assert compare_definitions(xml, returned) == ()
    assert render_form(form, returned) == returned


@settings(max_examples=300, deadline=None)
@given(forms())
def test_writing_and_reading_is_stable(form: PoolForm) -> None:
    xml = render_form(form)
    read = read_form(xml)
    assert render_form(read) == xml
    assert render_form(read, xml) == xml
    assert render_form(form, xml) == xml
    check_template(xml)
    imported = import_xml(xml)
    assert import_xml(imported) == imported
    assert read_form(imported) == read


@settings(max_examples=300, deadline=None)
@given(forms(), forms())
def test_any_form_can_be_written_over_any_other(old: PoolForm, new: PoolForm) -> None:
    xml = render_form(new, render_form(old))
    assert read_form(xml) == read_form(render_form(new))
    assert compare_definitions(render_form(new), xml) == ()


@settings(max_examples=100, deadline=None)
@given(forms())
def test_what_no_form_knows_survives_any_form(form: PoolForm) -> None:
    root = etree.fromstring(render_form(form, RICH))
    assert root.findtext("{urn:our}note") == "keep me"
    assert root.find("source/vendor").get("name") == "NetApp"
    assert root.findtext("target/permissions/label") == "system_u:object_r:virt_image_t:s0"
    assert " rack 3 & 4 " in [comment.text for comment in root.iter(etree.Comment)]


def test_an_unchanged_form_changes_not_one_letter() -> None:
    assert render_form(read_form(RICH), RICH) == RICH


def test_one_changed_field_changes_one_place() -> None:
    form = replace(read_form(RICH), target_path="/mnt/other")
    assert canonical(render_form(form, RICH)) == canonical(RICH.replace("/mnt/vm/", "/mnt/other"))


def test_the_only_host_is_renamed_and_keeps_what_else_it_says() -> None:
    form = replace(read_form(RICH), hosts=("nas2.example:2049",))
    expected = RICH.replace("name='nas.example'", "name='nas2.example' port='2049'")
    assert etree.fromstring(render_form(form, RICH)).find("source/host").attrib == {
        "name": "nas2.example", "port": "2049", "{urn:our}rack": "3",
    }  # fmt: skip
    assert read_form(expected) == form


def test_items_keep_their_attributes_when_others_come_and_go() -> None:
    form = replace(read_form(RICH), mount_options=("nodev", "hard"))
    options = etree.fromstring(render_form(form, RICH)).findall("{*}mount_opts/{*}option")
    assert [option.get("name") for option in options] == ["nodev", "hard"]
    assert [option.get("{urn:our}why") for option in options] == [None, "slow link"]


def test_emptied_fields_leave_no_empty_elements() -> None:
    form = PoolForm("iscsi", "i", "/dev/x", hosts=("san",), target_iqn="iqn.2013-06.com.example:vm")
    login = replace(
        form, auth_username="u", secret_usage="s", initiator_iqn="iqn.2013-06.com.example:i", mode="0700"
    )
    assert canonical(render_form(form, render_form(login))) == canonical(render_form(form))


def test_another_type_takes_its_own_fields_only() -> None:
    nfs = RICH.replace("<format type='nfs'/>", "<format type='nfs'/><protocol ver='4.2'/>")
    form = replace(read_form(nfs), type="dir")
    root = etree.fromstring(render_form(form, nfs))
    assert [child.tag for child in root.find("source").iterchildren("*")] == ["vendor"]
    assert root.find("{*}mount_opts") is None
    assert read_form(render_form(form, nfs)) == PoolForm("dir", "VM", "/mnt/vm", mode="0755")


def test_mount_options_come_last_as_the_schema_wants() -> None:
    base = "<pool type='fs' xmlns:fs='http://libvirt.org/schemas/storagepool/fs/1.0'><fs:mount_opts/></pool>"
    form = PoolForm(
        "fs", "x", "/mnt/x", devices=("/dev/sdb1",), source_format="xfs", mount_options=("noatime",)
    )
    root = etree.fromstring(render_form(form, base))
    assert [etree.QName(child).localname for child in root] == ["name", "source", "target", "mount_opts"]


def test_a_volume_group_keeps_its_name_when_the_pool_is_renamed() -> None:
    base = "<pool type='logical'><name>vg0</name><source/><target><path>/dev/vg0</path></target></pool>"
    form = read_form(base)
    assert form.source_name == "vg0"
    renamed = read_form(render_form(replace(form, name="copy"), base))
    assert (renamed.name, renamed.source_name) == ("copy", "vg0")


def test_import_leaves_out_what_only_that_host_has() -> None:
    xml = import_xml(
        golden("dir-permissions")
        .replace("</target>", "<x:y xmlns:x='urn:x'/></target>")
        .replace("</permissions>", "<label>unconfined_u</label></permissions>")
        .replace("<name>", "<!-- why -->\n<name>")
    )
    root = etree.fromstring(xml)
    assert [child.tag for child in root.iterchildren("*")] == ["name", "features", "target"]
    assert root.find("target/{urn:x}y") is not None
    assert root.find("target/permissions/label") is None
    assert "<!-- why -->" in xml
    assert read_form(xml) == ALL_FORMS["dir-permissions"]


def test_import_of_a_running_disk_pool_leaves_out_its_free_extents() -> None:
    free = "<device path='/dev/sdd' part_separator='no'><freeExtent start='1' end='2'/></device>"
    xml = import_xml(golden("disk").replace("<device path='/dev/sdd'/>", free))
    assert "freeExtent" not in xml
    assert "part_separator" in xml


@pytest.mark.parametrize(
    "text",
    ["", "<pool", "<domain/>", "<!DOCTYPE pool [<!ENTITY a 'b'>]><pool type='dir'><name>&a;</name></pool>"],
)
def test_what_is_no_pool_is_refused(text: str) -> None:
    for action in (read_form, import_xml):
        with pytest.raises(ValueError, match="pool"):
            action(text)


@pytest.mark.parametrize("change", [{"name": "a\x00b"}, {"hosts": ("a\x08",)}])
def test_characters_that_xml_cannot_hold_are_a_clear_refusal(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="character that XML cannot hold"):
        render_form(replace(ALL_FORMS["netfs-nfs"], **change))


def test_a_list_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match="300 hosts; at most 256"):
        render_form(replace(ALL_FORMS["rbd"], hosts=tuple(f"mon{number}" for number in range(300))))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("nas", ("nas", "")),
        ("nas:1", ("nas", "1")),
        ("fe80::1", ("fe80::1", "")),
        ("[fe80::1]:3260", ("fe80::1", "3260")),
        ("{{ host.address }}:3260", ("{{ host.address }}", "3260")),
    ],
)
def test_hosts_are_split_and_joined(text: str, parts: tuple[str, str]) -> None:
    assert split_host(text) == parts
    assert join_host(*parts) == text


def test_a_type_without_a_form_keeps_its_xml() -> None:
    xml = "<pool type='vstorage'><name>x</name><source><name>c</name></source><target><path>/a</path></target></pool>"
    assert find_type("vstorage") is None
    assert read_form(xml) == PoolForm("vstorage", "x", "/a")
    assert "<name>c</name>" in render_form(replace(read_form(xml), name="y"), xml)


SUMMARIES = {
    "dir": "/var/lib/images",
    "fs": "/dev/sdb1 (xfs)",
    "netfs-nfs": "nas.example:/srv/vm (nfs 4.2)",
    "netfs-auto": "192.0.2.9:/srv/vm",
    "netfs-cifs": "windows.example:vm/disks (cifs)",
    "iscsi": "san.example:iqn.2013-06.com.example:vm",
    "logical": "vg_guests",
    "logical-devices": "vg_new on /dev/sdc, /dev/sdb",
    "disk": "/dev/sdd (gpt)",
    "gluster": "gluster.example:24007:VM/disks",
    "rbd": "mon2.example:6789, mon1.example, [2001:db8::3]:3300:vms",
    "zfs": "tank/vm",
}


@pytest.mark.parametrize("name", SUMMARIES)
def test_a_source_is_told_in_a_few_words(name: str) -> None:
    assert summarise_source(ALL_FORMS[name]) == SUMMARIES[name]
