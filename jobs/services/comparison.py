"""The facts of two hosts side by side: what differs, what is missing on one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from hosts.facts.host import HostFacts, version_text
from hosts.facts.network import NetworkFacts
from hosts.facts.probe import HostProbe
from hosts.facts.storage import PoolFacts
from jobs.preflight.context import HostSide

UNKNOWN: Final = "not known"


@dataclass(frozen=True, slots=True)
class Fact:
    """`state`: same, differs, unknown (on at least one side), only (there is no telling it should be the same)."""

    name: str
    here: str
    there: str
    state: str


@dataclass(frozen=True, slots=True)
class Twin:
    """A pool or network by its name. `state`: same, differs, missing-here, missing-there."""

    name: str
    here: str
    there: str
    state: str


@dataclass(frozen=True, slots=True)
class Comparison:
    groups: tuple[tuple[str, tuple[Fact, ...]], ...]
    pools: tuple[Twin, ...]
    networks: tuple[Twin, ...]
    bridges: tuple[Twin, ...]


def compare_hosts(source: HostSide, destination: HostSide) -> Comparison | None:
    """None when one of them was never read."""
    here, there = source.facts, destination.facts
    if here is None or there is None:
        return None
    return Comparison(
        groups=(
            ("Software", tuple(_software(here, there, source.probe, destination.probe))),
            ("Processor", tuple(_processor(here, there, source.probe, destination.probe))),
            ("Room", tuple(_room(here, there))),
            ("Ids", tuple(_ids(here, there, source.probe, destination.probe))),
            ("Clock and firewall", tuple(_clock(source.probe, destination.probe))),
            ("Names and addresses", tuple(_names(source, destination))),
        ),
        pools=_twins(here.pools, there.pools, _pool_words),
        networks=_twins(here.networks, there.networks, _network_words),
        bridges=_named(here.bridges, there.bridges),
    )


def _software(
    here: HostFacts, there: HostFacts, probe: HostProbe | None, peer: HostProbe | None
) -> Iterator[Fact]:
    yield _fact("Hypervisor", here.hypervisor, there.hypervisor)
    yield _fact("Version", _version(here.hypervisor_version), _version(there.hypervisor_version))
    yield _fact("libvirt", _version(here.library_version), _version(there.library_version))
    yield _fact("System", _of(probe, "system"), _of(peer, "system"))
    yield _fact("Guarded by", ", ".join(here.security_models), ", ".join(there.security_models))


def _processor(
    here: HostFacts, there: HostFacts, probe: HostProbe | None, peer: HostProbe | None
) -> Iterator[Fact]:
    yield _fact("Architecture", here.cpu.architecture, there.cpu.architecture)
    yield _fact("Vendor", here.cpu.vendor, there.cpu.vendor)
    yield _fact("Model", here.cpu.model, there.cpu.model)
    mine, theirs = set(here.cpu.features), set(there.cpu.features)
    yield Fact(
        "Features of its own", _list(mine - theirs), _list(theirs - mine),
        "same" if mine == theirs else "differs",
    )  # fmt: skip
    yield _fact("Microcode", _microcode(here, probe), _microcode(there, peer))


def _room(here: HostFacts, there: HostFacts) -> Iterator[Fact]:
    yield _told("Processors", str(here.cpus), str(there.cpus))
    yield _told("Memory", _gib(here.memory_bytes), _gib(there.memory_bytes))
    yield _told("Memory free", _gib(here.memory_free_bytes), _gib(there.memory_free_bytes))


def _ids(
    here: HostFacts, there: HostFacts, probe: HostProbe | None, peer: HostProbe | None
) -> Iterator[Fact]:
    yield _fact("QEMU runs as", _runs_as(here), _runs_as(there))
    for name, field in (("qemu uid", "qemu_uid"), ("kvm gid", "kvm_gid"), ("qemu gid", "qemu_gid"),
                        ("libvirt gid", "libvirt_gid")):  # fmt: skip
        yield _fact(name, _of(probe, field), _of(peer, field))


def _clock(probe: HostProbe | None, peer: HostProbe | None) -> Iterator[Fact]:
    yield _told("Clock, against this console", _offset(probe), _offset(peer))
    yield _fact("Synchronised", _yes(probe), _yes(peer))
    yield _told("Firewall", _of(probe, "firewall"), _of(peer, "firewall"))
    yield _fact("Images lie on", _of(probe, "image_file_system"), _of(peer, "image_file_system"))


def _names(source: HostSide, destination: HostSide) -> Iterator[Fact]:
    here, there = source.facts, destination.facts
    yield _told("Calls itself", here.hostname if here else "", there.hostname if there else "")
    yield _told("Migration address", source.migration_address, destination.migration_address, "its own name")
    yield _told("Migration ports", _ports(source), _ports(destination))
    yield _told("Addresses", _addresses(source.probe), _addresses(destination.probe))


def _fact(name: str, here: str, there: str) -> Fact:
    """Should be the same on both."""
    if not here or not there:
        return Fact(name, here or UNKNOWN, there or UNKNOWN, "unknown")
    return Fact(name, here, there, "same" if here == there else "differs")


def _told(name: str, here: str, there: str, nothing: str = UNKNOWN) -> Fact:
    """Need not be the same."""
    return Fact(name, here or nothing, there or nothing, "only")


def _twins(here: Iterable[Any], there: Iterable[Any], words: Callable[[Any], str]) -> tuple[Twin, ...]:
    mine, theirs = {item.name: words(item) for item in here}, {item.name: words(item) for item in there}
    twins = [_twin(name, mine.get(name), theirs.get(name)) for name in sorted(mine.keys() | theirs.keys())]
    return tuple(sorted(twins, key=lambda twin: twin.state == "same"))


def _twin(name: str, here: str | None, there: str | None) -> Twin:
    if here is None or there is None:
        return Twin(
            name, here or "missing", there or "missing", "missing-here" if here is None else "missing-there"
        )
    return Twin(name, here, there, "same" if here == there else "differs")


def _named(here: Iterable[str], there: Iterable[str]) -> tuple[Twin, ...]:
    mine, theirs = set(here), set(there)
    twins = [
        _twin(name, "there" if name in mine else None, "there" if name in theirs else None)
        for name in sorted(mine | theirs)
    ]
    return tuple(sorted(twins, key=lambda twin: twin.state == "same"))


def _pool_words(pool: PoolFacts) -> str:
    place = f" at {pool.target_path}" if pool.target_path and pool.target_path not in pool.source else ""
    return f"{pool.source or pool.type}{place}, {'active' if pool.active else 'not active'}"


def _network_words(network: NetworkFacts) -> str:
    bridge = f" through {network.bridge}" if network.bridge else ""
    groups = f", port groups {', '.join(network.portgroups)}" if network.portgroups else ""
    tags = f", VLAN {', '.join(map(str, network.vlans))}" if network.vlans else ""
    return f"{network.forward or 'isolated'}{bridge}{groups}{tags}, {'active' if network.active else 'not active'}"


def _of(probe: HostProbe | None, field: str) -> str:
    value = getattr(probe, field) if probe is not None else None
    return "" if value is None else str(value)


def _microcode(facts: HostFacts, probe: HostProbe | None) -> str:
    """libvirt tells it in decimal, the kernel and the vendors write it in hexadecimal."""
    told = facts.cpu.microcode or _of(probe, "microcode")
    return hex(int(told)) if told.isdecimal() else told


def _yes(probe: HostProbe | None) -> str:
    if probe is None or probe.clock_synchronised is None:
        return ""
    return "yes" if probe.clock_synchronised else "no"


def _offset(probe: HostProbe | None) -> str:
    if probe is None or probe.clock_offset_ms is None:
        return ""
    error = f", ±{probe.clock_error_ms} ms" if probe.clock_error_ms is not None else ""
    return f"{probe.clock_offset_ms:+d} ms{error}"


def _runs_as(facts: HostFacts) -> str:
    return "" if facts.qemu_uid is None else f"{facts.qemu_uid}:{facts.qemu_gid}"


def _addresses(probe: HostProbe | None) -> str:
    return ", ".join(probe.addresses) if probe is not None else ""


def _ports(side: HostSide) -> str:
    return "-".join(str(port) for port in dict.fromkeys(side.migration_ports))


def _version(version: int) -> str:
    return version_text(version) if version else ""


def _gib(size_bytes: int | None) -> str:
    return "" if size_bytes is None else f"{size_bytes / 2**30:.1f} GiB"


def _list(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"
