"""A guest's devices as XML elements, parsed once, and whether a path is there on the destination. Pure."""

from __future__ import annotations

import enum
import shlex
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from lxml import etree

from hosts.facts.domain import DeviceFacts
from hosts.facts.probe import PathIdentity
from hosts.facts.xml import attribute_of, parse_xml
from jobs.preflight.by_hand import anywhere
from jobs.preflight.context import PreflightContext
from jobs.preflight.findings import Commands


class Presence(enum.StrEnum):
    THERE = "there"
    MISSING = "missing"
    UNKNOWN = "unknown"


def sent_root(context: PreflightContext) -> etree._Element:
    """The description as it is at the source. Empty where it could not be read (state.readable says so)."""
    return _root(context.guest.xml)


def arriving_xml(context: PreflightContext) -> str:
    """The description that the destination is given."""
    return context.options.destination_xml or context.guest.xml


def arriving_root(context: PreflightContext) -> etree._Element:
    return _root(arriving_xml(context))


def devices_of(context: PreflightContext, kind: str) -> Iterator[tuple[DeviceFacts, etree._Element]]:
    for device in context.guest.facts.devices:
        if device.kind == kind:
            yield device, _element(device.xml, kind)


def interfaces_of(context: PreflightContext, kind: str) -> Iterator[tuple[str, etree._Element]]:
    """MAC address and element of the interfaces that really are of this type."""
    for nic in context.guest.facts.nics:
        if nic.type == kind:
            yield nic.mac, _interfaces(context.guest.xml).get((kind, nic.mac), _EMPTY)


def detach(context: PreflightContext, element: etree._Element) -> tuple[Commands, ...]:
    """The command that takes a device out of the running guest; none for what has no alias, in a definition that
    does not run."""
    alias = attribute_of(element, "alias", "name")
    line = f"virsh detach-device-alias {shlex.quote(context.guest.name)} {alias} --live"
    return anywhere(context.source, line) if alias else ()


def presence_of(context: PreflightContext, path: str) -> Presence:
    """Whether the destination has the path. MISSING only where both hosts were asked and the source has it."""
    probe, reading = context.peer_probe, context.destination_reading
    if reading is not None and reading.volumes.get(path) is not None:
        return Presence.THERE
    if probe is None or not probe.destination_files:
        return Presence.UNKNOWN
    if path in probe.destination_files:
        return Presence.THERE
    return Presence.MISSING if path in probe.source_files else Presence.UNKNOWN


def identities_of(context: PreflightContext, path: str) -> tuple[PathIdentity, PathIdentity] | None:
    """The file as source and destination see it; None where one of them was not asked or lacks it."""
    probe = context.peer_probe
    here = probe.source_files.get(path) if probe is not None else None
    there = probe.destination_files.get(path) if probe is not None else None
    return (here, there) if here is not None and there is not None else None


_EMPTY: Final = etree.Element("nothing")


@lru_cache(maxsize=256)
def _root(xml: str) -> etree._Element:
    try:
        return parse_xml(xml, root="domain")
    except ValueError:
        return _EMPTY


@lru_cache(maxsize=1024)
def _element(xml: str, kind: str) -> etree._Element:
    return parse_xml(xml, root=kind)


@lru_cache(maxsize=256)
def _interfaces(xml: str) -> dict[tuple[str, str], etree._Element]:
    """By type, too: both of a failover pair have the same address."""
    found = _root(xml).iterfind("devices/interface")
    return {(str(item.get("type")), attribute_of(item, "mac", "address").lower()): item for item in found}
