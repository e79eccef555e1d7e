"""Which guests use a file or volume, asked of libvirt now: running and defined ones, their disks and all layers."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import libvirt

from hosts.driver.errors import is_code
from hosts.driver.parallel import read_all
from hosts.driver.storage_finding import asking, refresh
from hosts.errors import OperationFailed, Refused
from hosts.facts.domain import DiskFacts, DomainFacts, parse_domain
from hosts.facts.storage import parse_pool, parse_volume

# A longer chain of layers is a loop.
MAX_LAYERS: Final = 64
_GONE: Final = ("NO_DOMAIN", "NO_STORAGE_POOL", "NO_STORAGE_VOL", "OPERATION_INVALID")


@dataclass(frozen=True, slots=True)
class Use:
    path: str
    guest: str
    running: bool
    writes: bool  # the top layer of a disk that is not read-only


def find_uses(virt: Any, host: str, paths: Iterable[str]) -> tuple[Use, ...]:
    """Uses of the paths, given as they are asked for. Empty answers mean that the host was asked and has none."""
    wanted = {_clean(path): path for path in paths if path}
    if not wanted:
        return ()
    with asking(host, "see which guests use the storage"):
        found = read_all(virt.listAllDomains(0), lambda domain: _uses_of(virt, host, domain))
        tops = {use.path for uses in found for use in uses}
        _refresh_unknown(virt, tops)
        layers = _layers_of(virt, tops)
    everything = [deeper for uses in found for use in uses for deeper in _with_layers(use, layers)]
    return tuple(
        Use(wanted[use.path], use.guest, use.running, use.writes)
        for use in dict.fromkeys(everything)
        if use.path in wanted
    )


def refuse_used(virt: Any, host: str, path: str, doing: str, *, running_only: bool = False) -> None:
    """Raises Refused that names the guests."""
    uses = find_uses(virt, host, [path])
    names = sorted({use.guest for use in uses if use.running or not running_only})
    if names:
        state = "running guests" if running_only else "guests"
        raise Refused(
            f"{path} on {host} is used by {state}: {', '.join(names[:10])}"
            f"{' and others' if len(names) > 10 else ''}. It was not {doing}.",
            remedy="Shut them off first." if running_only else "Take the disk out of these guests first.",
        )


def _uses_of(virt: Any, host: str, domain: Any) -> tuple[Use, ...]:
    """A running guest may have other disks than its definition: both count. A guest that is not understood may use
    anything, so it is no guest without uses."""
    name, uses = str(domain.name()), list[Use]()
    try:
        if domain.isActive():
            uses += _paths_in(virt, parse_domain(domain.XMLDesc(0)), name, running=True)
        if domain.isPersistent():
            xml = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
            uses += _paths_in(virt, parse_domain(xml), name, running=False)
    except ValueError as error:
        raise OperationFailed(
            f"{host} describes the guest {name} in a way that is not understood, so what it uses is not known: {error}",
            remedy=f"Look at it on the host: virsh dumpxml {name}",
        ) from error
    return tuple(uses)


def _paths_in(virt: Any, facts: DomainFacts, name: str, *, running: bool) -> Iterator[Use]:
    for disk in facts.disks:
        path = _path_of(virt, disk)
        if path:
            yield Use(_clean(path), name, running, writes=not disk.readonly)
        for layer in disk.backing_paths:
            yield Use(_clean(layer), name, running, writes=False)
    for path in (facts.nvram, facts.loader, facts.kernel, facts.initrd):
        if path:
            yield Use(_clean(path), name, running, writes=path == facts.nvram)


def _path_of(virt: Any, disk: DiskFacts) -> str:
    if disk.source_path:
        return disk.source_path
    if disk.network_source:
        # As libvirt writes the path of an RBD volume: POOL/IMAGE.
        return disk.network_source.partition(":")[2]
    if not (disk.pool and disk.volume):
        return ""
    try:
        volume = virt.storagePoolLookupByName(disk.pool).storageVolLookupByName(disk.volume)
        return str(volume.path())
    except libvirt.libvirtError as error:
        if is_code(error, *_GONE):
            return ""
        raise


def _refresh_unknown(virt: Any, tops: set[str]) -> None:
    """An image made beside libvirt is not known to its pool until that is refreshed, and so are its layers."""
    paths = sorted(path for path in tops if path.startswith("/"))
    folders = set(read_all(paths, lambda path: None if _is_known(virt, path) else posixpath.dirname(path)))
    for pool in virt.listAllStoragePools(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE) if folders else ():
        if _clean(parse_pool(pool.XMLDesc(0)).target_path) in folders:
            refresh(pool)


def _is_known(virt: Any, path: str) -> bool:
    try:
        virt.storageVolLookupByPath(path)
    except libvirt.libvirtError as error:
        if is_code(error, *_GONE):
            return False
        raise
    return True


def _layers_of(virt: Any, tops: set[str]) -> dict[str, tuple[str, ...]]:
    """Path → the layers below it. A guest that is shut off does not say them: the files themselves do."""
    below: dict[str, str] = {}
    unseen = tops
    for _ in range(MAX_LAYERS):
        if not unseen:
            break
        below.update(read_all(sorted(unseen), lambda path: (path, _below(virt, path))))
        unseen = {layer for layer in below.values() if layer and layer not in below}
    return {path: tuple(_walk(below, path)) for path in tops}


def _below(virt: Any, path: str) -> str:
    """The next layer, "" for none, and for what no pool knows."""
    try:
        facts = parse_volume(virt.storageVolLookupByPath(path).XMLDesc(0), pool="")
    except libvirt.libvirtError as error:
        # A file that cannot be read has nothing to tell; a host that is lost has not said so.
        unreadable = is_code(error, *_GONE, "SYSTEM_ERROR", "INTERNAL_ERROR", "STORAGE_PROBE_FAILED")
        if unreadable and virt.isAlive():
            return ""
        raise
    return _clean(posixpath.join(posixpath.dirname(path), facts.backing_path)) if facts.backing_path else ""


def _walk(below: dict[str, str], path: str) -> Iterator[str]:
    for _ in range(MAX_LAYERS):
        path = below.get(path, "")
        if not path:
            return
        yield path


def _with_layers(use: Use, layers: dict[str, tuple[str, ...]]) -> Iterator[Use]:
    yield use
    for path in layers.get(use.path, ()):
        yield Use(path, use.guest, use.running, writes=False)


def _clean(path: str) -> str:
    return posixpath.normpath(path)
