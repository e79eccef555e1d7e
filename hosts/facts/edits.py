"""Changes to libvirt's XML that the product makes itself: one thing is changed, everything else stays. Pure."""

from __future__ import annotations

from typing import Final

from lxml import etree

from hosts.facts.xml import outer_xml, parse_xml

# What belongs to a medium and not to its drive.
_OF_THE_MEDIUM: Final = ("source", "backingStore", "auth", "encryption", "mirror")
# What a host says of its own pool: another host would refuse or ignore it.
_OF_ONE_HOST: Final = ("uuid", "capacity", "allocation", "available")
# Where a smaller allocation means a sparse file; a logical pool would make a thin snapshot of it.
_SPARSE_POOLS: Final = frozenset({"dir", "fs", "netfs", "gluster"})


def find_media(domain_xml: str, target: str) -> str:
    """What lies in a drive ("" for an empty one). Raises ValueError when the guest has no such drive."""
    source = _disk(parse_xml(domain_xml, root="domain"), target).find("source")
    if source is None:
        return ""
    names = ("file", "dev", "dir", "name", "volume")
    return next((str(source.get(name)) for name in names if source.get(name)), "")


def render_empty_drive(domain_xml: str, target: str) -> str:
    """The <disk> of a drive without its medium, for virDomainUpdateDeviceFlags. Raises ValueError."""
    disk = _disk(parse_xml(domain_xml, root="domain"), target)
    if disk.get("device") not in {"cdrom", "floppy"}:
        raise ValueError(f"{target} is a {disk.get('device') or 'disk'}, which holds no media to eject.")
    for name in _OF_THE_MEDIUM:
        for element in disk.findall(name):
            disk.remove(element)
    disk.set("type", "file")
    return outer_xml(disk)


def find_cache(domain_xml: str, target: str) -> str:
    """The cache mode of a disk, "" for the hypervisor's own. Raises ValueError when there is no such disk."""
    driver = _disk(parse_xml(domain_xml, root="domain"), target).find("driver")
    return "" if driver is None else str(driver.get("cache") or "")


def render_cache_none(domain_xml: str, target: str) -> str:
    """The same definition with cache='none' for one disk. Raises ValueError when there is no such disk."""
    root = parse_xml(domain_xml, root="domain")
    disk = _disk(root, target)
    driver = disk.find("driver")
    if driver is None:
        driver = etree.Element("driver")
        disk.insert(0, driver)
    driver.set("cache", "none")
    return outer_xml(root)


def render_twin_pool(pool_xml: str) -> str:
    """The pool as another host can define it: without UUID and without figures. Raises ValueError."""
    root = parse_xml(pool_xml, root="pool")
    for name in _OF_ONE_HOST:
        for element in root.findall(name):
            root.remove(element)
    return outer_xml(root)


def render_volume(pool_type: str, name: str, format_name: str, capacity_bytes: int) -> str:
    """An empty volume of this virtual size; sparse where the pool keeps files."""
    volume = etree.Element("volume")
    etree.SubElement(volume, "name").text = name
    etree.SubElement(volume, "capacity", unit="bytes").text = str(capacity_bytes)
    if pool_type in _SPARSE_POOLS:
        etree.SubElement(volume, "allocation", unit="bytes").text = "0"
    if format_name:
        etree.SubElement(etree.SubElement(volume, "target"), "format", type=format_name)
    return outer_xml(volume)


def _disk(root: etree._Element, target: str) -> etree._Element:
    for disk in root.iterfind("devices/disk"):
        place = disk.find("target")
        if place is not None and place.get("dev") == target:
            return disk
    raise ValueError(f"There is no disk or drive {target}.")
