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
from jobs.options import Kind, MoveOptions
from jobs.preflight.graphics import bound_addresses, replacement_for


@dataclass(frozen=True, slots=True)
class ListenRewrite:
    """A graphics listen address of the source, and what stands in its place at the destination."""

    old: str
    new: str


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
    options: MoveOptions, rewrites: tuple[ListenRewrite, ...], live_xml: str, inactive_xml: str
) -> DestinationXml | None:
    """None when libvirt's own copy is right as it is."""
    if options.destination_xml or options.persistent_xml:
        live = options.destination_xml or live_xml
        return DestinationXml(live=live, persistent=options.persistent_xml or live)
    if not rewrites:
        return None
    return DestinationXml(
        live=rewrite_listen(live_xml, rewrites), persistent=rewrite_listen(inactive_xml or live_xml, rewrites)
    )


def rewrite_listen(xml: str, rewrites: tuple[ListenRewrite, ...]) -> str:
    """The definition with other listen addresses and nothing else changed. Raises ValueError for unusable
    XML."""
    root = parse_xml(xml, root="domain")
    new_by_old = {rewrite.old: rewrite.new for rewrite in rewrites}
    for element, name in _listen_attributes(root):
        old = str(element.get(name))
        if old in new_by_old:
            element.set(name, new_by_old[old])
    return etree.tostring(root, encoding="unicode") + "\n"


def _listen_attributes(root: etree._Element) -> Iterator[tuple[etree._Element, str]]:
    """libvirt says it twice: in <graphics listen=…> and in its <listen type='address' address=…>."""
    for graphics in root.iterfind("devices/graphics"):
        if graphics.get("listen"):
            yield graphics, "listen"
        for listen in graphics.iterfind("listen"):
            if listen.get("address") and listen.get("type") == "address":
                yield listen, "address"
