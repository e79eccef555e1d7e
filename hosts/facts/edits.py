"""Changes to libvirt's XML that the product makes itself: one thing is changed, everything else stays. Pure."""

from __future__ import annotations

from typing import Final

from lxml import etree

from hosts.facts.xml import outer_xml, parse_xml

# What belongs to a medium and not to its drive.
_OF_THE_MEDIUM: Final = ("source", "backingStore", "auth", "encryption", "mirror")
# What a host says of its own pool: another host would refuse or ignore it.
_OF_ONE_HOST: Final = ("uuid", "capacity", "allocation", "available")
# What a volume's copy has anew.
_OF_ONE_VOLUME: Final = (
    *("name", "key", "source", "physical", "backingStore"),
    *("target/path", "target/timestamps", "target/permissions"),
)
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


def add_running_permissions(definition_xml: str, live_xml: str) -> str:
    """The definition with the permissions that the running pool tells, where it names none itself.

    libvirt writes them into a definition when the pool starts and forgets them with the daemon: the same pool would
    differ from itself. Raises ValueError.
    """
    root, live = parse_xml(definition_xml, root="pool"), parse_xml(live_xml, root="pool")
    target, told = root.find("target"), live.find("target/permissions")
    if target is None or told is None or target.find("permissions") is not None:
        return definition_xml
    # As text, so that the rest stays as the host wrote it; libvirt writes exactly one end of a target.
    return definition_xml.replace("</target>", f"{outer_xml(told).strip()}</target>", 1)


def render_volume(
    pool_type: str,
    name: str,
    format_name: str,
    capacity_bytes: int,
    *,
    full: bool = False,
    backing: tuple[str, str] = ("", ""),
) -> str:
    """An empty volume of this virtual size; sparse where the pool keeps files, unless `full`. `backing`: path and
    format of the layer below."""
    volume = etree.Element("volume")
    etree.SubElement(volume, "name").text = name
    etree.SubElement(volume, "capacity", unit="bytes").text = str(capacity_bytes)
    if full or pool_type in _SPARSE_POOLS:
        allocation = capacity_bytes if full else 0
        etree.SubElement(volume, "allocation", unit="bytes").text = str(allocation)
    if format_name:
        target = etree.SubElement(volume, "target")
        etree.SubElement(target, "format", type=format_name)
        if format_name == "qcow2":
            # Without it libvirt makes images for QEMU before 1.1, in which a layer cannot say "zeros here".
            etree.SubElement(target, "compat").text = "1.1"
    path, layer_format = backing
    if path:
        layer = etree.SubElement(volume, "backingStore")
        etree.SubElement(layer, "path").text = path
        etree.SubElement(layer, "format", type=layer_format)
    return outer_xml(volume)


def render_clone(volume_xml: str, name: str) -> str:
    """A volume of the same format and size under another name, without layers: libvirt copies what the guest sees
    into one image, whatever the description says. Raises ValueError."""
    root = parse_xml(volume_xml, root="volume")
    for place in _OF_ONE_VOLUME:
        for element in root.findall(place):
            parent = element.getparent()
            if parent is not None:
                parent.remove(element)
    etree.SubElement(root, "name").text = name
    return outer_xml(root)


def _disk(root: etree._Element, target: str) -> etree._Element:
    for disk in root.iterfind("devices/disk"):
        place = disk.find("target")
        if place is not None and place.get("dev") == target:
            return disk
    raise ValueError(f"There is no disk or drive {target}.")
