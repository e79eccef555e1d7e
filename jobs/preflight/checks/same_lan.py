"""Whether a network or bridge of the same name on the destination leads to the same LAN."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hosts.facts.network import NetworkFacts
from jobs.preflight.context import HostSide, PreflightContext
from jobs.preflight.findings import Finding, Severity
from jobs.preflight.registry import Said, check
from jobs.preflight.say import both, require_read, warning
from jobs.preflight.subnets import shown, subnets_of

# Each host makes such a network for itself; they are never one LAN.
_OWN: Final = {"": "isolated", "nat": "NAT", "route": "routed", "open": "open"}


@check(
    "network.same-lan",
    title="A network or bridge of the same name on the destination is the same LAN",
    source="measured: libvirt moves a guest onto another bridge or VLAN of the same name without a word",
    waivable=True,
    severities=(Severity.WARNING,),
    unevaluated=Severity.WARNING,
)
def check_same_lan(context: PreflightContext) -> Iterator[Said]:
    nics = context.guest.facts.nics
    for name in dict.fromkeys(nic.source for nic in nics if nic.type == "network"):
        yield from _check_network(context, name)
    for bridge in dict.fromkeys(nic.source for nic in nics if nic.type == "bridge"):
        yield from _check_subnets(context, f"bridge {bridge}", bridge, bridge)


def _check_network(context: PreflightContext, name: str) -> Iterator[Finding]:
    source, destination = _find(context.source, name), _find(context.destination, name)
    if source is None or destination is None:
        return  # network.guest-nics speaks of that
    if (source.forward, source.vlans) != (destination.forward, destination.vlans):
        yield warning(
            f"network {name}",
            f"The network {name} is not the same on both hosts; the guest may be cut off after the move.",
            f"Compare: virsh net-dumpxml {name} on both hosts.",
            evidence=both(context, _words(source), _words(destination)),
        )
    elif source.forward in _OWN:
        yield warning(
            f"network {name}",
            f"The network {name} is {_OWN[source.forward]}: each host has one of its own. Connections of the guest "
            "break, and others reach it no more at its present address.",
            "Put the guest on a bridge into a LAN that both hosts are in.",
            evidence=both(context, _words(source), _words(destination)),
        )
    else:
        yield from _check_subnets(context, f"network {name}", source.bridge, destination.bridge)


def _find(side: HostSide, name: str) -> NetworkFacts | None:
    networks = require_read(side, "networks").networks
    return next((network for network in networks if network.name == name), None)


def _check_subnets(context: PreflightContext, subject: str, here: str, there: str) -> Iterator[Finding]:
    """By the addresses that the hosts themselves have on the bridge. One without tells nothing either way."""
    addresses = [
        _addresses(side, link) for side, link in ((context.source, here), (context.destination, there))
    ]
    subnets = [subnets_of(found) for found in addresses]
    if all(subnets) and not subnets[0] & subnets[1]:
        yield warning(
            subject,
            f"The {subject} leads to different subnets on the two hosts; the guest may be cut off after the move.",
            f"Compare on both hosts: ip addr show {here}; bridge link show",
            evidence=both(context, f"{here}: {shown(addresses[0])}", f"{there}: {shown(addresses[1])}"),
        )


def _addresses(side: HostSide, link: str) -> tuple[str, ...]:
    return side.probe.link_addresses.get(link, ()) if side.probe is not None else ()


def _words(network: NetworkFacts) -> str:
    return f"{network.forward or 'isolated'} VLANs {list(network.vlans)}"
