"""The definition as the destination must have it: only what is bound to the source is changed. Pure.

libvirt before 10.0 keeps the old persistent definition when only the live one is given, and then starts the
guest with the wrong one next time: both are always rendered together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from hosts.facts.domain import DomainFacts
from hosts.facts.xml import parse_xml
from jobs.engine.storage_map import DiskRewrite
from jobs.options import Kind, MoveOptions
from jobs.preflight.graphics import bound_addresses, replacement_for


@dataclass(frozen=True, slots=True)
class ListenRewrite:
    """A graphics listen address of the source, and what stands in its place at the destination."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Rewrites:
    """All that the plan changes in the definition."""

    listen: tuple[ListenRewrite, ...] = ()
    disks: tuple[DiskRewrite, ...] = ()


@dataclass(frozen=True, slots=True)
class DestinationXml:
    live: str
    persistent: str


def plan_listen_rewrites(
    facts: DomainFacts, options: MoveOptions, migration_address: str
) -> tuple[ListenRewrite, ...]:
    """Listen addresses that only the source has, each with the destination's address of the same family.

    Without such an address nothing is rewritten and the check graphics.listen refuses: opening a console to
    everybody (0.0.0.0) is not ours to decide. Definitions given by hand are left as they are.
    """
    if options.destination_xml or options.kind is Kind.OFFLINE:
        return ()
    rewrites = (ListenRewrite(old, replacement_for(old, migration_address)) for old in bound_addresses(facts))
    return tuple(rewrite for rewrite in rewrites if rewrite.new and rewrite.new != rewrite.old)


def render_destination_xml(
    options: MoveOptions, rewrites: Rewrites, live_xml: str, inactive_xml: str
) -> DestinationXml | None:
    """None when libvirt's own copy is right as it is."""
    if options.destination_xml or options.persistent_xml:
        live = options.destination_xml or rewrite(live_xml, rewrites)
        return DestinationXml(live=live, persistent=options.persistent_xml or live)
    if not rewrites.listen and not rewrites.disks:
        return None
    return DestinationXml(
        live=rewrite(live_xml, rewrites), persistent=rewrite(inactive_xml or live_xml, rewrites)
    )


def rewrite(xml: str, rewrites: Rewrites) -> str:
    """The definition with other listen addresses and disks, and nothing else changed. Raises ValueError for unusable
    XML."""
    root = parse_xml(xml, root="domain", keep_comments=True)
    new_by_old = {item.old: item.new for item in rewrites.listen}
    for element, name in _listen_attributes(root):
        old = str(element.get(name))
        if old in new_by_old:
            element.set(name, new_by_old[old])
    by_target = {item.target: item for item in rewrites.disks}
    for disk in root.iterfind("devices/disk"):
        target = disk.find("target")
        item = by_target.get(str(target.get("dev"))) if target is not None else None
        if item is not None:
            _rewrite_disk(disk, item)
    return etree.tostring(root, encoding="unicode") + "\n"


# What says where an image lies; anything else in <source> (seclabel, encryption, reservations) stays.
_PLACE_ATTRIBUTES = ("file", "dev", "dir", "pool", "volume", "mode", "protocol", "name")


def _rewrite_disk(disk: etree._Element, item: DiskRewrite) -> None:
    if item.type:
        _place(disk, item)
    if item.whole:
        # The copy has no layers: libvirt must not look for those of the source.
        for layer in disk.findall("backingStore"):
            _take_out(disk, layer)


def _place(disk: etree._Element, item: DiskRewrite) -> None:
    source = disk.find("source")
    if source is None:
        raise ValueError(f"Disk {item.target} has no source that could be changed.")
    disk.set("type", item.type)
    kept = [(name, value) for name, value in source.attrib.items() if name not in _PLACE_ATTRIBUTES]
    source.attrib.clear()
    source.attrib.update([*_place_attributes(item), *kept])


def _place_attributes(item: DiskRewrite) -> list[tuple[str, str]]:
    if item.type == "volume":
        return [("pool", item.pool), ("volume", item.volume)]
    return [("dev" if item.type == "block" else "file", item.path)]


def _take_out(parent: etree._Element, child: etree._Element) -> None:
    """With the white space before it, so that the rest stays as it was."""
    before = child.getprevious()
    if before is not None:
        before.tail = child.tail
    else:
        parent.text = child.tail
    parent.remove(child)


def _listen_attributes(root: etree._Element) -> Iterator[tuple[etree._Element, str]]:
    """libvirt says it twice: in <graphics listen=…> and in its <listen type='address' address=…>."""
    for graphics in root.iterfind("devices/graphics"):
        if graphics.get("listen"):
            yield graphics, "listen"
        for listen in graphics.iterfind("listen"):
            if listen.get("address") and listen.get("type") == "address":
                yield listen, "address"
