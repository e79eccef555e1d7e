"""A guest that can be checked from outside: pings, numbers on its serial port, numbers on its disk."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import guest_xml, ping, storage
from .guest_xml import GuestSpec
from .host import LabHost, host_by_name
from .layout import Instance
from .ping import PingGap
from .system import LabError, wait_until

SEQUENCE = re.compile(r"\bseq (\d+)\.")
SECTOR_BYTES, SECTORS = 512, 1000  # where guest_init.sh keeps its numbers


class LabGuest:
    """A guest by name; it may be on any host of its lab."""

    def __init__(self, instance: Instance, hosts: dict[str, LabHost], spec: GuestSpec) -> None:
        self._instance = instance
        self._hosts = hosts
        self.spec = spec
        self.name = spec.name
        self.address = instance.address(spec.number)
        self.disk_path = spec.disk_path

    @property
    def uuid(self) -> str:
        """The domain's UUID, asked from the hosts."""
        for host in self._hosts.values():
            if found := host.virsh("domuuid", self.name, check=False).strip():
                return found
        raise LabError(f"no host knows a guest {self.name}")

    def create(
        self, host: LabHost, *, start: bool, persistent: bool, xml_edit: Callable[[str], str] | None
    ) -> None:
        """Make disk and domain on a host."""
        if not persistent and not start:
            raise LabError("a guest that is neither started nor persistent is nothing")
        if self.disk_path:
            words = f"vol-create-as {self.spec.pool} {Path(self.disk_path).name} {self.spec.disk_mib}M"
            host.virsh(f"{words} --format {self.spec.disk_format}")
        xml = guest_xml.domain_xml(self._instance, self.spec)
        xml_file = host.path(f"/run/{self.name}.xml")
        xml_file.write_text(xml_edit(xml) if xml_edit else xml)
        if persistent:
            host.virsh("define", f"/run/{self.name}.xml")
        if start:
            host.virsh(
                *(["start", self.name] if persistent else ["create", f"/run/{self.name}.xml"]), timeout=60
            )
        xml_file.unlink()

    # Is it alive?

    def ping(self, timeout_s: float = 1) -> bool:
        """Whether it answers one ping from the root namespace."""
        return ping.answers(self.address, timeout_s)

    def wait_until_answering(self, timeout_s: float = 60) -> None:
        """Wait until it answers pings and counts: it has booted."""
        wait_until(lambda: self.ping(0.2), f"a ping from {self.name}", timeout_s)
        wait_until(
            lambda: any(self.sequence(host) for host in self._hosts), f"numbers from {self.name}", timeout_s
        )

    def ping_gap_ms(self, interval_ms: int = 20) -> PingGap:
        """Record the longest silence: `with guest.ping_gap_ms() as gap: …`, then gap.longest_ms."""
        return PingGap(self.address, interval_ms)

    def where(self) -> dict[str, str]:
        """By host that knows it: its state in libvirt's words ("running", "paused", "shut off" …)."""
        with ThreadPoolExecutor() as pool:
            states = pool.map(
                lambda host: host.virsh("domstate", self.name, check=False).strip(), self._hosts.values()
            )
        return {name: state for name, state in zip(self._hosts, states, strict=True) if state}

    # What it wrote

    def serial_text(self, host: str) -> str:
        """What its serial port said while it ran on that host."""
        try:
            return host_by_name(self._hosts, host).path(self.spec.serial_path).read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def sequence(self, host: str) -> list[int]:
        """The numbers of whole lines that its serial port said on that host."""
        return [int(number) for number in SEQUENCE.findall(self.serial_text(host))]

    def joint_sequence(self, hosts: Sequence[str]) -> list[int]:
        """The numbers over a journey, hosts in the order of the moves (each once).

        A move may cut a line in two, half on one host and half on the next: the texts are joined first.
        """
        text = "".join(self.serial_text(host) for host in hosts)
        return [int(number) for number in SEQUENCE.findall(text.replace("\r", ""))]

    def disk_numbers(self) -> list[int]:
        """The numbers on its disk (the last 1000 at most), ascending."""
        content = self._disk_start()
        sectors = (content[at : at + SECTOR_BYTES] for at in range(0, len(content), SECTOR_BYTES))
        return sorted(int(digits) for sector in sectors if (digits := sector.rstrip(b"\0").strip()))

    def disk_sequence(self) -> int:
        """The last number on its disk, 0 when there is none."""
        return max(self.disk_numbers(), default=0)

    def _disk_start(self) -> bytes:
        if not self.disk_path:
            raise LabError(f"{self.name} has no disk")
        if self.spec.pool == "VM" and self.spec.disk_format == "raw":
            # The brick's file, not the mounted one: no host's cache lies between, no host need be alive.
            with (storage.brick(self._instance) / Path(self.disk_path).name).open("rb") as disk:
                return disk.read(SECTOR_BYTES * SECTORS)
        host = self._disk_holder()
        copy = f"/run/{self.name}.sectors"
        host.run(["qemu-img", "dd", "-U", "-f", self.spec.disk_format, "-O", "raw", f"bs={SECTOR_BYTES}",
                  f"count={SECTORS}", f"if={self.disk_path}", f"of={copy}"])  # fmt: skip
        content = host.path(copy).read_bytes()
        host.path(copy).unlink()
        return content

    def _disk_holder(self) -> LabHost:
        """The host to ask for the disk: where it runs, else the one whose copy is the newest."""
        states = self.where()
        running = [name for name, state in states.items() if state in ("running", "paused")]
        holders = [host for host in self._hosts.values() if host.path(str(self.disk_path)).exists()]
        if not holders:
            raise LabError(f"no host holds {self.disk_path}")
        preferred = [host for host in holders if host.name in running]
        return max(preferred or holders, key=lambda host: host.path(str(self.disk_path)).stat().st_mtime)
