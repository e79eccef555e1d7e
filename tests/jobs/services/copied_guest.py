"""A guest with disks of its own making, and what lies on them, for moves that bring disks along."""

from __future__ import annotations

import hashlib
import random
import shlex
from dataclasses import dataclass, field
from html import escape

from tests.lab import Lab
from tests.lab.guest import LabGuest
from tests.lab.host import LabHost

IMAGES = "/var/lib/libvirt/images"
LOCAL = f"{IMAGES}/local"
MIB = 2**20


@dataclass(frozen=True)
class Disk:
    """One disk of the guest, as a file of its source. The lab's guest writes to its first vdX and cannot see sdX."""

    target: str
    path: str
    format: str = "raw"
    pool: str = ""  # named by pool and volume, not by path

    @property
    def xml(self) -> str:
        bus = "sata" if self.target.startswith("sd") else "virtio"
        source = f"file='{escape(self.path)}'"
        if self.pool:
            source = f"pool='{self.pool}' volume='{escape(self.path.rpartition('/')[2])}'"
        kind = "volume" if self.pool else "file"
        return (
            f"<disk type='{kind}' device='disk'><driver name='qemu' type='{self.format}' cache='none'/>"
            f"<source {source}/><target dev='{self.target}' bus='{bus}'/></disk>"
        )


@dataclass
class Carrier:
    """Makes disks and guests on the lab's hosts, and removes all of it again."""

    lab: Lab
    pools: list[tuple[LabHost, str, str]] = field(default_factory=list)
    mounts: list[tuple[LabHost, str]] = field(default_factory=list)
    files: list[tuple[LabHost, str]] = field(default_factory=list)

    def pool(self, host: str, name: str, *, tmpfs_mib: int = 0) -> str:
        """A pool of files; its folder. `tmpfs_mib`: on a file system of its own, so that it can be full."""
        there, folder = self.lab.hosts[host], f"{IMAGES}/of-{name.replace(' ', '-')}"
        there.run(["mkdir", "-p", folder])
        if tmpfs_mib:
            there.run(["mount", "-t", "tmpfs", "-o", f"size={tmpfs_mib}m", "tmpfs", folder])
            self.mounts.append((there, folder))
        there.virsh("pool-define-as", name, "dir", "--target", folder)
        there.virsh("pool-start", name)
        self.pools.append((there, name, folder))
        return folder

    def image(
        self,
        host: str,
        path: str,
        *,
        mib: int = 64,
        format_name: str = "raw",
        backing: str = "",
        full: bool = False,
    ) -> None:
        """An image with data in it, the same for the same path wherever it is made. `full`: without holes, so that a
        copy takes its time."""
        there = self.lab.hosts[host]
        if backing:
            self.shell(host, f"qemu-img create -q -f qcow2 -b {backing} -F raw {shlex.quote(path)} {mib}M")
            self.shell(
                host, f"qemu-io -c 'write -P 0x5a 3M 2M' -c 'write -P 0xa5 40M 1M' {shlex.quote(path)}"
            )
        elif format_name == "raw":
            self._fill(there, path, mib, full)
        else:
            self._fill(there, f"{path}.raw", mib, full)
            self.shell(host, f"qemu-img convert -O {format_name} {shlex.quote(path)}.raw {shlex.quote(path)}")
            there.path(f"{path}.raw").unlink()
        self.files.append((there, path))

    def guest(self, host: str, name: str, *disks: Disk, start: bool = True) -> LabGuest:
        inside = "".join(disk.xml for disk in disks)
        return self.lab.create_guest(
            host, name, memory_mib=64, pool=None, start=start, tick_ms=500,
            xml_edit=lambda xml: xml.replace("<interface", f"{inside}<interface", 1),
        )  # fmt: skip

    def contents(self, host: str, path: str, format_name: str = "raw") -> str:
        """A checksum of what a guest reads from an image and its layers, whatever format it has."""
        out = f"/run/contents-{hashlib.sha256(path.encode()).hexdigest()[:12]}.raw"
        self.shell(host, f"qemu-img convert -U -f {format_name} -O raw {shlex.quote(path)} {out}")
        file = self.lab.hosts[host].path(out)
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        file.unlink()
        return digest

    def exists(self, host: str, path: str) -> bool:
        return self.lab.hosts[host].path(path).exists()

    def shell(self, host: str, line: str) -> str:
        return self.lab.hosts[host].run(["sh", "-c", line], timeout=60).stdout

    def close(self) -> None:
        for host, name, _ in self.pools:
            host.virsh("pool-destroy", name, check=False)
            host.virsh("pool-undefine", name, check=False)
        for host, folder in self.mounts:
            host.run(["umount", "-l", folder], check=False)
        for host, path in self.files:
            host.path(path).unlink(missing_ok=True)
        for host, _, folder in self.pools:
            host.run(["rm", "-rf", folder], check=False)

    def _fill(self, host: LabHost, path: str, mib: int, full: bool) -> None:
        chance = random.Random(path)  # noqa: S311 (data to compare, not a secret)
        with host.path(path).open("wb") as file:
            file.truncate(mib * MIB)
            for offset in range(0, mib, 1 if full else 8):
                file.seek(offset * MIB)
                file.write(chance.randbytes(MIB if full else MIB + 512))
