"""Subnets of hosts: what two of them have in common. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from hosts.facts.probe import HostProbe

Subnet = ipaddress.IPv4Network | ipaddress.IPv6Network


def common_subnets(source: HostProbe, destination: HostProbe) -> set[Subnet]:
    """Those in which both have an address of their own. A network that every host makes for itself has the same
    address on each (virbr0, docker0) and is not in common."""
    alike = set(source.addresses) & set(destination.addresses)
    here = subnets_of(address for address in source.addresses if address not in alike)
    return here & subnets_of(address for address in destination.addresses if address not in alike)


def subnets_of(addresses: Iterable[str]) -> set[Subnet]:
    """Without routes to single hosts."""
    networks = (ipaddress.ip_interface(text).network for text in addresses)
    return {network for network in networks if network.prefixlen < network.max_prefixlen}


def shown(addresses: Iterable[str]) -> str:
    return ", ".join(addresses) or "no addresses"
