"""Listen addresses of graphics that only one host has, and what stands in their place. Pure."""

from __future__ import annotations

import ipaddress

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
