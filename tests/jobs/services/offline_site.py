"""Guests that are shut off, with files worth carrying, and what the hosts themselves say of those files."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.models import Migration
from tests.jobs.console import Console
from tests.lab.guest import LabGuest
from tests.lab.host import LabHost

IMAGES = "/var/lib/libvirt/images/local"
VARIABLES = "/var/lib/libvirt/qemu/nvram/carried_VARS.fd"
FIRMWARE = Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
TEMPLATE = Path("/usr/share/OVMF/OVMF_VARS_4M.fd")
MIB = 2**20


@dataclass
class OfflineSite:
    console: Console

    @property
    def hosts(self) -> dict[str, LabHost]:
        return self.console.lab.hosts

    def clear(self) -> None:
        self.console.lab.reset()
        for host in self.hosts.values():
            host.path(VARIABLES).unlink(missing_ok=True)
            # The lab's own cleaning knows no names with spaces.
            for name in map(str.strip, host.virsh("pool-list", "--all", "--name").splitlines()):
                if " " in name:
                    host.virsh("pool-destroy", name, check=False)
                    host.virsh("pool-undefine", name, check=False)

    def make_guest(
        self,
        name: str = "carried",
        *,
        disk_format: str = "raw",
        run_first: bool = False,
        xml_edit: Callable[[str], str] | None = None,
        disk_mib: int = 64,
    ) -> LabGuest:
        """On mercury, shut off. `run_first`: it has counted on its disk before."""
        guest = self.console.lab.create_guest(
            "mercury", name, pool="local", start=run_first, disk_format=disk_format, xml_edit=xml_edit,
            disk_mib=disk_mib,
        )  # fmt: skip
        if run_first:
            guest.wait_until_answering()
            self.hosts["mercury"].virsh("destroy", name)
        self.make_sparse(str(guest.disk_path))
        return guest

    def request(self, guest: LabGuest, **options: Any) -> Migration:
        return self.console.request(guest, "mercury", "jupiter", **options)

    def move(self, guest: LabGuest, **options: Any) -> Migration:
        return self.console.move(guest, "mercury", "jupiter", **options)

    # Files

    def write(self, path: str, at_mib: int, count_mib: int, host: str = "mercury") -> None:
        """Bytes that no compression or zero detection makes smaller."""
        with self.hosts[host].path(path).open("r+b") as file:
            file.seek(at_mib * MIB)
            for _ in range(count_mib):
                file.write(os.urandom(MIB))

    def make_sparse(self, path: str) -> None:
        """virsh vol-create-as reserves the whole size, and what is reserved counts as data once it was read."""
        mercury = self.hosts["mercury"]
        mercury.run(["cp", "--sparse=always", path, f"{path}.new"])
        mercury.run(["mv", f"{path}.new", path])

    def checksum(self, host: str, path: str) -> str:
        with self.hosts[host].path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def identity(self, host: str, path: str) -> tuple[int, int, str]:
        stat = self.hosts[host].path(path).stat()
        return stat.st_ino, stat.st_mtime_ns, self.checksum(host, path)

    def exists(self, host: str, path: str) -> bool:
        return self.hosts[host].path(path).exists()

    def stored_bytes(self, host: str, path: str) -> int:
        return self.hosts[host].path(path).stat().st_blocks * 512

    def copy_by_hand(self, path: str) -> None:
        shutil.copy2(self.hosts["mercury"].path(path), self.hosts["jupiter"].path(path))
        self.hosts["jupiter"].virsh("pool-refresh", "local")

    def make_pool(self, host: str, name: str) -> str:
        """A pool of files in a folder of its own; the folder."""
        folder = f"{IMAGES}/{name}"
        self.hosts[host].virsh("pool-define-as", name, "dir", "--target", folder)
        self.hosts[host].virsh("pool-build", name)
        self.hosts[host].virsh("pool-start", name)
        return folder

    def make_base(self, name: str) -> str:
        mercury = self.hosts["mercury"]
        mercury.virsh("vol-create-as", "local", name, "64M", "--format", "qcow2")
        path = f"{IMAGES}/{name}"
        mercury.run(["qemu-io", "-f", "qcow2", "-c", "write -P 7 3M 5M", path])
        return path

    def put_on_base(self, guest: LabGuest, base: str) -> None:
        """Its disk becomes an overlay."""
        mercury, path = self.hosts["mercury"], str(guest.disk_path)
        mercury.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", path])
        mercury.run(["qemu-io", "-f", "qcow2", "-c", "write -P 9 40M 2M", path])
        xml = mercury.virsh("dumpxml", guest.name).replace("type='raw'", "type='qcow2'")
        mercury.path("/run/again.xml").write_text(xml)
        mercury.virsh("define", "/run/again.xml")
        mercury.virsh("pool-refresh", "local")

    def make_variables(self) -> None:
        """Variables that the firmware of this guest alone has: the template's, changed."""
        target = self.hosts["mercury"].path(VARIABLES)
        target.parent.mkdir(parents=True, exist_ok=True)
        contents = bytearray(TEMPLATE.read_bytes())
        contents[-64:] = os.urandom(64)
        target.write_bytes(contents)


def with_firmware(xml: str) -> str:
    """UEFI with a file of variables; a kernel of its own would pass the firmware by."""
    loader = f"<loader readonly='yes' type='pflash'>{FIRMWARE}</loader><nvram template='{TEMPLATE}'>{VARIABLES}</nvram>"
    return xml.replace("</os>", f"{loader}</os>")


def with_second_disk(xml: str) -> str:
    disk = (
        "<disk type='file' device='disk'><driver name='qemu' type='raw' cache='none'/>"
        f"<source file='{IMAGES}/second.img'/><target dev='vdb' bus='virtio'/></disk>"
    )
    return xml.replace("<interface", f"{disk}<interface", 1)
