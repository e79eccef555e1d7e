"""Contexts, hosts and guests for tests: a pair of hosts on which everything is right, to be made wrong one by
one."""

from __future__ import annotations

import dataclasses
from typing import Any

from hosts.facts.domain import (
    CpuSpec,
    DeviceFacts,
    DiskFacts,
    DomainFacts,
    DomainState,
    DomainStatus,
    GuestReading,
    NicFacts,
    parse_domain,
)
from hosts.facts.host import GuestSupport, HostCpu, HostFacts
from hosts.facts.network import NetworkFacts
from hosts.facts.probe import HostProbe, PeerProbe, Probe, ProbeState
from hosts.facts.storage import PoolFacts, VolumeFacts
from hosts.ports import CpuComparison, DestinationReading
from jobs.options import MoveOptions, parse_options
from jobs.preflight.context import HostSide, Neighbour, PreflightContext

GIB = 2**30
UUID = "4d5e8a64-0000-4000-8000-000000000001"
OTHER_UUID = "4d5e8a64-0000-4000-8000-000000000002"
DISK_PATH = "/var/lib/libvirt/images/VM/web01.qcow2"
LOCAL_PATH = "/var/lib/libvirt/local/web01.qcow2"
OPEN = Probe(ProbeState.OPEN, "ok")
AGENT_CHANNEL = (
    "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0' state='connected'/></channel>"
)
XML = f"<domain><devices>{AGENT_CHANNEL}</devices></domain>"  # of a guest of which nothing else is told


def disk(**changes: Any) -> DiskFacts:
    values: dict[str, Any] = {
        "target": "vda",
        "device": "disk",
        "type": "file",
        "bus": "virtio",
        "format": "qcow2",
        "source_path": DISK_PATH,
        "network_source": "",
        "pool": "",
        "volume": "",
        "cache": "none",
        "readonly": False,
        "shareable": False,
        "transient": False,
        "startup_policy": "",
    }
    return DiskFacts(**{**values, **changes})


def cdrom(**changes: Any) -> DiskFacts:
    values: dict[str, Any] = {
        "target": "sda",
        "device": "cdrom",
        "bus": "sata",
        "format": "raw",
        "readonly": True,
    }
    return disk(**{**values, "source_path": "/iso/tools.iso", **changes})


def nic(**changes: Any) -> NicFacts:
    values = {
        "type": "network",
        "mac": "52:54:00:00:00:01",
        "source": "lan",
        "portgroup": "",
        "model": "virtio",
    }
    return NicFacts(**{**values, "target": "vnet0", **changes})


def cpu(**changes: Any) -> CpuSpec:
    values: dict[str, Any] = {
        "mode": "custom",
        "model": "Skylake",
        "match": "exact",
        "check": "full",
        "migratable": "",
        "features": (),
        "xml": "<cpu/>",
    }
    return CpuSpec(**{**values, **changes})


def device(kind: str, **changes: str) -> DeviceFacts:
    values = {"type": "", "model": "", "source": "", "xml": f"<{kind}/>"}
    return DeviceFacts(kind=kind, **{**values, **changes})


def domain(**changes: Any) -> DomainFacts:
    values: dict[str, Any] = {
        "domain_uuid": UUID,
        "name": "web01",
        "virt_type": "kvm",
        "os_type": "hvm",
        "architecture": "x86_64",
        "machine": "pc-q35-7.2",
        "emulator": "/usr/bin/qemu-system-x86_64",
        "memory_bytes": 2 * GIB,
        "max_memory_bytes": 2 * GIB,
        "vcpus": 2,
        "max_vcpus": 2,
        "cpu": cpu(),
        "disks": (disk(),),
        "nics": (nic(),),
    }
    return DomainFacts(**{**values, **changes})


def status(words: str = "running/booted", **changes: Any) -> DomainStatus:
    """ "paused/user" → the status."""
    state, _, reason = words.partition("/")
    values: dict[str, Any] = {"persistent": True, "managed_save": False, "autostart": False}
    return DomainStatus(state=DomainState(state), reason=reason, **{**values, **changes})


