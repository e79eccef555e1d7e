"""Remedies by hand for the ways between hosts: firewall, names, logins, libvirt's remote access, networks. Pure."""

from __future__ import annotations

import ipaddress
import shlex
from typing import Final

from hosts.facts.address import ConnectionAddress
from jobs.preflight.by_hand import anywhere, by_family
from jobs.preflight.context import HostSide
from jobs.preflight.findings import Commands

# What each firewall wants to hear; {first}, {last} are TCP ports, {range} is one or both of them.
_FIREWALLS: Final = {
    "firewalld": ("firewall-cmd --permanent --add-port={range}/tcp", "firewall-cmd --reload"),
    "ufw": ("ufw allow {colons}/tcp",),
    "nftables": (
        "nft list chains | grep -B1 'hook input'   # the table and chain that filter what comes in",
        "nft insert rule inet filter input tcp dport {range} accept",
        "nft list ruleset > /etc/nftables.conf   # to keep it",
    ),
    "iptables": ("iptables -I INPUT -p tcp --dport {colons} -j ACCEPT",),
}
_USUAL: Final = {"debian": ("ufw", "nftables"), "suse": ("firewalld",), "redhat": ("firewalld",)}
_SSH: Final = {"debian": "ssh", "suse": "sshd", "redhat": "sshd"}


def open_ports(side: HostSide, first: int, last: int) -> tuple[Commands, ...]:
    """Let TCP ports in, by the firewall that runs there; by the family's usual ones where it is not known."""
    known = side.probe.firewall if side.probe is not None else ""
    if known in _FIREWALLS:
        family = side.probe.family if side.probe is not None else ""
        return (Commands(side.name, family, _allow(known, first, last)),)
    lines = {
        family: [line for name in names for line in _allow(name, first, last)]
        for family, names in _USUAL.items()
    }
    return by_family(side, lines)


def _allow(firewall: str, first: int, last: int) -> tuple[str, ...]:
    both = (str(first),) if first == last else (str(first), str(last))
    words = {"range": "-".join(both), "colons": ":".join(both)}
    return tuple(line.format(**words) for line in _FIREWALLS[firewall])


def add_to_hosts(side: HostSide, name: str, peer: HostSide) -> tuple[Commands, ...]:
    """The peer's name in /etc/hosts, with its own address where that is known."""
    address = peer.migration_address if _is_ip(peer.migration_address) else _first_address(peer)
    line = quoted(f"{address or 'ADDRESS'} {name}")
    return anywhere(side, f"echo {line} >> /etc/hosts", f"getent ahosts {quoted(name)}")


def log_in_as_root(side: HostSide, address: ConnectionAddress, peer_address: str) -> tuple[Commands, ...]:
    """Root's key on the source, known to the destination: what libvirtd uses in a peer-to-peer move over SSH."""
    target = f"{address.user or 'root'}@{address.host}"
    port = f" -p {address.port}" if address.port else ""
    return anywhere(
        side,
        "test -f /root/.ssh/id_ed25519 || ssh-keygen -t ed25519 -N '' -f /root/.ssh/id_ed25519",
        f"ssh-copy-id{port} {quoted(target)}",
        f"virsh -c {quoted(peer_address)} uri",
    )


def know_host_key(side: HostSide, address: ConnectionAddress, peer_address: str) -> tuple[Commands, ...]:
    """By hand: look at the key, compare it, accept it."""
    target = f"{address.user or 'root'}@{address.host}"
    port = f" -p {address.port}" if address.port else ""
    return anywhere(
        side,
        f"ssh{port} {quoted(target)} true   # compare the fingerprint, then say yes",
        f"virsh -c {quoted(peer_address)} uri",
    )


def listen_for_libvirt(side: HostSide, transport: str) -> tuple[Commands, ...]:
    """Remote access to libvirt by the transport that others use: the sockets of libvirtd, or of virtproxyd."""
    if transport in {"tcp", "tls"}:
        one = f"systemctl enable --now libvirtd-{transport}.socket"
        modular = f"systemctl enable --now virtproxyd-{transport}.socket   # with the modular daemons"
        stop = "systemctl stop libvirtd.service   # its sockets start it again; guests go on running"
        return anywhere(side, stop, one, modular)
    return by_family(side, {family: (f"systemctl enable --now {unit}",) for family, unit in _SSH.items()})


def copy_network(source: HostSide, destination: HostSide, network: str) -> tuple[Commands, ...]:
    name = quoted(network)
    return (
        *anywhere(
            source, f"virsh net-dumpxml --inactive {name} > network.xml   # take it to {destination.name}"
        ),
        *anywhere(
            destination,
            "virsh net-define network.xml",
            f"virsh net-start {name}",
            f"virsh net-autostart {name}",
        ),
    )


def copy_filter(source: HostSide, destination: HostSide, name: str) -> tuple[Commands, ...]:
    line = f"virsh nwfilter-dumpxml {quoted(name)} > filter.xml   # take it to {destination.name}"
    return (*anywhere(source, line), *anywhere(destination, "virsh nwfilter-define filter.xml"))


def quoted(text: str) -> str:
    """Text from a description or an address as one word of a shell; a placeholder for what cannot be shown."""
    return shlex.quote(text) if text.isprintable() else "NAME"


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _first_address(side: HostSide) -> str:
    addresses = side.probe.addresses if side.probe is not None else ()
    return next((text.partition("/")[0] for text in addresses if "." in text), "")
