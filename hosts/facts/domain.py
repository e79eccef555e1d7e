"""Facts of a domain (guest): what its XML says, and what state a host reports for it. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from lxml import etree

from hosts.facts.placement import (
    PageDemand,
    parse_cpu_pins,
    parse_huge_pages,
    parse_memory_nodes,
)
from hosts.facts.xml import attribute_of, bytes_of, outer_xml, parse_count, parse_xml, text_of


class DomainState(enum.StrEnum):
    """libvirt's virDomainState in the words people see."""

    NO_STATE = "no state"
    RUNNING = "running"
    BLOCKED = "blocked"
    PAUSED = "paused"
    SHUTTING_DOWN = "shutting down"
    SHUT_OFF = "shut off"
    CRASHED = "crashed"
    PM_SUSPENDED = "suspended"


ACTIVE_STATES = frozenset(
    {
        DomainState.RUNNING,
        DomainState.BLOCKED,
        DomainState.PAUSED,
        DomainState.SHUTTING_DOWN,
        DomainState.PM_SUSPENDED,
    }
)


@dataclass(frozen=True, slots=True)
class SecretUse:
    """A secret that a disk refers to, by UUID or by usage."""

    type: str  # ceph, iscsi, passphrase, …
    secret_uuid: str  # "" when named by usage
    usage: str


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """One <disk>. `source_path` is a file, device or directory path; network disks have `network_source`."""

    target: str  # vda
    device: str  # disk, cdrom, floppy, lun
    type: str  # file, block, dir, network, volume, nvme, vhostuser
    bus: str  # virtio, sata, ide, scsi, usb, fdc
    format: str  # raw, qcow2, …; "" when not said
    source_path: str  # "" when empty or not a path
    network_source: str  # "rbd:pool/image", "" when not a network disk
    pool: str  # of a volume disk
    volume: str
    cache: str  # "" = hypervisor default
    readonly: bool
    shareable: bool
    transient: bool
    startup_policy: str
    backing_paths: tuple[str, ...] = ()  # from <backingStore>, outermost first
    backing_formats: tuple[str, ...] = ()  # of every layer below the top one
    secrets: tuple[SecretUse, ...] = ()  # of the image and of its layers
    reservations: str = ""  # SCSI persistent reservations: "managed", the helper's socket, or ""

    @property
    def empty(self) -> bool:
        """An NVMe disk is a PCI address, neither a path nor a name."""
        return self.type != "nvme" and not (self.source_path or self.network_source or self.volume)


@dataclass(frozen=True, slots=True)
class NicFacts:
    """One <interface>."""

    type: str  # network, bridge, direct, user, hostdev, vdpa, …
    mac: str
    source: str  # network name, bridge name or parent device
    portgroup: str
    model: str
    target: str  # vnet0
    filter: str = ""  # <filterref>, by name


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """Another element of <devices>, for rules about device kinds. `source` is a path or name, if any."""

    kind: str  # the element's name: hostdev, filesystem, tpm, shmem, redirdev, video, serial, channel, …
    type: str
    model: str
    source: str
    xml: str


@dataclass(frozen=True, slots=True)
class CpuSpec:
    """The <cpu> of a domain. `xml` is the element as text, for comparing on another host."""

    mode: str  # custom, host-model, host-passthrough, maximum, "" when none
    model: str
    match: str
    check: str
    migratable: str
    features: tuple[tuple[str, str], ...]  # (name, policy)
    xml: str


@dataclass(frozen=True, slots=True)
class DomainFacts:
    """What the XML of a domain says. Sizes in bytes."""

    domain_uuid: str
    name: str
    virt_type: str  # kvm, qemu, xen
    os_type: str  # hvm, linux, exe
    architecture: str
    machine: str
    emulator: str
    memory_bytes: int
    max_memory_bytes: int
    vcpus: int
    max_vcpus: int
    cpu: CpuSpec
    disks: tuple[DiskFacts, ...] = ()
    nics: tuple[NicFacts, ...] = ()
    graphics: tuple[tuple[str, str], ...] = ()  # (type, listen address)
    title: str = ""
    description: str = ""
    hugepages: bool = False
    devices: tuple[DeviceFacts, ...] = ()  # all but disks, interfaces and graphics
    loader: str = ""  # firmware image
    nvram: str = ""  # file of the UEFI variables
    kernel: str = ""  # direct boot: paths on the host
    initrd: str = ""
    huge_pages: tuple[PageDemand, ...] = ()
    cpu_pins: tuple[
        tuple[str, str], ...
    ] = ()  # ("virtual CPU 0", "0-3,^2"): what is pinned to which host CPUs
    memory_nodes: tuple[tuple[str, str], ...] = ()  # (mode, nodeset): ("strict", "0-1")
    tsc_frequency_hz: int = 0  # 0: not fixed


