"""Facts of a host: capabilities, versions, memory, pools and networks as libvirt told them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lxml import etree

from hosts.facts.network import NetworkFacts
from hosts.facts.placement import FreePages, NumaCell, parse_cells, parse_tsc
from hosts.facts.storage import PoolFacts
from hosts.facts.xml import attribute_of, optional_count, parse_count, parse_xml, text_of


@dataclass(frozen=True, slots=True)
class HostCpu:
    architecture: str
    model: str
    vendor: str
    microcode: str  # "" when the host does not tell
    features: tuple[str, ...] = ()
    sockets: int | None = None
    cores: int | None = None
    threads: int | None = None
    tsc_frequency_hz: int | None = None
    tsc_scaling: bool | None = None  # whether a guest can be given another frequency


@dataclass(frozen=True, slots=True)
class GuestSupport:
    """One <guest> of the capabilities: what this host can run."""

    os_type: str
    architecture: str
    virt_types: tuple[str, ...]
    machines: tuple[str, ...]  # canonical names and aliases
    emulator: str


@dataclass(frozen=True, slots=True)
class SecretFacts:
    """A secret the host knows; never its value."""

    secret_uuid: str
    usage_type: str  # volume, ceph, iscsi, tls, vtpm, none
    usage: str


@dataclass(frozen=True, slots=True)
class CapabilitiesFacts:
    """What a host's capabilities say: the part of HostFacts that comes from that one document."""

    host_uuid: str
    cpu: HostCpu
    qemu_uid: int | None
    qemu_gid: int | None
    security_models: tuple[str, ...]
    guests_supported: tuple[GuestSupport, ...]
    migration_live: bool
    migration_transports: tuple[str, ...]
    cells: tuple[NumaCell, ...] = ()


@dataclass(frozen=True, slots=True)
class DomainCapabilitiesFacts:
    """What one emulator, machine type and virt type of a host offer."""

    virt_type: str
    machine: str
    architecture: str
    emulator: str
    max_vcpus: int | None
    cpu_modes: tuple[str, ...]  # supported <cpu mode=…>
    cpu_models_usable: tuple[str, ...]
    cpu_models_unusable: tuple[str, ...]
    devices: tuple[str, ...]  # supported kinds: disk, tpm, filesystem, …


@dataclass(frozen=True, slots=True)
class HostFacts:
    """All that was read from a host. Versions are libvirt's integers: major*1e6 + minor*1e3 + release."""

    host_uuid: str
    hostname: str  # what the host calls itself
    hypervisor: str  # QEMU, Xen
    hypervisor_version: int
    library_version: int
    cpu: HostCpu
    cpus: int  # logical processors
    memory_bytes: int
    memory_free_bytes: int | None
    qemu_uid: int | None  # from the DAC base label
    qemu_gid: int | None
    security_models: tuple[str, ...]
    guests_supported: tuple[GuestSupport, ...]
    migration_live: bool
    migration_transports: tuple[str, ...]
    pools: tuple[PoolFacts, ...] = ()
    networks: tuple[NetworkFacts, ...] = ()
    bridges: tuple[str, ...] = ()  # host bridges that guests may attach to
    read_at: datetime | None = None
    # What could not be read and why; empty lists above are then unknown, not "none": ("networks", "…").
    unread: tuple[tuple[str, str], ...] = ()
    cells: tuple[NumaCell, ...] = ()  # NUMA nodes; empty: not told
    free_pages: tuple[FreePages, ...] | None = None  # None: never asked, as the secrets
    secrets: tuple[SecretFacts, ...] | None = None
    filters: tuple[str, ...] | None = None  # network filters by name; None: never asked


def version_text(version: int) -> str:
    """9000000 → "9.0.0"."""
    return f"{version // 1_000_000}.{version // 1000 % 1000}.{version % 1000}"


