"""Facts of storage pools and volumes. Pure. Sizes in bytes."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from hosts.facts.xml import attribute_of, bytes_of, parse_xml, text_of


@dataclass(frozen=True, slots=True)
class PoolFacts:
    name: str
    pool_uuid: str
    type: str  # dir, fs, netfs, logical, iscsi, rbd, …
    active: bool
    persistent: bool
    autostart: bool
    capacity_bytes: int
    allocation_bytes: int
    available_bytes: int
    target_path: str  # "" for pools without one
    source: (
        str  # identity of what is behind it: "netfs glusterfs 10.0.0.1:VM", "dir /path", "rbd mon:6789:pool"
    )

    @property
    def shared_by_nature(self) -> bool:
        """True where the pool's source names the same thing from every host (network storage)."""
        return self.type in {"netfs", "rbd", "iscsi", "iscsi-direct", "gluster", "sheepdog", "mpath", "scsi"}


@dataclass(frozen=True, slots=True)
class VolumeFacts:
    path: str
    pool: str
    name: str
    format: str
    capacity_bytes: int
    allocation_bytes: int
    backing_path: str = ""  # of the layer below, "" for none
    backing_format: str = ""
    type: str = ""  # file, block, dir, network, ploop
    physical_bytes: int | None = None  # size of the file; None: not told
    modified_at: str = ""  # libvirt's own text, seconds.nanoseconds; "" where the pool tells none


def parse_pool(
    xml: str, *, active: bool = False, persistent: bool = False, autostart: bool = False
) -> PoolFacts:
    """A <pool> description; what the XML does not say is given by the caller. Raises ValueError."""
    root = parse_xml(xml, root="pool")
    kind, target = str(root.get("type") or ""), text_of(root, "target/path")
    return PoolFacts(
        name=text_of(root, "name"),
        pool_uuid=text_of(root, "uuid").lower(),
        type=kind,
        active=active,
        persistent=persistent,
        autostart=autostart,
        capacity_bytes=bytes_of(root, "capacity", default_unit="bytes"),
        allocation_bytes=bytes_of(root, "allocation", default_unit="bytes"),
        available_bytes=bytes_of(root, "available", default_unit="bytes"),
        target_path=target,
        source=_source_identity(kind, root.find("source"), target),
    )


def _source_identity(kind: str, source: etree._Element | None, target: str) -> str:
    """The same text for the same thing behind the pool, whatever its name: hosts are compared with it."""
    if source is None or kind == "dir":
        return f"{kind} {_trim(target)}".strip()
    hosts = ",".join(sorted(_host(item) for item in source.iterfind("host") if item.get("name")))
    place = attribute_of(source, "dir", "path") or text_of(source, "name") or _devices(source)
    file_system = attribute_of(source, "format", "type")
    initiator = attribute_of(source, "initiator/iqn", "name")
    where = ":".join(filter(None, (hosts, _trim(place))))
    return " ".join(filter(None, (kind, file_system if kind in {"netfs", "fs"} else "", where, initiator)))


def _host(item: etree._Element) -> str:
    name, port = str(item.get("name") or "").lower(), str(item.get("port") or "")
    return f"{name}:{port}" if port else name


def _devices(source: etree._Element) -> str:
    devices = [str(item.get("path") or "") for item in source.iterfind("device")]
    return ",".join(sorted(filter(None, devices))) or attribute_of(source, "adapter", "name")


def _trim(path: str) -> str:
    return path.rstrip("/") or path


def parse_volume(xml: str, *, pool: str) -> VolumeFacts:
    """A <volume> description in `pool`. Raises ValueError."""
    root = parse_xml(xml, root="volume")
    return VolumeFacts(
        path=text_of(root, "target/path") or text_of(root, "key"),
        pool=pool,
        name=text_of(root, "name"),
        format=attribute_of(root, "target/format", "type"),
        capacity_bytes=bytes_of(root, "capacity", default_unit="bytes"),
        allocation_bytes=bytes_of(root, "allocation", default_unit="bytes"),
        backing_path=text_of(root, "backingStore/path"),
        backing_format=attribute_of(root, "backingStore/format", "type"),
        type=str(root.get("type") or ""),
        physical_bytes=_optional_bytes(root, "physical"),
        modified_at=text_of(root, "target/timestamps/mtime"),
    )


def _optional_bytes(root: etree._Element, path: str) -> int | None:
    return None if root.find(path) is None else bytes_of(root, path, default_unit="bytes")