@dataclass(frozen=True, slots=True)
class DomainStatus:
    """What one host says of one domain at one moment."""

    state: DomainState
    reason: str  # libvirt's reason in lower case with dashes: booted, migrated, migration, user, postcopy, …
    persistent: bool
    job: str = ""  # "" none, else "unbounded", "incoming" (code 84), …
    autostart: bool | None = None
    managed_save: bool | None = None

    @property
    def active(self) -> bool:
        return self.state in ACTIVE_STATES

    @property
    def words(self) -> str:
        return f"{self.state} ({self.reason})" if self.reason else str(self.state)


@dataclass(frozen=True, slots=True)
class GuestReading:
    """One guest of a host as the bulk calls gave it. `xml` is the live XML (MIGRATABLE not set) when active,
    `inactive_xml` the persistent definition ("" when transient). Neither has secrets (no SECURE flag)."""

    domain_uuid: str
    name: str
    status: DomainStatus
    facts: DomainFacts
    xml: str
    inactive_xml: str
    snapshot_count: int | None = None
    cpu_time_ns: int | None = None
    disk_capacity_bytes: dict[str, int] = field(
        default_factory=dict
    )  # target → virtual size; one guest read alone
    extra: dict[str, str] = field(default_factory=dict)


_OWN_FACTS = {"emulator", "disk", "interface", "graphics"}
_CPU_FEATURE_DEFAULT_POLICY = "require"  # libvirt's documentation of <feature policy=…>


def parse_domain(xml: str) -> DomainFacts:
    """A <domain> description → facts. Raises ValueError for anything that is not a usable one."""
    root = parse_xml(xml, root="domain")
    uuid, name = text_of(root, "uuid"), text_of(root, "name")
    if not uuid or not name:
        raise ValueError("The <domain> description has no uuid or no name.")
    vcpus = parse_count(text_of(root, "vcpu"), "vcpu", default=1)
    max_memory_bytes = bytes_of(root, "memory", default_unit="KiB")
    return DomainFacts(
        domain_uuid=uuid.lower(),
        name=name,
        virt_type=str(root.get("type") or ""),
        os_type=text_of(root, "os/type"),
        architecture=attribute_of(root, "os/type", "arch"),
        machine=attribute_of(root, "os/type", "machine"),
        emulator=text_of(root, "devices/emulator"),
        memory_bytes=bytes_of(root, "currentMemory", default_unit="KiB") or max_memory_bytes,
        max_memory_bytes=max_memory_bytes,
        vcpus=parse_count(attribute_of(root, "vcpu", "current"), "current vcpu", default=vcpus),
        max_vcpus=vcpus,
        cpu=_cpu(root.find("cpu")),
        disks=tuple(_disk(disk) for disk in root.iterfind("devices/disk")),
        nics=tuple(_nic(nic) for nic in root.iterfind("devices/interface")),
        graphics=tuple(_graphics(item) for item in root.iterfind("devices/graphics")),
        title=text_of(root, "title"),
        description=text_of(root, "description"),
        hugepages=root.find("memoryBacking/hugepages") is not None,
        devices=tuple(_device(item) for item in root.iterfind("devices/*") if item.tag not in _OWN_FACTS),
        loader=text_of(root, "os/loader"),
        nvram=text_of(root, "os/nvram") or attribute_of(root, "os/nvram/source", "file"),
        kernel=text_of(root, "os/kernel"),
        initrd=text_of(root, "os/initrd"),
        huge_pages=tuple(parse_huge_pages(root, max_memory_bytes)),
        cpu_pins=tuple(parse_cpu_pins(root)),
        memory_nodes=tuple(parse_memory_nodes(root)),
        tsc_frequency_hz=parse_count(
            attribute_of(root, "clock/timer[@name='tsc']", "frequency"), "TSC frequency"
        ),
    )


