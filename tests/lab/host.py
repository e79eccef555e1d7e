"""One libvirt host of the lab, and what can be done to it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Literal
from urllib.parse import urlencode

from . import credentials, faults, host_files, identity, ping
from .layout import NODE_PATHS, HostRecord, Instance
from .node import Node
from .storage import storage_node
from .system import LabError, wait_until

POOLS = ("VM", "local")
Transport = Literal["tcp", "ssh", "libssh2", "libssh", "tls"]
LIBVIRTD = ["nice", "-n", "10", "libvirtd", "--daemon", "--listen", "--pid-file", "/run/libvirtd.pid"]
VIRTLOGD = ["nice", "-n", "10", "virtlogd", "--daemon", "--pid-file", "/run/virtlogd.pid"]
SSHD = ["/usr/sbin/sshd", "-f", "/etc/ssh/sshd_config"]


class LabHost:
    """A host by name, address and UUID. Guests are niced by 10, so that a busy lab leaves the pages quick."""

    def __init__(self, instance: Instance, position: int) -> None:
        self._instance = instance
        self.record: HostRecord = instance.hosts[position - 1]
        self.position = position
        self.node = Node(self.name, instance.folder / "nodes" / self.name, NODE_PATHS)
        self.storage_node = storage_node(instance)  # holds the other end of this host's link

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def address(self) -> str:
        return self.record.address

    @property
    def uuid(self) -> str:
        return self.record.uuid

    @property
    def root(self) -> Path:
        """The folder that holds the host's own /etc, /run, /root, /var/log and /var/lib/libvirt."""
        return self.node.files

    # Reaching it

    def uri(self, transport: Transport = "tcp") -> str:
        """The libvirt URI by which the root namespace reaches this host, keys included."""
        keys = credentials.read(self._instance)
        key = {"keyfile": str(keys.ssh_private_key_path)}
        verified = {
            "known_hosts": str(keys.known_hosts_path),
            "known_hosts_verify": "normal",
            "sshauth": "privkey",
        }
        scheme, parameters = {
            "tcp": (f"qemu+tcp://{self.address}", {}),
            "tls": (f"qemu+tls://{self.address}", {"pkipath": str(keys.tls_dir)}),
            "ssh": (
                f"qemu+ssh://root@{self.address}",
                key | {"command": str(keys.ssh_command_path), "no_tty": "1"},
            ),
            "libssh2": (f"qemu+libssh2://root@{self.address}", key | verified),
            "libssh": (f"qemu+libssh://root@{self.address}", key | verified),
        }[transport]
        return f"{scheme}/system" + (f"?{urlencode(parameters, safe='/')}" if parameters else "")

    def peer_uri(self, transport: Literal["tcp", "ssh", "tls"] = "tcp") -> str:
        """The libvirt URI by which the other hosts reach this one (peer-to-peer moves)."""
        return f"qemu+{transport}://{'root@' if transport == 'ssh' else ''}{self.name}/system"

    def run(
        self,
        command: Sequence[str | Path],
        check: bool = True,
        input: str | None = None,  # noqa: A002 - the word of subprocess.run
        timeout: float = 30,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on the host (timeout in seconds)."""
        return self.node.run(command, check=check, input=input, timeout=timeout)

    def virsh(self, *words: str, check: bool = True, timeout: float = 30) -> str:
        """What virsh says on the host; works while links, sshd and listeners are down."""
        return self.run(["virsh", "--quiet", *words], check=check, timeout=timeout).stdout

    def path(self, inside: str | Path) -> Path:
        """Where the root namespace finds a file of this host."""
        return self.node.path(inside)

    # Its life

    def start(self) -> None:
        """Start the daemons of a host whose node runs and is wired."""
        self.run(VIRTLOGD)
        self.start_sshd()
        self.start_libvirtd()

    def define_missing_pools(self) -> None:
        """Define and start the shared pool (which mounts it: the storage must be ready) and the local one."""
        defined = self.virsh("pool-list", "--all", "--name").split()
        active = self.virsh("pool-list", "--name").split()
        for pool in POOLS:
            if pool not in defined:
                self.virsh("pool-define", f"/etc/lab/pool-{pool}.xml")
            if pool not in active:
                self.virsh(f"pool-build {pool}; pool-start {pool}; pool-autostart {pool}", timeout=60)

    def repair(self) -> None:
        """Start what ended: daemons and pools."""
        if self._daemon_pid("virtlogd") is None:
            self.run(VIRTLOGD)
        self.restore()
        self.define_missing_pools()

    def problems(self) -> list[str]:
        """What is wrong with this host, in sentences; empty when it is healthy."""
        if self.node.init is None:
            return ["is down"]
        # Asked inside: each connection from outside that says nothing is an error in libvirtd's log.
        ports = {"ssh": host_files.SSH_PORT, "tcp": host_files.TCP_PORT, "tls": host_files.TLS_PORT}
        found = [
            f"has no listener on its {name} port {port}"
            for name, port in ports.items()
            if not self._listens_inside(port)
        ]
        if not ping.answers(self.address, 1):
            found.append("does not answer pings")
        if not found:
            asked = self.run(["timeout", "10", "virsh", "--quiet", "pool-list", "--name"], check=False)
            if asked.returncode != 0:
                return ["has a libvirtd that does not answer"]
            found = [f"pool {pool} is not active" for pool in POOLS if pool not in asked.stdout.split()]
        return found

    # Its daemons

    def libvirtd_pid(self) -> int | None:
        """The number of libvirtd inside the host, or None when it does not run."""
        return self._daemon_pid("libvirtd")

    def kill_libvirtd(self) -> None:
        """SIGKILL, as a crash would; guests go on running."""
        self._end_daemon("libvirtd", "KILL")

    def terminate_libvirtd(self) -> None:
        """SIGTERM, as `systemctl stop` would."""
        self._end_daemon("libvirtd", "TERM")

    def pause_libvirtd(self) -> None:
        """SIGSTOP: connections stay open and nothing answers any more."""
        self._signal("libvirtd", "STOP")

    def resume_libvirtd(self) -> None:
        self._signal("libvirtd", "CONT")

    def start_libvirtd(self) -> None:
        """Start libvirtd unless it runs; returns when it listens."""
        if self.libvirtd_pid() is None:
            self.run(LIBVIRTD)
        wait_until(lambda: self._listens_inside(host_files.TLS_PORT), f"libvirtd of {self.name}", 20)

    def restart_libvirtd(self, *, sasl: bool = False) -> None:
        """Restart libvirtd; with sasl its TCP listener wants the lab's user and password from now on."""
        host_files.write_libvirtd_conf(self.record, self.root, sasl=sasl)
        self.resume_libvirtd()
        self.terminate_libvirtd()
        self.start_libvirtd()

    def kill_sshd(self) -> None:
        """End the SSH listener and every SSH session."""
        self.run(
            ["pkill", "-KILL", "-x", "sshd"], check=False
        )  # the host's own PID namespace: it sees no other sshd
        wait_until(lambda: self._daemon_pid("sshd") is None, f"the end of sshd of {self.name}", 5)

    def start_sshd(self) -> None:
        if self._daemon_pid("sshd") is None:
            self.run(SSHD)
        wait_until(lambda: self._listens_inside(host_files.SSH_PORT), f"sshd of {self.name}", 10)

    def replace_host_key(self) -> None:
        """Give the host another SSH identity, as a reinstalled or a false host would have."""
        new_key = self.root / "etc/ssh/replaced"
        for path in (new_key, new_key.with_suffix(".pub")):
            path.unlink(missing_ok=True)
        credentials.make_ssh_key(new_key, self.name)
        self._use_host_key(new_key)

    def restore_host_key(self) -> None:
        """Return to the identity that known_hosts names."""
        self._use_host_key(credentials.host_key(self._instance, self.name))

    # Its links

    def link_down(self) -> None:
        """Pull the plug: management, moves, guests and shared storage at once."""
        faults.set_link(self, up=False)

    def link_up(self) -> None:
        faults.set_link(self, up=True)

    def netem(self, delay_ms: int = 0, loss_percent: float = 0, rate_mbit: float | None = None) -> None:
        """Make the host's link worse, each direction by so much: one-way delay, loss, rate (faults.netem)."""
        faults.netem(self, delay_ms=delay_ms, loss_percent=loss_percent, rate_mbit=rate_mbit)

    def clear_netem(self) -> None:
        faults.clear_netem(self)

    def block_ports(self, first: int, last: int, how: Literal["drop", "reject"] = "drop") -> None:
        """A firewall on the host against new and old connections to its TCP ports first to last."""
        faults.block_ports(self, first, last, how)

    def unblock_ports(self) -> None:
        faults.unblock_ports(self)

    def block_peer(self, other: LabHost) -> None:
        """Cut only the two hosts from each other; console and shared storage stay reachable for both."""
        faults.block_peer(self, other)

    # What it says of itself

    def skew_clock(self, seconds: float) -> None:
        """The host's date is ahead by so much (behind when negative)."""
        identity.skew_clock(self, seconds)

    def set_group_id(self, group: str, number: int) -> None:
        identity.set_group_id(self, group, number)

    def set_qemu_user(self, user: str, number: int) -> None:
        """New guests run as this user, who gets this number."""
        identity.set_qemu_user(self, user, number)

    def forget_peers(self) -> None:
        """Root here knows no other host's SSH key."""
        identity.forget_peers(self)

    def refuse_root(self) -> None:
        """Nobody may log in here as root over SSH."""
        identity.refuse_root(self)

    def restore(self) -> None:
        """Undo every fault: daemons run, links are whole, the SSH identity is the first, no password."""
        faults.restore_links(self)
        self.resume_libvirtd()
        identity.restore(self)
        if 'auth_tcp = "sasl"' in (self.root / "etc/libvirt/libvirtd.conf").read_text():
            self.restart_libvirtd()
        if (self.root / "etc/ssh/replaced").exists():
            self.restore_host_key()
        self.start_libvirtd()
        self.start_sshd()

    def _use_host_key(self, key: Path) -> None:
        credentials.install_host_key(key, self.root)
        if key != self.root / "etc/ssh/replaced":
            (self.root / "etc/ssh/replaced").unlink(missing_ok=True)
        self.kill_sshd()
        self.start_sshd()

    def _listens_inside(self, port: int) -> bool:
        # Not from outside: a daemon must be startable while the link is down.
        listening = self.run(["ss", "-Hltn", f"sport = :{port}"]).stdout
        return bool(listening.strip())

    def _daemon_pid(self, name: str) -> int | None:
        try:
            pid = int(self.path(f"/run/{name}.pid").read_text())
        except (FileNotFoundError, ValueError):
            return None
        return pid if self._runs(pid, name) else None

    def _runs(self, pid: int, name: str) -> bool:
        try:
            stat = Path(f"/proc/{self.node.init_pid}/root/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return False
        return f"({name})" in stat and stat.rpartition(")")[2].split()[0] not in "ZX"

    def _signal(self, name: str, signal_name: str) -> None:
        pid = self._daemon_pid(name)
        if pid is not None:
            self.run(["kill", f"-{signal_name}", str(pid)], check=False)

    def _end_daemon(self, name: str, signal_name: str) -> None:
        pid = self._daemon_pid(name)
        if pid is None:
            return
        self.run(["kill", f"-{signal_name}", str(pid)], check=False)
        wait_until(lambda: not self._runs(pid, name), f"the end of {name} of {self.name}", 20)


def host_by_name(hosts: dict[str, LabHost], name: str) -> LabHost:
    try:
        return hosts[name]
    except KeyError:
        raise LabError(f"this lab has no host {name!r}, only {', '.join(hosts)}") from None
