"""Faults on a host's link: partition, delay, loss, rate, firewall."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from .network import UPLINK, port_name
from .node import Node
from .system import LabError

if TYPE_CHECKING:
    from .host import LabHost

PORTS_TABLE, PEERS_TABLE, LOSS_TABLE = "inet lab_ports", "inet lab_peers", "netdev lab_loss"
BURST_BYTES = 262144  # several of the 64 KiB packets that veth pairs carry


def set_link(host: LabHost, *, up: bool) -> None:
    host.run(["ip", "link", "set", UPLINK, "up" if up else "down"])


def netem(host: LabHost, *, delay_ms: int, loss_percent: float, rate_mbit: float | None) -> None:
    """Delay (milliseconds), loss (percent) and rate (Mbit/s), each for what the host sends and for what it is sent.

    Uses the kernel's sch_netem. Where the kernel has none, rate (tbf) and loss (nftables) still work and a delay
    is a LabError.
    """
    clear_netem(host)
    for node, device in _link_ends(host):
        if not _try_netem(node, device, delay_ms, loss_percent, rate_mbit):
            clear_netem(host)
            _make_worse_without_netem(host, delay_ms, loss_percent, rate_mbit)
            return


def clear_netem(host: LabHost) -> None:
    for node, device in _link_ends(host):
        node.run(["tc", "qdisc", "delete", "dev", device, "root"], check=False)
        _drop_table(node, _device_table(device))


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


def _make_worse_without_netem(host: LabHost, delay_ms: int, loss_percent: float, rate_mbit: float | None) -> None:
    if delay_ms:
        raise LabError("this kernel has no sch_netem, so the lab can make no delay (loss and rate it can)")
    for node, device in _link_ends(host):
        if rate_mbit is not None:
            shaper = ["tbf", "rate", f"{rate_mbit}mbit", "burst", f"{BURST_BYTES}", "latency", "50ms"]
            node.run(["tc", "qdisc", "add", "dev", device, "root", *shaper])
        if loss_percent:
            table = _device_table(device)
            hook = f"type filter hook ingress device {device} priority 0"
            rule = f"numgen random mod 10000 < {round(loss_percent * 100)} drop"
            _nft(node, f"add table {table}\nadd chain {table} loss {{ {hook}; }}\nadd rule {table} loss {rule}")


def _device_table(device: str) -> str:
    return f"{LOSS_TABLE}_{device}"


def _add_rule(node: Node, table: str, hook: str, rule: str) -> None:
    chain = f"type filter hook {hook} priority -10"
    _nft(node, f"add table {table}\nadd chain {table} {hook} {{ {chain}; }}\nadd rule {table} {hook} {rule}")


def _drop_table(node: Node, table: str) -> None:
    node.run(["nft", "delete", "table", *table.split()], check=False)


def _nft(node: Node, rules: str) -> None:
    node.run(["nft", "-f", "-"], input=rules + "\n")