def _cpu(cpu: etree._Element | None) -> CpuSpec:
    if cpu is None:
        return CpuSpec("", "", "", "", "", (), "")
    features = tuple(
        (str(feature.get("name") or ""), str(feature.get("policy") or _CPU_FEATURE_DEFAULT_POLICY))
        for feature in cpu.iterfind("feature")
    )
    return CpuSpec(
        mode=str(cpu.get("mode") or ("custom" if cpu.find("model") is not None else "")),
        model=text_of(cpu, "model"),
        match=str(cpu.get("match") or ""),
        check=str(cpu.get("check") or ""),
        migratable=str(cpu.get("migratable") or ""),
        features=features,
        xml=outer_xml(cpu),
    )


def _disk(disk: etree._Element) -> DiskFacts:
    source = disk.find("source")
    is_network = disk.get("type") == "network"
    return DiskFacts(
        target=attribute_of(disk, "target", "dev"),
        device=str(disk.get("device") or "disk"),
        type=str(disk.get("type") or "file"),
        bus=attribute_of(disk, "target", "bus"),
        format=attribute_of(disk, "driver", "type"),
        source_path="" if source is None or is_network else _path_of(source),
        network_source="" if source is None or not is_network else _network_source(source),
        pool=attribute_of(disk, "source", "pool"),
        volume=attribute_of(disk, "source", "volume"),
        cache=attribute_of(disk, "driver", "cache"),
        readonly=disk.find("readonly") is not None,
        shareable=disk.find("shareable") is not None,
        transient=disk.find("transient") is not None,
        startup_policy=attribute_of(disk, "source", "startupPolicy"),
        backing_paths=tuple(_backing_paths(disk)),
        backing_formats=tuple(
            str(item.get("type") or "")
            for item in disk.iterfind(".//backingStore/format")
            if item.get("type")
        ),
        secrets=tuple(_secret(item) for item in disk.iter("secret")),
        reservations=_reservations(disk),
    )


def _secret(item: etree._Element) -> SecretUse:
    return SecretUse(
        str(item.get("type") or ""), str(item.get("uuid") or "").lower(), str(item.get("usage") or "")
    )


def _reservations(disk: etree._Element) -> str:
    """libvirt runs the helper itself unless it is told the socket of one."""
    found = disk.find("source/reservations")
    if found is None:
        return ""
    return attribute_of(found, "source", "path") or "managed"


def _path_of(source: etree._Element) -> str:
    return str(source.get("file") or source.get("dev") or source.get("dir") or source.get("path") or "")


def _network_source(source: etree._Element) -> str:
    return f"{source.get('protocol') or ''}:{source.get('name') or ''}"


def _backing_paths(disk: etree._Element) -> list[str]:
    """Outermost first. The element nests, an empty <backingStore/> ends the chain."""
    paths = []
    backing = disk.find("backingStore")
    while backing is not None:
        source = backing.find("source")
        if source is not None:
            paths.append(_network_source(source) if backing.get("type") == "network" else _path_of(source))
        backing = backing.find("backingStore")
    return [path for path in paths if path]


def _nic(nic: etree._Element) -> NicFacts:
    source = nic.find("source")
    attributes: dict[str, str] = {} if source is None else {str(k): str(v) for k, v in source.items()}
    places = ("network", "bridge", "dev", "path", "name")
    kind = str(nic.get("type") or "")
    # While the guest runs libvirt writes what a network resolved to, and the network beside it; a move goes by the
    # network's name.
    resolved = kind in {"bridge", "direct"} and bool(attributes.get("network"))
    return NicFacts(
        type="network" if resolved else kind,
        mac=attribute_of(nic, "mac", "address").lower(),
        source=next((attributes[place] for place in places if attributes.get(place)), ""),
        portgroup=attribute_of(nic, "source", "portgroup"),
        model=attribute_of(nic, "model", "type"),
        target=attribute_of(nic, "target", "dev"),
        filter=attribute_of(nic, "filterref", "filter"),
    )


def _graphics(item: etree._Element) -> tuple[str, str]:
    listen = str(item.get("listen") or attribute_of(item, "listen", "address"))
    return str(item.get("type") or ""), listen


def _device(item: etree._Element) -> DeviceFacts:
    source = item.find("source")
    return DeviceFacts(
        kind=str(item.tag),
        type=str(item.get("type") or attribute_of(item, "backend", "type")),
        model=str(item.get("model") or attribute_of(item, "model", "type")),
        source="" if source is None else _path_of(source) or str(source.get("name") or ""),
        xml=outer_xml(item),
    )
