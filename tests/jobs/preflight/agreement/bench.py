"""What scenarios do to the two hosts, and the way back: everything made here is undone in reverse order."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import libvirt

from tests.jobs.preflight.agreement.guests import GuestForm, render_guest
from tests.lab import Lab
from tests.lab.host import LabHost

SOURCE, DESTINATION = "mercury", "jupiter"
IMAGES = "/var/lib/libvirt/images"
SHARED, LOCAL = f"{IMAGES}/VM", f"{IMAGES}/local"
NAME = "traveller"
MARK_AT, MARK_LENGTH = 4096, 36
UNDEFINE = (
    libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
    | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
)
STATES = {
    libvirt.VIR_DOMAIN_RUNNING: "running",
    libvirt.VIR_DOMAIN_PAUSED: "paused",
    libvirt.VIR_DOMAIN_SHUTOFF: "shut off",
}
ON_BRIDGE_BR0 = "<forward mode='bridge'/><bridge name='br0'/>"
MIB = 1024 * 1024


@dataclass
class Bench:
    """The two hosts of one scenario. `uuid` is the traveller's; `marks`: disk path → what was written to it."""

    lab: Lab
    undo: ExitStack
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))
    marks: dict[str, str] = field(default_factory=dict)
    host_changes: dict[str, dict[str, Any]] = field(default_factory=dict)
    source: str = SOURCE
    destination: str = DESTINATION
    wants_state: str = "running"
    _connections: dict[str, Any] = field(default_factory=dict)

    @property
    def here(self) -> LabHost:
        return self.lab.hosts[self.source]

    @property
    def there(self) -> LabHost:
        return self.lab.hosts[self.destination]

    def virt(self, host: str) -> Any:
        """An open connection to a host; a new one where its daemon was started anew."""
        known = self._connections.get(host)
        if known is None or not known.isAlive():
            known = self._connections[host] = libvirt.open(self.lab.hosts[host].uri("tcp"))
        return known

    def close(self) -> None:
        for known in self._connections.values():
            known.close()

    # Guests

    def guest(
        self, devices: str = "", *, state: str = "running", form: GuestForm | None = None, **more: Any
    ) -> Any:
        """The traveller on the source: "running", "paused", "shut off" or "transient"."""
        self.wants_state = "running" if state == "transient" else state
        made = form or GuestForm(devices=devices, **more)
        return self.other_guest(self.source, NAME, self.uuid, state=state, form=made)

    def other_guest(
        self,
        host: str,
        name: str,
        domain_uuid: str = "",
        *,
        state: str = "shut off",
        form: GuestForm | None = None,
    ) -> Any:
        """Any guest on a host; the traveller's name and UUID are removed everywhere at the end anyway."""
        domain_uuid = domain_uuid or str(uuid.uuid4())
        xml, virt = render_guest(name, domain_uuid, form or GuestForm()), self.virt(host)
        for place in self.lab.hosts:  # it may have moved by then
            self.undo.callback(self.remove_guest, place, domain_uuid)
        if state == "transient":
            return virt.createXML(xml)
        domain = virt.defineXML(xml)
        if state != "shut off":
            domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED if state == "paused" else 0)
        return domain

    def remove_guest(self, host: str, domain_uuid: str) -> None:
        with suppress(libvirt.libvirtError):
            domain = self.virt(host).lookupByUUIDString(domain_uuid)
            with suppress(libvirt.libvirtError):
                domain.destroy()
            with suppress(libvirt.libvirtError):
                domain.undefineFlags(UNDEFINE)

    def find(self, host: str) -> Any:
        try:
            return self.virt(host).lookupByUUIDString(self.uuid)
        except libvirt.libvirtError:
            return None

    def state(self, host: str) -> str:
        """Of the traveller: "running", "paused", "shut off", or "" when the host does not know it."""
        domain = self.find(host)
        try:
            return "" if domain is None else STATES.get(domain.state()[0], "odd")
        except libvirt.libvirtError:
            return ""

    # Files

    def folder(self, path: str, *hosts: str) -> str:
        """A plain folder on hosts (both without names)."""
        for host in self._hosts(hosts):
            at = self.at(host, path)
            at.mkdir(parents=True)
            self.undo.callback(_remove_tree, at)
        return path

    def image(self, path: str, *hosts: str, mib: int = 2, full: bool = False) -> str:
        """A raw disk with a mark by which it is known again. On shared storage one host is enough."""
        for host in self._hosts(hosts or (self.source,)):
            mark = str(uuid.uuid4())
            if host.name == self.source:
                self.marks[path] = mark
            at = self.at(host, path)
            with at.open("wb") as file:
                if full:
                    file.write(b"x" * (mib * MIB))
                file.truncate(mib * MIB)
                file.seek(MARK_AT)
                file.write(mark.encode())
            self.forget_file(host, path)
        return path

    def qcow2(self, path: str, *, mib: int = 2) -> str:
        self.here.run(["qemu-img", "create", "-q", "-f", "qcow2", path, f"{mib}M"])
        self.forget_file(self.here, path)
        return path

    def read_mark(self, host: LabHost, path: str) -> str:
        """What is written where the mark should be; "" without a file."""
        try:
            with self.at(host, path).open("rb") as file:
                file.seek(MARK_AT)
                return file.read(MARK_LENGTH).decode(errors="replace")
        except OSError:
            return ""

    @staticmethod
    def at(host: LabHost, path: str) -> Path:
        """Where this machine finds a file as the host sees it, mounts included."""
        return Path(f"/proc/{host.node.init_pid}/root") / path.lstrip("/")

    def forget_file(self, host: LabHost, path: str) -> None:
        self.undo.callback(lambda: self.at(host, path).unlink(missing_ok=True))

    # Pools and networks

    def pool(self, host: str, name: str, path: str, *, source: str = "", active: bool = True) -> Any:
        """A pool: of a folder, or of a folder of the lab's GlusterFS volume ("VM/sub")."""
        kind, what = ("dir", "") if not source else ("netfs", _gluster_source(source))
        pool = self.virt(host).storagePoolDefineXML(
            f"<pool type='{kind}'><name>{name}</name>{what}<target><path>{path}</path></target></pool>"
        )
        self.undo.callback(pool.undefine)
        pool.build()
        if active:
            pool.create()
            self.undo.callback(_quietly(pool.destroy))
        return pool

    def network(
        self, host: str, name: str, *, active: bool = True, inside: str = "<bridge name='{bridge}'/>"
    ) -> Any:
        """A network; without `inside` an isolated one without addresses, so that no dnsmasq is needed."""
        made = inside.format(bridge=f"v{name}"[:15])
        network = self.virt(host).networkDefineXML(f"<network><name>{name}</name>{made}</network>")
        self.undo.callback(network.undefine)
        if active:
            network.create()
            self.undo.callback(_quietly(network.destroy))
        return network

    # The hosts themselves

    def run(self, host: LabHost, *words: str, undo: tuple[str, ...] = ()) -> str:
        """A command on a host, and the one that undoes it."""
        said = host.run(words).stdout
        if undo:
            self.undo.callback(host.run, undo, check=False)
        return said

    def shadow(self, host: LabHost, path: str, instead: Path | str) -> None:
        """Put another file over one, for this host alone (a bind mount in its mount namespace)."""
        self.run(host, "mount", "--bind", str(instead), path, undo=("umount", "--lazy", path))

    def hide(self, host: LabHost, path: str) -> None:
        """Make a file of the machine disappear for this host alone (an overlay over its folder)."""
        folder, layers = str(Path(path).parent), "/run/hidden"
        self.undo.callback(host.run, ("rm", "-rf", layers), check=False)
        self.run(host, "mkdir", "-p", f"{layers}/upper", f"{layers}/work")
        options = f"lowerdir={folder},upperdir={layers}/upper,workdir={layers}/work"
        words = ("mount", "-t", "overlay", "overlay", "-o", options, folder)
        self.run(host, *words, undo=("umount", "--lazy", folder))
        self.at(host, path).unlink()

    def edit_file(self, host: LabHost, path: str, change: Callable[[str], str]) -> None:
        """Change a text file below the host's own /etc, and put it back at the end."""
        at = self.at(host, path)
        before = at.read_text()
        at.write_text(change(before))
        self.undo.callback(at.write_text, before)

    def restart_libvirtd(self, host: LabHost) -> None:
        host.terminate_libvirtd()
        host.start_libvirtd()

    def set_host(self, host: str, **columns: Any) -> None:
        """What an administrator sets on the host's page of the product."""
        self.host_changes.setdefault(host, {}).update(columns)

    def _hosts(self, names: tuple[str, ...]) -> list[LabHost]:
        return [self.lab.hosts[name] for name in names or tuple(self.lab.hosts)]


def _quietly(action: Callable[[], Any]) -> Callable[[], None]:
    def act() -> None:
        with suppress(libvirt.libvirtError):
            action()

    return act


def _gluster_source(volume: str) -> str:
    return f"<source><host name='storage'/><dir path='{volume}'/><format type='glusterfs'/></source>"


def _remove_tree(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
