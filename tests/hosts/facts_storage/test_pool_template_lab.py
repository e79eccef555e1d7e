"""What a real libvirt makes of every form: it takes the XML, and what it returns says the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import libvirt
import pytest
from lxml import etree

from hosts.driver.connection import Connection
from hosts.facts.pool_drift import compare_definitions
from hosts.facts.pool_template import POOL_TYPES, check_template, import_xml, read_form, render_form
from tests.hosts.facts_storage.pool_forms import ALL_FORMS, FORMS, PARSED_FORMS, golden

pytestmark = [pytest.mark.lab, pytest.mark.storage]

Define = Callable[[str], Any]

# As this build tells of itself (pool-capabilities); what it lacks is proven with its parser alone.
SUPPORTED = {"dir", "fs", "netfs", "iscsi", "logical", "disk", "gluster", "scsi", "mpath"}
NOT_SUPPORTED = {"iscsi-direct", "rbd", "zfs", "sheepdog", "vstorage"}

SCSI = """<pool type='scsi'><name>t-scsi</name>
  <source><adapter type='scsi_host' name='scsi_host0'/></source>
  <target><path>/dev/disk/by-path</path></target></pool>"""


@pytest.fixture
def define(connect: Callable[..., Connection]) -> Iterator[Define]:
    """Define on mercury with libvirt's schema check; what was defined is undefined after the test."""
    virt = connect("mercury").virt
    pools: list[Any] = []

    def make(xml: str) -> Any:
        pools.append(virt.storagePoolDefineXML(xml, libvirt.VIR_STORAGE_POOL_DEFINE_VALIDATE))
        return pools[-1]

    yield make
    for pool in pools:
        pool.undefine()


@pytest.fixture
def parser() -> Iterator[Any]:
    """libvirt's own driver for tests: its parser, its schema and its way to write, and no backends."""
    virt = libvirt.open("test:///default")
    yield virt
    virt.close()


def persistent(pool: Any) -> str:
    return str(pool.XMLDesc(libvirt.VIR_STORAGE_XML_INACTIVE))


def test_the_build_supports_what_is_proven_here(connect: Callable[..., Connection]) -> None:
    found = etree.fromstring(connect("mercury").virt.getStoragePoolCapabilities(0))
    support = {str(pool.get("type")): pool.get("supported") for pool in found.iterfind("pool")}
    assert {kind for kind, answer in support.items() if answer == "yes"} == SUPPORTED
    assert {kind for kind, answer in support.items() if answer == "no"} == NOT_SUPPORTED
    proven = {form.type for form in ALL_FORMS.values()} | {"scsi"}
    assert proven == {kind.name for kind in POOL_TYPES}


@pytest.mark.parametrize("name", FORMS)
def test_libvirt_takes_a_form_and_returns_the_same(define: Define, name: str) -> None:
    form = FORMS[name]
    xml = render_form(form)
    assert check_template(xml) == ()
    returned = persistent(define(xml))
    assert compare_definitions(xml, returned) == ()
    assert read_form(returned) == form
    assert import_xml(returned) == import_xml(golden(name))


@pytest.mark.parametrize("name", FORMS)
def test_defining_it_twice_changes_nothing(connect: Callable[..., Connection], name: str) -> None:
    storage, form = connect("mercury").storage, FORMS[name]
    try:
        assert storage.define_pool(render_form(form)).changed
        assert not storage.define_pool(render_form(form)).changed
        reading = storage.find_pool(form.name)
        assert reading is not None
        assert read_form(reading.definition_xml) == form
    finally:
        storage.undefine_pool(form.name)


def test_pools_that_run_are_read_as_they_were_written(connect: Callable[..., Connection]) -> None:
    readings = {reading.facts.name: reading for reading in connect("mercury").storage.read_pools()}
    shared, local = readings["VM"], readings["local"]
    assert (read_form(shared.live_xml).type, read_form(shared.live_xml).source_format) == (
        "netfs",
        "glusterfs",
    )
    for reading in (shared, local):
        assert check_template(import_xml(reading.definition_xml)) == ()
        assert compare_definitions(import_xml(reading.definition_xml), reading.live_xml) == ()


