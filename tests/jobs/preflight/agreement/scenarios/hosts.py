"""Ways between the hosts, and what the hosts themselves are."""

from __future__ import annotations

from typing import Any

from tests.jobs.preflight.agreement.bench import NAME, SHARED, Bench
from tests.jobs.preflight.agreement.guests import disk
from tests.jobs.preflight.agreement.scenario import scenario

GROUP = "Hosts and the ways between them"
FIRST, LAST = 49152, 49215


def _short_patience(bench: Bench) -> None:
    """Connections of the source give up after 3 s instead of 130 s: the same end, sooner."""
    setting = "/proc/sys/net/ipv4/tcp_syn_retries"
    before = bench.here.run(["cat", setting]).stdout.strip()
    bench.run(bench.here, "sh", "-c", f"echo 1 > {setting}", undo=("sh", "-c", f"echo {before} > {setting}"))


@scenario(GROUP, "the firewall there drops the migration ports", "network.migration-ports")
def ports_dropped(bench: Bench) -> None:
    bench.guest()
    _short_patience(bench)
    bench.there.block_ports(FIRST, LAST, how="drop")
    bench.undo.callback(bench.there.unblock_ports)


@scenario(GROUP, "the firewall there resets connections to the migration ports", "network.migration-ports")
def ports_reset(bench: Bench) -> None:
    bench.guest()
    bench.there.block_ports(FIRST, LAST, how="reject")
    bench.undo.callback(bench.there.unblock_ports)


@scenario(
    GROUP, "the firewall there rejects the migration ports as firewalld does", "network.migration-ports"
)
def ports_rejected(bench: Bench) -> None:
    bench.guest()
    rules = (
        "add table inet agreement; add chain inet agreement input { type filter hook input priority -5; }; "
        f"add rule inet agreement input tcp dport {FIRST}-{LAST} reject with icmpx type admin-prohibited"
    )
    bench.run(bench.there, "nft", rules, undo=("nft", "delete table inet agreement"))


@scenario(GROUP, "the source's libvirt cannot log in to the destination", "libvirt.reachable")
def login_refused(bench: Bench) -> None:
    bench.guest()
    bench.set_host(bench.destination, peer_address=bench.there.peer_uri("ssh"))
    key = "/root/.ssh/id_ed25519"
    bench.run(bench.here, "mv", key, f"{key}.away", undo=("mv", f"{key}.away", key))


@scenario(GROUP, "the source cannot resolve the name the destination gives itself", "libvirt.name-resolution")
def name_not_resolvable(bench: Bench) -> None:
    bench.guest()
    bench.set_host(bench.destination, migration_address="")
    bench.edit_file(bench.here, "/etc/hosts", lambda text: text.replace(bench.destination, "elsewhere"))


@scenario(GROUP, "the source's libvirt logs in by SSH and resolves the name the destination gives itself")
def login_and_name(bench: Bench) -> None:
    bench.guest()
    bench.set_host(bench.destination, peer_address=bench.there.peer_uri("ssh"), migration_address="")


@scenario(GROUP, "both hosts have the same UUID", "host.same")
def same_host_uuid(bench: Bench) -> None:
    here, there = bench.here.uuid, bench.there.uuid
    bench.guest()
    bench.undo.callback(bench.restart_libvirtd, bench.there)
    bench.edit_file(bench.there, "/etc/libvirt/libvirtd.conf", lambda text: text.replace(there, here))
    bench.restart_libvirtd(bench.there)


@scenario(
    GROUP,
    "QEMU runs under another user there, the disk on shared storage",
    "ids.qemu-user",
    on_purpose="this storage lets root change owners; NFS with root_squash does not: there the guest loses its disk",
)
def another_qemu_user(bench: Bench) -> None:
    bench.guest(disk(bench.image(f"{SHARED}/{NAME}.img")))
    bench.undo.callback(bench.restart_libvirtd, bench.there)
    bench.edit_file(
        bench.there, "/etc/libvirt/qemu.conf", lambda text: text.replace('user = "root"', 'user = "+64055"')
    )
    bench.restart_libvirtd(bench.there)


@scenario(
    GROUP,
    "the destination's clock is 30 s ahead",
    "time.host",
    on_purpose="libvirt never asks for the time; the guest's clock would jump, and certificates may seem invalid",
)
def skewed_clock(bench: Bench) -> None:
    """One kernel has one clock: what the host's own `date` tells stands for it."""
    bench.guest()
    truth, program = "/run/true-date", "/run/other-date"
    bench.run(bench.there, "cp", "/bin/date", truth)
    bench.forget_file(bench.there, truth)
    bench.at(bench.there, program).write_text(f'#!/bin/sh\nexec {truth} -d "now + 30 seconds" "$@"\n')
    bench.at(bench.there, program).chmod(0o755)
    bench.forget_file(bench.there, program)
    bench.shadow(bench.there, "/bin/date", program)


@scenario(GROUP, "an encrypted move (TLS), no certificate for QEMU there", "kind.tls-certificates")
def tls_without_certificate(bench: Bench) -> dict[str, Any]:
    bench.guest()
    folder = "/etc/pki/qemu"
    bench.run(bench.there, "mv", folder, f"{folder}.away", undo=("mv", f"{folder}.away", folder))
    return {"tls": True, "tls_destination": bench.destination}


@scenario(GROUP, "an encrypted move (TLS) with certificates on both hosts, and post-copy allowed")
def tls_and_postcopy(bench: Bench) -> dict[str, Any]:
    bench.guest()
    return {"tls": True, "tls_destination": bench.destination, "postcopy": True}


@scenario(GROUP, "hosts in different subnets", "network.subnet")
def another_subnet(bench: Bench) -> None:
    """The address stays; only how far its network is said to reach changes."""
    bench.guest()
    address, network = bench.there.address, bench.there.address.rpartition(".")[0] + ".0/24"
    wide, narrow = f"{address}/24", f"{address}/32"
    change = f"ip addr del {wide} dev br0; ip addr add {narrow} dev br0; ip route add {network} dev br0"
    back = f"ip route del {network} dev br0; ip addr del {narrow} dev br0; ip addr add {wide} dev br0"
    bench.run(bench.there, "sh", "-c", change, undo=("sh", "-c", back))


@scenario(GROUP, "a move over RDMA of a guest without a memory limit", "kind.rdma")
def rdma_without_limit(bench: Bench) -> dict[str, Any]:
    bench.guest()
    return {"migrate_uri": f"rdma://{bench.there.address}"}