def parse_capabilities(xml: str) -> CapabilitiesFacts:
    """The <capabilities> of a connection. Raises ValueError."""
    root = parse_xml(xml, root="capabilities")
    uid, gid = _base_label(root)
    return CapabilitiesFacts(
        host_uuid=text_of(root, "host/uuid").lower(),
        cpu=_host_cpu(root),
        qemu_uid=uid,
        qemu_gid=gid,
        security_models=_texts(root, "host/secmodel/model"),
        guests_supported=tuple(_guest_support(root)),
        migration_live=root.find("host/migration_features/live") is not None,
        migration_transports=_texts(root, "host/migration_features/uri_transports/uri_transport"),
        cells=tuple(parse_cells(root)),
    )


def _texts(root: etree._Element, path: str) -> tuple[str, ...]:
    return tuple(filter(None, ((item.text or "").strip() for item in root.iterfind(path))))


def _host_cpu(root: etree._Element) -> HostCpu:
    features = (item.get("name") or "" for item in root.iterfind("host/cpu/feature"))
    frequency_hz, scaling = parse_tsc(root)
    return HostCpu(
        architecture=text_of(root, "host/cpu/arch"),
        model=text_of(root, "host/cpu/model"),
        vendor=text_of(root, "host/cpu/vendor"),
        microcode=attribute_of(root, "host/cpu/microcode", "version"),
        features=tuple(filter(None, map(str, features))),
        sockets=optional_count(attribute_of(root, "host/cpu/topology", "sockets"), "CPU sockets"),
        cores=optional_count(attribute_of(root, "host/cpu/topology", "cores"), "CPU cores"),
        threads=optional_count(attribute_of(root, "host/cpu/topology", "threads"), "CPU threads"),
        tsc_frequency_hz=frequency_hz,
        tsc_scaling=scaling,
    )


def _base_label(root: etree._Element) -> tuple[int | None, int | None]:
    """User and group id QEMU runs as: `+64055:+64055` of the DAC model, KVM's before any other."""
    for model in root.iterfind("host/secmodel"):
        if text_of(model, "model") != "dac":
            continue
        labels = {item.get("type"): (item.text or "").strip() for item in model.iterfind("baselabel")}
        label = labels.get("kvm") or next(iter(labels.values()), "")
        user, _, group = label.partition(":")
        return optional_count(user.lstrip("+"), "DAC user"), optional_count(group.lstrip("+"), "DAC group")
    return None, None


def _guest_support(root: etree._Element) -> list[GuestSupport]:
    return [
        GuestSupport(
            os_type=text_of(guest, "os_type"),
            architecture=attribute_of(guest, "arch", "name"),
            virt_types=tuple(str(item.get("type") or "") for item in guest.iterfind("arch/domain")),
            machines=_machines(guest),
            emulator=text_of(guest, "arch/emulator"),
        )
        for guest in root.iterfind("guest")
    ]


def _machines(guest: etree._Element) -> tuple[str, ...]:
    """Names and the canonical names behind aliases, in libvirt's order, each once."""
    names: dict[str, None] = {}
    for machine in guest.iterfind("arch//machine"):
        for name in ((machine.text or "").strip(), str(machine.get("canonical") or "")):
            if name:
                names[name] = None
    return tuple(names)


def parse_domain_capabilities(xml: str) -> DomainCapabilitiesFacts:
    """The <domainCapabilities> of one emulator. Raises ValueError."""
    root = parse_xml(xml, root="domainCapabilities")
    models = [
        (item.text or "", item.get("usable")) for item in root.iterfind("cpu/mode[@name='custom']/model")
    ]
    vcpus = attribute_of(root, "vcpu", "max")
    return DomainCapabilitiesFacts(
        virt_type=text_of(root, "domain"),
        machine=text_of(root, "machine"),
        architecture=text_of(root, "arch"),
        emulator=text_of(root, "path"),
        max_vcpus=parse_count(vcpus, "max vcpus") if vcpus else None,
        cpu_modes=tuple(
            str(m.get("name") or "") for m in root.iterfind("cpu/mode") if m.get("supported") == "yes"
        ),
        cpu_models_usable=tuple(name for name, usable in models if usable == "yes"),
        cpu_models_unusable=tuple(name for name, usable in models if usable == "no"),
        devices=tuple(str(item.tag) for item in root.iterfind("devices/*") if item.get("supported") == "yes"),
    )