def guest(facts: DomainFacts | None = None, **changes: Any) -> GuestReading:
    facts = facts or domain()
    values: dict[str, Any] = {
        "domain_uuid": facts.domain_uuid,
        "name": facts.name,
        "status": status(),
        "facts": facts,
        "xml": XML,
        "inactive_xml": XML,
        "snapshot_count": 0,
    }
    return GuestReading(**{**values, **changes})


def described(devices: str = "", rest: str = "", **changes: Any) -> GuestReading:
    """A guest whose description has these <devices> and, beside them, `rest`; the facts are what it says of them."""
    namespace = "xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'"
    inside = f"<name>web01</name><uuid>{UUID}</uuid>{rest}<devices>{AGENT_CHANNEL}{devices}</devices>"
    xml = f"<domain type='kvm' {namespace}>{inside}</domain>"
    told = parse_domain(xml)
    facts = domain(
        devices=told.devices,
        nics=told.nics or (nic(),),
        disks=(disk(), *told.disks),
        graphics=told.graphics,
        loader=told.loader,
        nvram=told.nvram,
    )
    return guest(facts, **{"xml": xml, "inactive_xml": xml, **changes})


def pool(**changes: Any) -> PoolFacts:
    values: dict[str, Any] = {
        "name": "VM",
        "pool_uuid": OTHER_UUID,
        "type": "netfs",
        "active": True,
        "persistent": True,
        "autostart": True,
        "capacity_bytes": 100 * GIB,
        "allocation_bytes": 50 * GIB,
        "available_bytes": 50 * GIB,
        "target_path": "/var/lib/libvirt/images/VM",
        "source": "netfs glusterfs 10.99.0.254:VM",
    }
    return PoolFacts(**{**values, **changes})


def local_pool(**changes: Any) -> PoolFacts:
    path = "/var/lib/libvirt/local"
    values = {"name": "local", "type": "dir", "target_path": path, "source": f"dir {path}"}
    return pool(**{**values, **changes})


def volume(path: str = DISK_PATH, **changes: Any) -> VolumeFacts:
    values: dict[str, Any] = {
        "path": path,
        "pool": "VM",
        "name": path.rsplit("/", 1)[-1],
        "format": "qcow2",
        "capacity_bytes": 8 * GIB,
        "allocation_bytes": GIB,
    }
    return VolumeFacts(**{**values, **changes})


def network(**changes: Any) -> NetworkFacts:
    values: dict[str, Any] = {
        "name": "lan",
        "network_uuid": OTHER_UUID,
        "active": True,
        "persistent": True,
        "autostart": True,
        "bridge": "br0",
        "forward": "bridge",
    }
    return NetworkFacts(**{**values, **changes})


def host_facts(name: str, **changes: Any) -> HostFacts:
    support = GuestSupport(
        "hvm", "x86_64", ("qemu", "kvm"), ("pc-q35-7.2", "q35"), "/usr/bin/qemu-system-x86_64"
    )
    values: dict[str, Any] = {
        "host_uuid": f"uuid-of-{name}",
        "hostname": name,
        "hypervisor": "QEMU",
        "hypervisor_version": 7_002_000,
        "library_version": 9_000_000,
        "cpu": HostCpu("x86_64", "Skylake", "Intel", "0x1", ("vmx",)),
        "cpus": 8,
        "memory_bytes": 64 * GIB,
        "memory_free_bytes": 32 * GIB,
        "qemu_uid": 64055,
        "qemu_gid": 108,
        "security_models": ("none",),
        "guests_supported": (support,),
        "migration_live": True,
        "migration_transports": ("tcp",),
        "pools": (pool(), local_pool()),
        "networks": (network(),),
        "bridges": ("br0",),
    }
    return HostFacts(**{**values, **changes})


