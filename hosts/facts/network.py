"""Facts of virtual networks. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from hosts.facts.xml import attribute_of, parse_count, parse_xml, text_of


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    name: str
    network_uuid: str
    active: bool
    persistent: bool
    autostart: bool
    bridge: str
    forward: str  # nat, bridge, route, hostdev, "" isolated
    portgroups: tuple[str, ...] = ()
    vlans: tuple[int, ...] = ()


def parse_network(
    xml: str, *, active: bool = False, persistent: bool = False, autostart: bool = False
) -> NetworkFacts:
    """A <network> description; what the XML does not say is given by the caller. Raises ValueError."""
    root = parse_xml(xml, root="network")
    forward = root.find("forward")
    tags = (str(tag.get("id") or "") for tag in root.iterfind("vlan/tag"))
    return NetworkFacts(
        name=text_of(root, "name"),
        network_uuid=text_of(root, "uuid").lower(),
        active=active,
        persistent=persistent,
        autostart=autostart,
        bridge=attribute_of(root, "bridge", "name"),
        # A <forward> without a mode is NAT (libvirt's network format).
        forward="" if forward is None else str(forward.get("mode") or "nat"),
        portgroups=tuple(str(item.get("name") or "") for item in root.iterfind("portgroup")),
        vlans=tuple(parse_count(tag, "VLAN tag") for tag in tags if tag),
    )
