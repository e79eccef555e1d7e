"""What only the destination can say about a guest: can it run its CPU, what lies at its disks' paths."""

from __future__ import annotations

import logging
import posixpath
from collections.abc import Iterable
from typing import Any

import libvirt
from lxml import etree

from hosts.driver.errors import is_code, translate
from hosts.driver.parallel import read_all
from hosts.facts.domain import DomainFacts, GuestReading
from hosts.facts.storage import VolumeFacts, parse_pool, parse_volume
from hosts.facts.xml import parse_xml
from hosts.ports import CpuComparison, DestinationReading

logger = logging.getLogger(__name__)

# Refreshing a pool opens every volume in it; above this the destination would be kept busy for too long.
_MAX_VOLUMES_TO_REFRESH = 200
_REFRESHABLE = frozenset({"dir", "fs", "netfs"})
# The hypervisor or this libvirt cannot compare, or the description holds what it does not know.
_CANNOT_SAY = (
    "OPERATION_INVALID",
    "OPERATION_UNSUPPORTED",
    "NO_SUPPORT",
    "CONFIG_UNSUPPORTED",
    "XML_ERROR",
    "INVALID_ARG",
    "INTERNAL_ERROR",
)


def read_for_guest(
    virt: Any, host: str, guest: GuestReading, disk_paths: Iterable[str]
) -> DestinationReading:
    """What only this host can say about a guest to come. A path that no active pool here covers is not in
    `volumes`: nothing is known about it; None means a pool covers it and has nothing there."""
    with translate(host, "be asked about the guest"):
        return DestinationReading(
            cpu=_compare_cpu(virt, guest.facts), volumes=_find_volumes(virt, tuple(disk_paths))
        )


def _compare_cpu(virt: Any, facts: DomainFacts) -> CpuComparison:
    """The live, expanded CPU against what the hypervisor here can give (not against the bare processor)."""
    if not facts.cpu.xml:
        return CpuComparison("unknown", "The guest's description has no CPU.")
    try:
        answer = virt.compareHypervisorCPU(
            None,
            facts.architecture,
            facts.machine,
            facts.virt_type,
            _comparable(facts.cpu.xml),
            libvirt.VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE,
        )
    except libvirt.libvirtError as error:
        if is_code(error, "CPU_INCOMPATIBLE"):
            return CpuComparison("incompatible", str(error.get_error_message()))
        if is_code(
            error,
            "OPERATION_INVALID",
            "OPERATION_UNSUPPORTED",
            "NO_SUPPORT",
            "CONFIG_UNSUPPORTED",
            "XML_ERROR",
        ):
            return CpuComparison("unknown", str(error.get_error_message()))
        if is_code(error, "INVALID_ARG", "INTERNAL_ERROR"):
            return CpuComparison("unknown", str(error.get_error_message()))
        raise
    words = {libvirt.VIR_CPU_COMPARE_IDENTICAL: "identical", libvirt.VIR_CPU_COMPARE_SUPERSET: "superset"}
    return CpuComparison(words.get(answer, "incompatible"))


def _comparable(cpu_xml: str) -> str:
    """Without what is no part of a CPU comparison and would be refused there (the guest's NUMA cells)."""
    root = parse_xml(cpu_xml, root="cpu")
    for element in root.findall("numa"):
        root.remove(element)
    return etree.tostring(root, encoding="unicode")


def _find_volumes(virt: Any, paths: tuple[str, ...]) -> dict[str, VolumeFacts | None]:
    covering = _covering_pools(virt, paths)
    for pool in {id(pool): pool for pool in covering.values()}.values():
        _refresh_when_cheap(pool)
    return {path: _find_volume(virt, path) for path in covering}


def _covering_pools(virt: Any, paths: tuple[str, ...]) -> dict[str, Any]:
    """Path → the active pool whose directory it is in. libvirt finds pools for new disks by the same rule."""
    if not paths:
        return {}
    pools = virt.listAllStoragePools(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE)
    by_directory = dict(read_all(pools, lambda pool: (_target_path(pool), pool)))
    found = {path: by_directory.get(posixpath.normpath(posixpath.dirname(path))) for path in paths}
    return {path: pool for path, pool in found.items() if pool is not None}


def _target_path(pool: Any) -> str:
    path = parse_pool(pool.XMLDesc(0)).target_path
    return posixpath.normpath(path) if path else ""


def _refresh_when_cheap(pool: Any) -> None:
    """A pool remembers files that are gone and does not know new ones; a refresh makes its answer true."""
    kind = parse_pool(pool.XMLDesc(0)).type
    if kind not in _REFRESHABLE or pool.numOfVolumes() > _MAX_VOLUMES_TO_REFRESH:
        return
    try:
        pool.refresh(0)
    except libvirt.libvirtError as error:
        # Busy with another job, or a file vanished while it was looked at: what is cached has to do.
        logger.info("Pool %s could not be refreshed: %s", pool.name(), error)


def _find_volume(virt: Any, path: str) -> VolumeFacts | None:
    try:
        volume = virt.storageVolLookupByPath(path)
        return parse_volume(volume.XMLDesc(0), pool=volume.storagePoolLookupByVolume().name())
    except libvirt.libvirtError as error:
        if is_code(error, "NO_STORAGE_VOL"):
            return None
        raise