def host_probe(name: str, **changes: Any) -> HostProbe:
    address = "10.99.0.1/24" if name == "mercury" else "10.99.0.2/24"
    values: dict[str, Any] = {
        "family": "debian",
        "clock_offset_ms": 0,
        "clock_error_ms": 3,
        "clock_synchronised": True,
        "qemu_uid": 64055,
        "kvm_gid": 108,
        "qemu_gid": 64055,
        "libvirt_gid": 112,
        "firewall": "none",
        "addresses": (address,),
        "link_addresses": {"br0": (address,)},
        "links": ("br0", "eth0"),
        "microcode": "0x1",
        "nested": False,
        "image_directory": "/var/lib/libvirt/images",
        "image_file_system": "ext2/ext3",
        "userfaultfd": True,
    }
    return HostProbe(**{**values, **changes})


def side(name: str, facts: HostFacts | None = None, **changes: Any) -> HostSide:
    changes = {"probe": host_probe(name)} | changes
    return HostSide(name=name, facts=facts or host_facts(name), **changes)


def probe(**changes: Any) -> PeerProbe:
    fields = ("name_resolves", "libvirt_login", "migration_port", "last_migration_port", "libvirt_port")
    values: dict[str, Any] = dict.fromkeys(fields, OPEN)
    return PeerProbe(**{**values, "file_systems": {DISK_PATH: "fuseblk"}, **changes})


def reading(**changes: Any) -> DestinationReading:
    values: dict[str, Any] = {"cpu": CpuComparison("superset"), "volumes": {DISK_PATH: volume()}}
    return DestinationReading(**{**values, **changes})


def neighbour(**changes: Any) -> Neighbour:
    values: dict[str, Any] = {
        "domain_uuid": OTHER_UUID,
        "name": "db01",
        "state": "running",
        "memory_bytes": GIB,
    }
    return Neighbour(**{**values, **changes})


def context(**changes: Any) -> PreflightContext:
    """Everything right: a running guest on shared storage, two hosts alike. `options` may be a dict of
    changes."""
    options = changes.pop("options", {})
    values: dict[str, Any] = {
        "guest": guest(),
        "options": options if isinstance(options, MoveOptions) else parse_options(options),
        "source": side("mercury"),
        "destination": side("jupiter", migration_address="10.99.0.2"),
        "neighbours": (neighbour(),),
        "destination_reading": reading(),
        "peer_probe": probe(),
        "peer_address": "qemu+tcp://10.99.0.2/system",
    }
    return PreflightContext(**{**values, **changes})


def copying(**changes: Any) -> PreflightContext:
    """Everything right for a guest whose one disk is local and is copied."""
    local = disk(source_path=LOCAL_PATH)
    values: dict[str, Any] = {
        "guest": guest(domain(disks=(local,))),
        "options": {"storage": "copy-all"} | changes.pop("options", {}),
        "destination_reading": reading(volumes={LOCAL_PATH: None}),
        "peer_probe": probe(file_systems={LOCAL_PATH: "ext2/ext3"}),
        "disk_capacity_bytes": {"vda": 8 * GIB},
    }
    return context(**{**values, **changes})


def offline(**changes: Any) -> PreflightContext:
    """Everything right for the definition of a shut-off guest."""
    values: dict[str, Any] = {"guest": guest(status=status("shut off/shutdown"))}
    return context(**{**values, "options": {"kind": "offline"} | changes.pop("options", {}), **changes})


def with_facts(base: PreflightContext, which: str, **changes: Any) -> PreflightContext:
    """The context with other facts of the host `which` ("source" or "destination")."""
    side_of = getattr(base, which)
    facts = dataclasses.replace(side_of.facts, **changes)
    return dataclasses.replace(base, **{which: dataclasses.replace(side_of, facts=facts)})


def with_probe(base: PreflightContext, which: str, **changes: Any) -> PreflightContext:
    """The context with the host `which` saying something else of itself."""
    side_of = getattr(base, which)
    said = dataclasses.replace(side_of.probe, **changes)
    return dataclasses.replace(base, **{which: dataclasses.replace(side_of, probe=said)})
