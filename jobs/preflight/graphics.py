"""Listen addresses of graphics that only one host has, and what stands in their place. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from lxml import etree

from hosts.facts.domain import DomainFacts


def find_ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None


def is_bound_to_source(listen: str) -> bool:
    """True for an address that exists on one host only.

    Measured: QEMU at the destination dies of it ("Cannot assign requested address").
    """
    address = find_ip(listen)
    return address is not None and not address.is_unspecified and not address.is_loopback


def bound_addresses(facts: DomainFacts) -> tuple[str, ...]:
    return tuple(dict.fromkeys(listen for _, listen in facts.graphics if is_bound_to_source(listen)))


def replacement_for(listen: str, migration_address: str) -> str:
    """The destination's address of the same family, "" when none is known.

    Never 0.0.0.0: opening a console to everybody is not ours to decide.
    """
    old, new = find_ip(listen), find_ip(migration_address)
    return str(new) if old is not None and new is not None and new.version == old.version else ""


def names(facts: DomainFacts) -> tuple[str, ...]:
    """Listen addresses given as names that each host looks up for itself."""
    given = (listen for _, listen in facts.graphics if listen and listen != "localhost")
    return tuple(dict.fromkeys(listen for listen in given if find_ip(listen) is None))


def networks(root: etree._Element) -> dict[str, str]:
    """Addresses that consoles took from networks → the network. Without an address in what does not run: a key
    that is none."""
    listens = root.iterfind("devices/graphics/listen[@type='network']")
    pairs = ((str(listen.get("address") or ""), str(listen.get("network") or "")) for listen in listens)
    return {address or f"network {network}": network for address, network in pairs if network}


def fixed_ports(root: etree._Element) -> Iterator[tuple[str, str]]:
    """Type and port of consoles that keep their port from host to host."""
    for graphics in root.iterfind("devices/graphics"):
        port = str(graphics.get("port") or "")
        if graphics.get("autoport") == "no" and port.isdigit() and int(port) > 0:
            yield str(graphics.get("type")), port


def needs_tls(root: etree._Element) -> bool:
    """SPICE that has a TLS port, or channels that must not go without."""
    for spice in root.iterfind("devices/graphics[@type='spice']"):
        port = str(spice.get("tlsPort") or "")
        secure = spice.get("defaultMode") == "secure" or spice.find("channel[@mode='secure']") is not None
        if secure or (port.isdigit() and int(port) > 0):
            return True
    return False