@pytest.mark.parametrize("name", FORMS)
def test_an_imported_pool_is_taken_again(define: Define, name: str) -> None:
    imported = import_xml(golden(name))
    assert compare_definitions(imported, persistent(define(imported))) == ()


def test_a_pool_without_a_form_of_its_own_is_taken_as_xml(define: Define) -> None:
    assert check_template(SCSI) == ()
    returned = persistent(define(SCSI))
    assert compare_definitions(SCSI, returned) == ()
    assert import_xml(returned) == import_xml(golden("scsi"))


@pytest.mark.parametrize("name", PARSED_FORMS)
def test_a_type_without_backend_is_refused_by_the_host_and_read_by_its_parser(
    define: Define, parser: Any, name: str
) -> None:
    form = PARSED_FORMS[name]
    xml = render_form(form)
    assert check_template(xml) == ()
    with pytest.raises(libvirt.libvirtError, match="missing backend for pool type"):
        define(xml)
    pool = parser.storagePoolDefineXML(xml, libvirt.VIR_STORAGE_POOL_DEFINE_VALIDATE)
    returned = str(pool.XMLDesc(0))
    assert compare_definitions(xml, returned) == ()
    assert read_form(returned) == form
    assert import_xml(returned) == import_xml(golden(name))


def test_ceph_options_pass_the_schema(parser: Any) -> None:
    """The parser alone drops them: they belong to the backend."""
    form = read_form(render_form(PARSED_FORMS["rbd"]).replace("t-rbd", "t-rbd-options"))
    xml = render_form(form).replace(
        "</pool>",
        "<rbd:config_opts xmlns:rbd='http://libvirt.org/schemas/storagepool/rbd/1.0'>"
        "<rbd:option name='client_mount_timeout' value='45'/></rbd:config_opts></pool>",
    )
    assert read_form(xml).config_options == ("client_mount_timeout=45",)
    assert check_template(xml) == ()
    assert (
        parser.storagePoolDefineXML(xml, libvirt.VIR_STORAGE_POOL_DEFINE_VALIDATE).name() == "t-rbd-options"
    )


def a_pool(kind: str, inside: str, name: str = "t-refused") -> str:
    return f"<pool type='{kind}'><name>{name}</name>{inside}</pool>"


