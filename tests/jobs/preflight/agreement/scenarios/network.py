"""Bridges, networks and addresses."""

from __future__ import annotations

from typing import Any

from tests.jobs.preflight.agreement.bench import ON_BRIDGE_BR0, Bench
from tests.jobs.preflight.agreement.guests import GuestForm, nic
from tests.jobs.preflight.agreement.scenario import scenario

GROUP = "Networks"
MAC = "52:54:00:ab:00:77"


def _bridge(bench: Bench, host: str, name: str) -> None:
    lab_host = bench.lab.hosts[host]
    bench.run(lab_host, "ip", "link", "add", name, "type", "bridge", undo=("ip", "link", "delete", name))
    bench.run(lab_host, "ip", "link", "set", name, "up")


@scenario(GROUP, "the bridge is missing there", "network.guest-nics")
def missing_bridge(bench: Bench) -> None:
    _bridge(bench, bench.source, "br7")
    bench.guest(nic("bridge", "br7"))


@scenario(
    GROUP,
    "the same for a shut-off guest",
    "network.guest-nics",
)
def missing_bridge_offline(bench: Bench) -> dict[str, Any]:
    _bridge(bench, bench.source, "br7")
    bench.guest(nic("bridge", "br7"), state="shut off")
    return {"kind": "offline"}


@scenario(GROUP, "the network is missing there", "network.guest-nics")
def missing_network(bench: Bench) -> None:
    bench.network(bench.source, "office")
    bench.guest(nic("network", "office"))


@scenario(GROUP, "the network is not active there", "network.guest-nics")
def inactive_network(bench: Bench) -> None:
    bench.network(bench.source, "office")
    bench.network(bench.destination, "office", active=False)
    bench.guest(nic("network", "office"))


@scenario(GROUP, "an isolated network, one on a bridge, and one with a portgroup, the same on both hosts")
def networks_on_both_hosts(bench: Bench) -> None:
    for host in (bench.source, bench.destination):
        bench.network(host, "inside")
        bench.network(host, "office", inside=ON_BRIDGE_BR0)
        bench.network(host, "floors", inside=ON_BRIDGE_BR0 + "<portgroup name='sales'/>")
    bench.guest(
        nic("network", "inside", mac="52:54:00:ab:00:01")
        + nic("network", "office", mac="52:54:00:ab:00:02")
        + nic("network", "floors", mac="52:54:00:ab:00:03", portgroup="sales")
    )


@scenario(GROUP, "a network of this name there is of another kind", "network.same-lan")
def network_of_another_kind(bench: Bench) -> None:
    bench.network(bench.source, "office")
    bench.network(bench.destination, "office", inside=ON_BRIDGE_BR0)
    bench.guest(nic("network", "office"))


@scenario(
    GROUP,
    "the network there has no such portgroup",
    "network.guest-nics",
    on_purpose="libvirt goes on without a word; the guest loses the portgroup's VLAN and comes out in another LAN",
)
def missing_portgroup(bench: Bench) -> None:
    inside = ON_BRIDGE_BR0
    bench.network(bench.source, "office", inside=inside + "<portgroup name='sales'/>")
    bench.network(bench.destination, "office", inside=inside)
    bench.guest("<interface type='network'><source network='office' portgroup='sales'/><model type='virtio'/>"
                "<rom enabled='no'/></interface>")  # fmt: skip


@scenario(GROUP, "macvtap on an interface that is missing there", "network.guest-nics")
def missing_macvtap_parent(bench: Bench) -> None:
    bench.run(
        bench.here,
        "ip",
        "link",
        "add",
        "lan7",
        "type",
        "veth",
        "peer",
        "name",
        "lan8",
        undo=("ip", "link", "delete", "lan7"),
    )
    bench.run(bench.here, "ip", "link", "set", "lan7", "up")
    bench.guest(nic("direct", "<source dev='lan7' mode='bridge'/>"))


@scenario(GROUP, "a network filter that is missing there", "network.guest-nics")
def missing_filter(bench: Bench) -> None:
    made = bench.virt(bench.source).nwfilterDefineXML("<filter name='sales' chain='root'/>")
    bench.undo.callback(made.undefine)
    bench.guest(nic("bridge", "br0", more="<filterref filter='sales'/>"))


@scenario(GROUP, "a running guest there has the same MAC address", "network.mac-clash")
def same_mac(bench: Bench) -> None:
    bench.guest(nic("bridge", "br0", mac=MAC))
    bench.other_guest(
        bench.destination, "cousin", state="running", form=GuestForm(nic("bridge", "br0", mac=MAC))
    )
