"""Faults on a host's link: partition, delay, loss, rate, firewall."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .network import BRIDGE, UPLINK, port_name
from .node import Node
from .system import run_in_background, wait_until

if TYPE_CHECKING:
    from .host import LabHost

PORTS_TABLE, PEERS_TABLE, LOSS_TABLE = "inet lab_ports", "inet lab_peers", "netdev lab_loss"
DELAY_RELAY = Path(__file__).with_name("delay_relay.py")
BURST_BYTES = 262144  # several of the 64 KiB packets that veth pairs carry


def set_link(host: LabHost, *, up: bool) -> None:
    host.run(["ip", "link", "set", UPLINK, "up" if up else "down"])


def netem(host: LabHost, *, delay_ms: int, loss_percent: float, rate_mbit: float | None) -> None:
    """Delay (milliseconds), loss (percent), rate (Mbit/s), each for what the host sends and what it is sent.

    Uses the kernel's sch_netem; where there is none, tbf for rate, nftables for loss, delay_relay.py.
    """
    clear_netem(host)
    for node, device in _link_ends(host):
        if not _try_netem(node, device, delay_ms, loss_percent, rate_mbit):
            clear_netem(host)
            _make_worse_without_netem(host, delay_ms, loss_percent, rate_mbit)
            return


def clear_netem(host: LabHost) -> None:
    _stop_delay(host)
    for node, device in _link_ends(host):
        node.run(["tc", "qdisc", "delete", "dev", device, "root"], check=False)
        _drop_table(node, _loss_table(device))


def block_ports(host: LabHost, first: int, last: int, how: Literal["drop", "reject"]) -> None:
    """Add TCP ports first to last to what the host's firewall drops or rejects (with a TCP reset)."""
    verdict = "drop" if how == "drop" else "reject with tcp reset"
    _add_rule(host.node, PORTS_TABLE, "input", f"tcp dport {first}-{last} {verdict}")


def unblock_ports(host: LabHost) -> None:
    _drop_table(host.node, PORTS_TABLE)


def block_peer(host: LabHost, other: LabHost) -> None:
    """Drop everything between two hosts, by rules on the first."""
    _add_rule(host.node, PEERS_TABLE, "input", f"ip saddr {other.address} drop")
    _add_rule(host.node, PEERS_TABLE, "output", f"ip daddr {other.address} drop")


def restore_links(host: LabHost) -> None:
    """Undo everything above, in one call per end of the link."""
    undo = f"ip link set {UPLINK} up; nft flush ruleset; tc qdisc delete dev {UPLINK} root 2>/dev/null"
    host.run(["sh", "-c", undo], check=False)
    _stop_delay(host)
    port = port_name(host.position)
    undo = f"nft delete table {LOSS_TABLE}_{port} 2>/dev/null; tc qdisc delete dev {port} root 2>/dev/null"
    host.storage_node.run(["sh", "-c", undo], check=False)


def _link_ends(host: LabHost) -> Iterator[tuple[Node, str]]:
    yield host.node, UPLINK
    yield host.storage_node, port_name(host.position)


def _try_netem(node: Node, device: str, delay_ms: int, loss_percent: float, rate_mbit: float | None) -> bool:
    rate = ["rate", f"{rate_mbit}mbit"] if rate_mbit is not None else []
    words = ["delay", f"{delay_ms}ms", "loss", f"{loss_percent}%", *rate, "limit", "100000"]
    done = node.run(["tc", "qdisc", "add", "dev", device, "root", "netem", *words], check=False)
    return done.returncode == 0


def _make_worse_without_netem(
    host: LabHost, delay_ms: int, loss_percent: float, rate_mbit: float | None
) -> None:
    ends = list(_link_ends(host))
    if delay_ms:
        _start_delay(host, delay_ms)
        # The relay takes packets at the port before a filter there could lose them.
        ends[1] = (host.storage_node, _delay_tap(host))
    for (node, device), (_, link_end) in zip(ends, _link_ends(host), strict=True):
        if rate_mbit is not None:
            shaper = ["tbf", "rate", f"{rate_mbit}mbit", "burst", f"{BURST_BYTES}", "latency", "50ms"]
            node.run(["tc", "qdisc", "add", "dev", device, "root", *shaper])
        if loss_percent:
            table = _loss_table(link_end)
            hook = f"type filter hook ingress device {device} priority 0"
            rule = f"numgen random mod 10000 < {round(loss_percent * 100)} drop"
            _nft(
                node, f"add table {table}\nadd chain {table} loss {{ {hook}; }}\nadd rule {table} loss {rule}"
            )


def _start_delay(host: LabHost, delay_ms: int) -> None:
    """Put delay_relay.py between the host's port and the bridge."""
    node, port = host.storage_node, port_name(host.position)
    tap = _delay_tap(host)
    # With the machine's own files, not the node's: the interpreter may lie below /root.
    enter = ["nsenter", "--target", str(node.init_pid), "--net", "--pid"]
    run_in_background([*enter, sys.executable, str(DELAY_RELAY), port, tap, str(delay_ms)])
    wait_until(lambda: node.run(["ip", "link", "show", tap], check=False).returncode == 0, f"device {tap}", 5)
    node.run(["ip", "link", "set", port, "nomaster"])
    node.run(["ip", "link", "set", port, "promisc", "on"])
    node.run(["ip", "link", "set", tap, "master", BRIDGE, "up"])


def _stop_delay(host: LabHost) -> None:
    node, port = host.storage_node, port_name(host.position)
    relay = f"delay_relay.py {port} "
    node.run(["pkill", "-KILL", "-f", "--", relay], check=False)  # in the node's own PID namespace
    node.run(["ip", "link", "set", port, "promisc", "off", "master", BRIDGE])


def _delay_tap(host: LabHost) -> str:
    return f"delay{host.position}"


def _loss_table(link_end: str) -> str:
    return f"{LOSS_TABLE}_{link_end}"


def _add_rule(node: Node, table: str, hook: str, rule: str) -> None:
    chain = f"type filter hook {hook} priority -10"
    _nft(node, f"add table {table}\nadd chain {table} {hook} {{ {chain}; }}\nadd rule {table} {hook} {rule}")


def _drop_table(node: Node, table: str) -> None:
    node.run(["nft", "delete", "table", *table.split()], check=False)


def _nft(node: Node, rules: str) -> None:
    node.run(["nft", "-f", "-"], input=rules + "\n")
