"""Descriptions of real hosts become facts; nothing a description holds can do worse than a ValueError."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hosts.facts.codec import from_data, to_data
from hosts.facts.domain import DomainFacts, SecretUse, parse_domain
from hosts.facts.host import CapabilitiesFacts, parse_capabilities, parse_domain_capabilities
from hosts.facts.jobstats import parse_job_stats
from hosts.facts.network import parse_network
from hosts.facts.placement import PageDemand, parse_set
from hosts.facts.storage import PoolFacts, parse_pool, parse_volume
from hosts.facts.xml import unit_bytes

Real = Callable[[str], str]
MIB = 1024**2

PARSERS: dict[str, Callable[[str], object]] = {
    "domain": parse_domain,
    "capabilities": parse_capabilities,
    "domainCapabilities": parse_domain_capabilities,
    "pool": parse_pool,
    "volume": lambda xml: parse_volume(xml, pool="VM"),
    "network": parse_network,
}


def test_live_domain_of_a_real_host(real: Real) -> None:
    facts = parse_domain(real("domain-live.xml"))
    assert (facts.name, facts.virt_type) == ("web-1", "qemu")
    assert (facts.architecture, facts.machine) == ("x86_64", "pc-q35-7.2")
    assert (facts.memory_bytes, facts.vcpus, facts.cpu.model, facts.cpu.check) == (
        256 * MIB,
        1,
        "qemu64",
        "full",
    )
    assert ("lahf_lm", "require") in facts.cpu.features
    assert [(disk.target, disk.format, disk.cache) for disk in facts.disks] == [("vda", "qcow2", "none")]
    assert facts.disks[0].source_path == "/var/lib/libvirt/images/VM/web-1.qcow2"
    assert (facts.nics[0].type, facts.nics[0].source) == ("bridge", "br0")
    assert "serial" in {device.kind for device in facts.devices}
    assert facts.kernel == "/var/lib/libvirt/boot/vmlinuz"


def test_inactive_domain_is_the_same_guest(real: Real) -> None:
    live, inactive = parse_domain(real("domain-live.xml")), parse_domain(real("domain-inactive.xml"))
    assert (live.domain_uuid, live.name, live.max_memory_bytes) == (
        inactive.domain_uuid,
        inactive.name,
        inactive.max_memory_bytes,
    )


def test_devices_of_every_kind_are_told_apart(real: Real) -> None:
    facts = parse_domain(real("domain-rich.xml"))
    kinds = {device.kind: device for device in facts.devices}
    assert {"hostdev", "tpm", "filesystem", "shmem", "redirdev", "memory"} <= set(kinds)
    assert kinds["tpm"].type == "emulator"
    assert (facts.loader, facts.nvram) == (
        "/usr/share/OVMF/OVMF_CODE.fd",
        "/var/lib/libvirt/qemu/nvram/rich.fd",
    )
    disks = {disk.target: disk for disk in facts.disks}
    assert disks["vda"].network_source == "rbd:pool/image"
    assert disks["vdb"].backing_paths == ("/images/base.qcow2", "/images/root.qcow2")
    assert (disks["vdc"].pool, disks["vdc"].volume, disks["vdc"].shareable) == ("VM", "data", True)
    assert disks["sda"].empty
    assert disks["sda"].readonly
    assert facts.hugepages
    assert (facts.vcpus, facts.max_vcpus, facts.memory_bytes) == (2, 8, 512 * 1000**2)
    assert facts.graphics == (("vnc", "10.0.0.1"), ("spice", ""))


def test_capabilities_of_a_real_host(real: Real) -> None:
    facts = parse_capabilities(real("capabilities.xml"))
    assert (facts.qemu_uid, facts.qemu_gid) == (0, 0)
    assert facts.security_models == ("none", "dac")
    assert facts.cpu.microcode.isdigit()
    assert facts.migration_live
    assert "tcp" in facts.migration_transports
    by_architecture = {guest.architecture: guest for guest in facts.guests_supported}
    assert {"q35", "pc-q35-7.2", "pc-q35-2.12"} <= set(by_architecture["x86_64"].machines)
    assert len(set(by_architecture["x86_64"].machines)) == len(by_architecture["x86_64"].machines)


def test_numa_nodes_and_time_stamp_counter_of_a_real_host(real: Real) -> None:
    facts = parse_capabilities(real("capabilities.xml"))
    (cell,) = facts.cells
    assert (cell.cell, cell.cpus, cell.page_bytes) == (0, (0, 1), (4096, 2 * MIB, 1024 * MIB))
    assert cell.memory_bytes > 1024 * MIB
    assert (facts.cpu.tsc_frequency_hz, facts.cpu.tsc_scaling) == (2596140000, False)
    bare = parse_capabilities("<capabilities><host/></capabilities>")
    assert (bare.cells, bare.cpu.tsc_frequency_hz, bare.cpu.tsc_scaling) == ((), None, None)


PLACED = """<domain><name>a</name><uuid>b</uuid><memory unit='GiB'>4</memory><vcpu cpuset='0-7'>4</vcpu>
  <memoryBacking><hugepages><page size='1' unit='G' nodeset='0'/><page size='2048'/></hugepages></memoryBacking>
  <cputune><vcpupin vcpu='1' cpuset='2-3'/><emulatorpin cpuset='0'/><iothreadpin iothread='1' cpuset='1'/></cputune>
  <numatune><memory mode='strict' nodeset='0-1'/><memnode cellid='0' mode='preferred' nodeset='1'/></numatune>
  <clock><timer name='rtc'/><timer name='tsc' frequency='3504000000'/></clock>
  <cpu><numa><cell id='0' memory='1' unit='GiB'/><cell id='1' memory='3145728'/></numa></cpu></domain>"""


def test_where_a_guest_wants_to_be() -> None:
    facts = parse_domain(PLACED)
    assert facts.huge_pages == (PageDemand(1024 * MIB, 1024 * MIB), PageDemand(2 * MIB, 3072 * MIB))
    assert facts.cpu_pins == (
        ("all virtual CPUs", "0-7"),
        ("the emulator", "0"),
        ("virtual CPU 1", "2-3"),
        ("I/O thread 1", "1"),
    )
    assert facts.memory_nodes == (("strict", "0-1"), ("preferred", "1"))
    assert facts.tsc_frequency_hz == 3504000000


def test_huge_pages_of_no_size_are_the_hosts_default(real: Real) -> None:
    facts = parse_domain(real("domain-rich.xml"))
    assert [demand.page_bytes for demand in facts.huge_pages] == [0]
    assert facts.huge_pages[0].memory_bytes == facts.max_memory_bytes
    assert parse_domain(real("domain-live.xml")).huge_pages == ()


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("0", {0}), ("0-3,^2", {0, 1, 3}), ("8, 1-2", {1, 2, 8}), ("", set()), ("3-1", set())],
)
def test_sets_are_read_as_libvirt_does(text: str, numbers: set[int]) -> None:
    assert parse_set(text) == numbers


@pytest.mark.parametrize("text", ["0-999999999", "a", "1-b", "-1", "9" * 30])
def test_sets_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_set(text)


DISKS = """<domain><name>a</name><uuid>b</uuid><devices>
  <disk type='block' device='lun'><source dev='/dev/sdb'>
    <reservations managed='no'><source type='unix' path='/run/pr.sock' mode='client'/></reservations></source>
    <target dev='sda'/></disk>
  <disk type='nvme' device='disk'><source type='pci' namespace='1'><address domain='0x0000'/></source>
    <target dev='vdb'/></disk>
  <disk type='network' device='disk'><auth username='vms'><secret type='ceph' usage='client.vms'/></auth>
    <source protocol='rbd' name='vms/a'/><target dev='vdc'/></disk>
  <disk type='file'><driver type='qcow2'/><source file='/top'><encryption format='luks'>
    <secret type='passphrase' uuid='0A81F5B2-8403-7B23-C8D6-21CCC2F80D6F'/></encryption></source>
    <backingStore type='file'><format type='vmdk'/><source file='/base'/><backingStore/></backingStore>
    <target dev='vdd'/></disk></devices></domain>"""


def test_what_ties_a_disk_to_its_host() -> None:
    lun, nvme, rbd, luks = parse_domain(DISKS).disks
    assert (lun.reservations, nvme.reservations) == ("/run/pr.sock", "")
    assert not nvme.empty
    assert rbd.secrets == (SecretUse("ceph", "", "client.vms"),)
    assert luks.secrets == (SecretUse("passphrase", "0a81f5b2-8403-7b23-c8d6-21ccc2f80d6f", ""),)
    assert (luks.backing_paths, luks.backing_formats) == (("/base",), ("vmdk",))


def test_kvm_base_label_wins_over_others() -> None:
    xml = (
        "<capabilities><host><uuid>A</uuid>"
        "<secmodel><model>apparmor</model></secmodel><secmodel><model>dac</model>"
        "<baselabel type='qemu'>+1:+2</baselabel><baselabel type='kvm'>+64055:+103</baselabel>"
        "</secmodel></host></capabilities>"
    )
    facts = parse_capabilities(xml)
    assert (facts.qemu_uid, facts.qemu_gid, facts.host_uuid) == (64055, 103, "a")


def test_domain_capabilities_of_a_real_host(real: Real) -> None:
    facts = parse_domain_capabilities(real("domain-capabilities.xml"))
    assert facts.virt_type == "qemu"
    assert facts.max_vcpus == 255
    assert "qemu64" in facts.cpu_models_usable
    assert not set(facts.cpu_models_usable) & set(facts.cpu_models_unusable)
    assert "custom" in facts.cpu_modes
    assert "disk" in facts.devices


def test_pools_of_a_real_host(real: Real) -> None:
    shared = parse_pool(real("pool-VM.xml"), active=True)
    assert (shared.type, shared.source, shared.active) == ("netfs", "netfs glusterfs storage:VM", True)
    assert shared.shared_by_nature
    local = parse_pool(real("pool-local.xml"))
    assert local.source == "dir /var/lib/libvirt/images/local"
    assert local.available_bytes == local.capacity_bytes - local.allocation_bytes


@pytest.mark.parametrize(
    ("xml", "identity"),
    [
        (
            (
                "<pool type='netfs'><source><host name='NAS'/><dir path='/vm/'/><format type='nfs'/>"
                "</source></pool>"
            ),
            "netfs nfs nas:/vm",
        ),
        (
            (
                "<pool type='rbd'><source><host name='b' port='6789'/><host name='a'/><name>vms</name>"
                "</source></pool>"
            ),
            "rbd a,b:6789:vms",
        ),
        (
            "<pool type='iscsi'><source><host name='san'/><device path='iqn.2013:disk'/></source></pool>",
            "iscsi san:iqn.2013:disk",
        ),
        (
            "<pool type='logical'><source><device path='/dev/sdb'/><name>vg</name></source></pool>",
            "logical vg",
        ),
        ("<pool type='dir'><target><path>/images/</path></target></pool>", "dir /images"),
    ],
)
def test_the_same_storage_has_the_same_identity(xml: str, identity: str) -> None:
    assert parse_pool(xml).source == identity


def test_volume_and_networks_of_a_real_host(real: Real) -> None:
    volume = parse_volume(real("volume.xml"), pool="VM")
    assert (volume.name, volume.format, volume.capacity_bytes) == ("web-1.qcow2", "qcow2", 64 * MIB)
    nat, ovs = parse_network(real("network-nat.xml")), parse_network(real("network-portgroups.xml"))
    assert (nat.name, nat.forward, nat.bridge) == ("default", "nat", "virbr9")
    assert (ovs.forward, ovs.portgroups, ovs.vlans) == ("bridge", ("office", "lab"), (42, 47))


def test_job_statistics_of_a_real_move(real: Real) -> None:
    running = parse_job_stats(json.loads(real("job-running.json")))
    assert (running.type, running.operation, running.memory_bytes_per_s) == (
        "unbounded",
        "migration-out",
        39219289,
    )
    assert running.disk_bytes_per_s is None
    completed = parse_job_stats(json.loads(real("job-completed.json")), completed=True)
    assert (completed.type, completed.operation, completed.downtime_ms) == ("completed", "migration-in", 194)
    assert parse_job_stats(json.loads(real("job-none.json"))).type == "none"


def test_dirty_pages_become_bytes() -> None:
    assert (
        parse_job_stats(
            {"type": 2, "memory_dirty_rate": 10, "memory_page_size": 65536}
        ).memory_dirty_bytes_per_s
        == 655360
    )
    assert parse_job_stats({"type": 2, "memory_dirty_rate": 10}).memory_dirty_bytes_per_s == 40960
    assert parse_job_stats({"type": 2}).memory_dirty_bytes_per_s is None


@pytest.mark.parametrize("stats", [{"data_total": "many"}, {"data_total": -1}, {"type": 1.5}])
def test_statistics_that_are_no_numbers_are_refused(stats: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="whole number"):
        parse_job_stats(stats)


@pytest.mark.parametrize(
    ("unit", "size"),
    [("bytes", 1), ("KB", 1000), ("KiB", 1024), ("k", 1024), ("M", MIB), ("MB", 1000**2), ("TiB", 1024**4)],
)
def test_units_are_libvirts(unit: str, size: int) -> None:
    assert unit_bytes(unit) == size


@pytest.mark.parametrize("unit", ["", "XiB", "KiBs", "fathoms"])
def test_unknown_units_are_refused(unit: str) -> None:
    with pytest.raises(ValueError, match="Unknown unit"):
        unit_bytes(unit)


BOMB = "<!DOCTYPE b [<!ENTITY a0 'ha'>" + "".join(
    f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 15)
)


@pytest.mark.parametrize("kind", PARSERS)
@pytest.mark.parametrize(
    "body",
    ["<name>&a14;</name>", "<name x='&a14;'/>", "<name>&b;</name>"],
)
def test_xml_bomb_is_refused_at_once(kind: str, body: str) -> None:
    started = time.monotonic()
    with pytest.raises(ValueError, match="document type"):
        PARSERS[kind](f"{BOMB}]><{kind}>{body}</{kind}>")
    assert time.monotonic() - started < 0.5


@pytest.mark.parametrize("kind", PARSERS)
@pytest.mark.parametrize(
    "text",
    [
        "",
        "no xml",
        "<other/>",
        "<{kind}>",
        "<{kind}/><{kind}/>",
        "\ud800",
        "\x00",
        "<a>" * 5000,
        "<{kind}>" + "<a>" * 300 + "</a>" * 300 + "</{kind}>",
        "<?xml version='1.0' encoding='utf-7'?><other/>",
        "&undefined;",
        "<{kind}>" + " " * (5 * MIB) + "</{kind}>",
    ],
)
def test_garbage_is_a_value_error(kind: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        PARSERS[kind](text.replace("{kind}", kind))


@pytest.mark.parametrize(
    "name",
    ["Büro 🖥️", "a b'c\"d", "<script>alert(1)</script>", "名前", "x" * 255, "a\u202eb", "&amp;"],
)
def test_any_name_arrives_unchanged(name: str) -> None:
    escaped = name.replace("&", "&amp;").replace("<", "&lt;")
    facts = parse_domain(f"<domain><name>{escaped}</name><uuid>U-1</uuid></domain>")
    assert (facts.name, facts.domain_uuid) == (name, "u-1")
    assert from_data(json.loads(json.dumps(to_data(facts))), DomainFacts) == facts


def test_real_facts_survive_storing(real: Real) -> None:
    for parsed, kind in (
        (parse_domain(real("domain-rich.xml")), DomainFacts),
        (parse_capabilities(real("capabilities.xml")), CapabilitiesFacts),
        (parse_pool(real("pool-VM.xml")), PoolFacts),
    ):
        assert from_data(json.loads(json.dumps(to_data(parsed))), kind) == parsed


@pytest.mark.parametrize("kind", PARSERS)
@given(data=st.data())
def test_damaged_descriptions_raise_nothing_but_value_error(kind: str, data: st.DataObject) -> None:
    files = {
        "domain": "domain-rich.xml",
        "capabilities": "capabilities.xml",
        "domainCapabilities": "domain-capabilities.xml",
        "pool": "pool-VM.xml",
        "volume": "volume.xml",
        "network": "network-portgroups.xml",
    }
    text = _real_text(files[kind])
    start = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 40))
    damaged = text[:start] + data.draw(st.text(max_size=20)) + text[start + length :]
    try:
        PARSERS[kind](damaged)
    except ValueError:
        return


_texts: dict[str, str] = {}


def _real_text(name: str) -> str:
    from tests.hosts.conftest import DATA

    return _texts.setdefault(name, (DATA / name).read_text(encoding="utf-8"))


@given(
    st.dictionaries(
        st.sampled_from(
            ["type", "operation", "data_total", "memory_dirty_rate", "memory_page_size", "downtime", "errmsg"]
        ),
        st.integers() | st.text() | st.none() | st.floats() | st.booleans(),
    )
)
def test_no_statistics_raise_anything_but_value_error(stats: dict[str, object]) -> None:
    try:
        parse_job_stats(stats)
    except ValueError:
        return