TARGET = "<target><path>/mnt/x</path></target>"
IQN = "<device path='iqn.2013-06.com.example:vm'/>"
# What → XML, libvirt's words, the field of which the check tells before any host is asked (None: it does not).
REFUSED: dict[str, tuple[str, str, str | None]] = {
    "a name with a slash": (a_pool("dir", TARGET, "a/b"), "Error validating datatype string", "name"),
    "a name too long for a file": (a_pool("dir", TARGET, "n" * 248), "File name too long", "name"),
    "a relative target": (
        a_pool("dir", "<target><path>mnt</path></target>"), "Element path failed to validate", "target_path"),
    "no target": (a_pool("dir", ""), "Expecting an element target", "target_path"),
    "a mode that is none": (
        a_pool("dir", "<target><path>/mnt/x</path><permissions><mode>999</mode></permissions></target>"),
        "Extra element permissions", "mode"),
    "an owner by name": (
        a_pool("dir", "<target><path>/mnt/x</path><permissions><owner>root</owner></permissions></target>"),
        "Extra element permissions", "owner"),
    "no host": (
        a_pool("netfs", f"<source><dir path='/vm'/><format type='nfs'/></source>{TARGET}"),
        "Expecting an element host", "hosts"),
    "a host with a blank": (
        a_pool("netfs", f"<source><host name='n s'/><dir path='/vm'/><format type='nfs'/></source>{TARGET}"),
        "Element host failed to validate attributes", "hosts"),
    "no directory": (
        a_pool("netfs", f"<source><host name='nas'/><format type='nfs'/></source>{TARGET}"),
        "Expecting an element host", "source_dir"),
    "a relative export": (
        a_pool("netfs", f"<source><host name='nas'/><dir path='vm'/><format type='nfs'/></source>{TARGET}"),
        "Element dir failed to validate attributes", "source_dir"),
    "an NFS version for CIFS": (
        a_pool("netfs", "<source><host name='nas'/><dir path='vm'/><format type='cifs'/><protocol ver='3'/></source>"
               f"{TARGET}"),
        "Element source has extra content: protocol", "protocol_version"),
    "a format that is none": (
        a_pool("netfs", f"<source><host name='nas'/><dir path='/vm'/><format type='afp'/></source>{TARGET}"),
        "failed to validate", "source_format"),
    "two devices for one file system": (
        a_pool("fs", f"<source><device path='/dev/sdb'/><device path='/dev/sdc'/></source>{TARGET}"),
        "Extra element device", "devices"),
    "a port that is none": (
        a_pool("iscsi", f"<source><host name='san' port='70000'/>{IQN}</source>{TARGET}"),
        "Invalid attribute port", "hosts"),
    "an IQN that is none": (
        a_pool("iscsi", f"<source><host name='san'/><device path='iqn.20-06.com.example x'/></source>{TARGET}"),
        "Element device failed to validate attributes", "target_iqn"),
    "a secret named twice": (
        a_pool("iscsi", f"<source><host name='san'/>{IQN}<auth type='chap' username='u'><secret usage='a' "
               f"uuid='2ec115d7-3a88-3ceb-bc12-0ac909a6fd87'/></auth></source>{TARGET}"),
        "Extra element auth", "secret_uuid"),
    "a login without a user": (
        a_pool("iscsi", f"<source><host name='san'/>{IQN}<auth type='chap' username=''><secret usage='a'/></auth>"
               f"</source>{TARGET}"),
        "missing username for auth", "auth_username"),
    "a volume group without target": (
        a_pool("logical", "<source><name>vg</name></source>"), "Expecting an element target", ""),
    "no SCSI adapter": (
        a_pool("scsi", f"<source/>{TARGET}"), "Expecting an element adapter", ""),
    "an element nobody knows": (a_pool("dir", f"<shiny/>{TARGET}"), "failed to validate", None),
    "a type nobody knows": (a_pool("cloud", TARGET), "failed to validate", "type"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_libvirt_refuses_is_told_with_its_field(define: Define, what: str) -> None:
    xml, words, field = REFUSED[what]
    with pytest.raises(libvirt.libvirtError) as refusal:
        define(xml)
    assert words in str(refusal.value)
    told = [problem.field for problem in check_template(xml)]
    assert told == ([] if field is None else [field])


# libvirt defines these and fails when the pool is started.
STARTS_NEVER = {
    "netfs": f"<source><host name='a'/><host name='b'/><dir path='/vm'/><format type='nfs'/></source>{TARGET}",
    "iscsi": f"<source><host name='a'/><host name='b'/>{IQN}</source>{TARGET}",
}


@pytest.mark.parametrize("kind", STARTS_NEVER)
def test_several_hosts_are_told_where_libvirt_uses_one(define: Define, kind: str) -> None:
    xml = a_pool(kind, STARTS_NEVER[kind])
    pool = define(xml)
    with pytest.raises(libvirt.libvirtError, match="xpected exactly 1 host"):
        pool.create()
    assert [problem.field for problem in check_template(xml)] == ["hosts"]


def test_a_running_pool_tells_more_and_does_not_differ(define: Define) -> None:
    wanted = a_pool("dir", "<target><path>/var/lib/libvirt/t-running/</path></target>", "t-running")
    pool = define(wanted)
    pool.build(0)
    pool.create()
    live, kept = str(pool.XMLDesc(0)), persistent(pool)
    pool.destroy()
    pool.delete()
    assert "<permissions>" in live
    assert compare_definitions(wanted, live) == compare_definitions(wanted, kept) == ()
