"""The wires of a lab.

The bridge stands in the storage node's network namespace, not in the root one: a Docker engine loads
br_netfilter and sets FORWARD to DROP in the root namespace, which silences a bridge there. The console (root
namespace) hangs on that bridge by one veth pair, so its own firewall sees only traffic to and from itself.

    root: vmlab<n> .254 ── console ┐
    storage: .253 ─────────── bridge0 ── port1 ── uplink ─ br0 .1 (mercury, its guests)
                                   └──── port2 ── uplink ─ br0 .2 (jupiter, its guests)

Every bridge has a hardware address of its own. Left alone, it takes the lowest of its ports': where the uplink's
random one lies above a guest's tap (fe:54:…), that is the tap's, and during a move both hosts have that tap, so
that they no longer hear each other.
"""

from __future__ import annotations

from .layout import CONSOLE_OCTET, STORAGE_OCTET, Instance
from .node import Node
from .system import run

BRIDGE = "bridge0"
GUEST_BRIDGE = "br0"
UPLINK = "uplink"


def connect_console(instance: Instance, storage: Node) -> None:
    """Make the bridge and hang the root namespace on it."""
    _batch(
        storage,
        f"""
        link add {BRIDGE} address {_hardware_address(instance, STORAGE_OCTET)} type bridge
        link set {BRIDGE} up
        address add {instance.address(STORAGE_OCTET)}/24 dev {BRIDGE}
    """,
    )
    link = instance.console_link
    run(
        ["ip", "link", "add", link, "type", "veth", "peer", "name", "console", "netns", str(storage.init_pid)]
    )
    run(["ip", "address", "add", f"{instance.address(CONSOLE_OCTET)}/24", "dev", link])
    run(["ip", "link", "set", link, "up"])
    _batch(storage, f"link set console master {BRIDGE} up")


def connect_host(instance: Instance, storage: Node, host: Node, position: int) -> None:
    """Give a host its uplink to the bridge and, on it, br0 with the host's address (position from 1)."""
    port = port_name(position)
    # The host's process number is that of the root PID namespace: enter the storage node's network only.
    run(["nsenter", "--target", str(storage.init_pid), "--net", "ip", "link", "add", port, "type", "veth",
         "peer", "name", UPLINK, "netns", str(host.init_pid)])  # fmt: skip
    _batch(storage, f"link set {port} master {BRIDGE} up")
    _batch(
        host,
        f"""
        link add {GUEST_BRIDGE} address {_hardware_address(instance, position)} type bridge
        link set {UPLINK} master {GUEST_BRIDGE} up
        address add {instance.address(position)}/24 dev {GUEST_BRIDGE}
        link set {GUEST_BRIDGE} up
    """,
    )


def port_name(position: int) -> str:
    """The host's port on the lab's bridge."""
    return f"port{position}"


def disconnect_console(instance: Instance) -> None:
    """Remove the root namespace's link, if it is still there."""
    run(["ip", "link", "delete", instance.console_link], check=False)


def _hardware_address(instance: Instance, octet: int) -> str:
    """Of a bridge with this IP address; "02" says that it is nobody's make."""
    return f"02:99:00:00:{instance.subnet:02x}:{octet:02x}"


def _batch(node: Node, commands: str) -> None:
    node.run(
        ["ip", "-batch", "-"], input="\n".join(line.strip() for line in commands.strip().splitlines()) + "\n"
    )
