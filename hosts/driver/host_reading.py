"""Reading what a host is: capabilities, versions, memory, pools, networks and bridges, in few round trips."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import libvirt

from hosts.driver.errors import is_code, translate
from hosts.driver.host_details import read_filters, read_free_pages, read_secrets
from hosts.driver.parallel import read_all
from hosts.errors import OperationFailed
from hosts.facts.host import HostCpu, HostFacts, parse_capabilities
from hosts.facts.network import NetworkFacts, parse_network
from hosts.facts.storage import PoolFacts, parse_pool
from hosts.facts.xml import parse_xml
from hosts.storage_ports import PASSING_POOL_PREFIX

T = TypeVar("T")


def read_facts(virt: Any, host: str) -> HostFacts:
    """Everything about the host itself. What this driver cannot tell is listed in `unread`, not guessed."""
    unread: list[tuple[str, str]] = []
    with translate(host, "read what the host is"):
        capabilities = _parsed(parse_capabilities, virt.getCapabilities(), host)
        info = virt.getInfo()
        untold: tuple[int, int | None] = (info[1] * 1024 * 1024, None)
        memory = _attempt("free memory", lambda: _memory(virt, info), untold, unread)
        networks: tuple[NetworkFacts, ...] = _attempt("networks", lambda: _read_networks(virt), (), unread)
        return HostFacts(
            host_uuid=capabilities.host_uuid,
            hostname=virt.getHostname(),
            hypervisor=virt.getType(),
            hypervisor_version=virt.getVersion(),
            library_version=virt.getLibVersion(),
            cpu=_with_topology(capabilities.cpu, info),
            cpus=info[2],
            memory_bytes=memory[0],
            memory_free_bytes=memory[1],
            qemu_uid=capabilities.qemu_uid,
            qemu_gid=capabilities.qemu_gid,
            security_models=capabilities.security_models,
            guests_supported=capabilities.guests_supported,
            migration_live=capabilities.migration_live,
            migration_transports=capabilities.migration_transports,
            pools=_attempt("storage pools", lambda: _read_pools(virt), (), unread),
            networks=networks,
            bridges=_attempt("bridges", lambda: _read_bridges(virt, networks), (), unread),
            read_at=datetime.now(UTC),
            cells=capabilities.cells,
            free_pages=_attempt(
                "free pages", lambda: read_free_pages(virt, capabilities.cells), None, unread
            ),
            secrets=_attempt("secrets", lambda: read_secrets(virt), None, unread),
            filters=_attempt("network filters", lambda: read_filters(virt), None, unread),
            unread=tuple(unread),
        )


def _parsed(parse: Callable[[str], T], xml: str, host: str) -> T:
    try:
        return parse(xml)
    except ValueError as error:
        raise OperationFailed(
            f"{host} describes itself in a way that is not understood: {error}",
            remedy="Update libvirt on the host, or report this with the output of: virsh capabilities",
        ) from error


def _attempt(what: str, read: Callable[[], T], missing: T, unread: list[tuple[str, str]]) -> T:
    """A part some drivers or installations lack (Xen without interface driver …): noted, not fatal."""
    try:
        return read()
    except libvirt.libvirtError as error:
        if not is_code(error, "NO_SUPPORT", "OPERATION_UNSUPPORTED", "NO_CONNECT", "CONFIG_UNSUPPORTED"):
            raise
        unread.append((what, str(error)))
        return missing


def _memory(virt: Any, info: list[Any]) -> tuple[int, int | None]:
    """Total and available bytes, from one source so that they fit together. Available counts what the kernel gives
    back on demand: a host full of page cache is not full of guests."""
    try:
        stats = virt.getMemoryStats(libvirt.VIR_NODE_MEMORY_STATS_ALL_CELLS)
        available = sum(int(stats[name]) for name in ("free", "buffers", "cached"))
        return int(stats["total"]) * 1024, available * 1024
    except (libvirt.libvirtError, KeyError):
        return info[1] * 1024 * 1024, int(virt.getFreeMemory())


def _with_topology(cpu: HostCpu, info: list[Any]) -> HostCpu:
    """getInfo() tells sockets per NUMA node; the capabilities' own figures win where there are some."""
    if cpu.sockets is not None:
        return cpu
    model, _, _, _, _, sockets, cores, threads = info
    architecture = cpu.architecture or str(model)
    return replace(cpu, architecture=architecture, sockets=sockets, cores=cores, threads=threads)


def _read_pools(virt: Any) -> tuple[PoolFacts, ...]:
    def read(pool: Any) -> PoolFacts:
        return parse_pool(
            pool.XMLDesc(0),
            active=bool(pool.isActive()),
            persistent=bool(pool.isPersistent()),
            autostart=bool(pool.autostart()),
        )

    # Pools that a copy makes for its own time are no news to people, and none that a guest could use.
    lasting = [
        pool for pool in virt.listAllStoragePools(0) if not pool.name().startswith(PASSING_POOL_PREFIX)
    ]
    return read_all(lasting, read)


def _read_networks(virt: Any) -> tuple[NetworkFacts, ...]:
    def read(network: Any) -> NetworkFacts:
        persistent = bool(network.isPersistent())
        return parse_network(
            network.XMLDesc(0),
            active=bool(network.isActive()),
            persistent=persistent,
            autostart=persistent and bool(network.autostart()),
        )

    return read_all(virt.listAllNetworks(0), read)


def _read_bridges(virt: Any, networks: tuple[NetworkFacts, ...]) -> tuple[str, ...]:
    """Bridges of the host's interfaces and those its active networks made."""
    found = read_all(virt.listAllInterfaces(0), _bridge_name)
    made = (network.bridge for network in networks if network.active and network.bridge)
    return tuple(sorted({*found, *made}))


def _bridge_name(interface: Any) -> str | None:
    root = parse_xml(interface.XMLDesc(0), root="interface")
    return str(root.get("name")) if root.get("type") == "bridge" else None
