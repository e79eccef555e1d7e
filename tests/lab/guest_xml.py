"""What a lab guest is made of: its parameters, its domain XML, and the numbers that addresses come from."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from .layout import FIRST_GUEST_OCTET, LAST_GUEST_OCTET, Instance
from .system import LabError, exclusive

POOL_FOLDER = "/var/lib/libvirt/images"
SERIAL_FOLDER = "/var/log/libvirt/qemu"
GUEST_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,40}")


@dataclass(frozen=True)
class GuestSpec:
    """A guest's parameters; number is the last part of its address, tick_ms the time between numbers."""

    name: str
    number: int
    memory_mib: int
    vcpus: int
    pool: str | None
    cache: str
    dirty_mib: int
    dirty_mib_per_s: int
    tick_ms: int
    disk_mib: int
    disk_format: str

    @property
    def disk_path(self) -> str | None:
        suffix = "img" if self.disk_format == "raw" else self.disk_format
        return f"{POOL_FOLDER}/{self.pool}/{self.name}.{suffix}" if self.pool else None

    @property
    def serial_path(self) -> str:
        return f"{SERIAL_FOLDER}/{self.name}-serial.log"


def reserve(instance: Instance, spec: GuestSpec) -> GuestSpec:
    """Give the guest a free number and write it down."""
    if not GUEST_NAME.fullmatch(spec.name):
        raise LabError(f"{spec.name!r} is no name for a lab guest")
    with exclusive(instance.folder / ".guests.lock"):
        path = spec_path(instance, spec.name)
        if path.exists():
            raise LabError(f"lab {instance.name!r} has a guest {spec.name!r} already")
        taken = {read_spec(other).number for other in instance.guests.glob("*.json")}
        free = [number for number in range(FIRST_GUEST_OCTET, LAST_GUEST_OCTET + 1) if number not in taken]
        if not free:
            raise LabError(f"lab {instance.name!r} has no address left for another guest")
        spec = replace(spec, number=free[0])
        path.write_text(json.dumps(asdict(spec)))
    return spec


def spec_path(instance: Instance, name: str) -> Path:
    return instance.guests / f"{name}.json"


def read_spec(path: Path) -> GuestSpec:
    return GuestSpec(**json.loads(path.read_text()))


def mac(instance: Instance, spec: GuestSpec) -> str:
    return f"52:54:00:63:{instance.subnet:02x}:{spec.number:02x}"


def domain_xml(instance: Instance, spec: GuestSpec) -> str:
    """The domain as Debian 12's QEMU 7.2 can run it without KVM."""
    command_line = (
        f"console=ttyS0 quiet panic=1 lab.address={instance.address(spec.number)}/24 lab.tick={spec.tick_ms} "
        f"lab.dirty={spec.dirty_mib} lab.dirty_rate={spec.dirty_mib_per_s}"
    )
    return f"""\
<domain type='qemu'>
  <name>{spec.name}</name>
  <memory unit='MiB'>{spec.memory_mib}</memory>
  <vcpu>{spec.vcpus}</vcpu>
  <os>
    <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>
    <kernel>/var/lib/libvirt/boot/vmlinuz</kernel>
    <initrd>/var/lib/libvirt/boot/initrd.img</initrd>
    <cmdline>{command_line}</cmdline>
  </os>
  <features><acpi/><apic/></features>
  <cpu mode='custom' match='exact'><model>qemu64</model></cpu>
  <on_crash>preserve</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>{_disk(spec)}
    <interface type='bridge'>
      <mac address='{mac(instance, spec)}'/>
      <source bridge='br0'/>
      <model type='virtio'/>
      <rom enabled='no'/>
    </interface>
    <serial type='pty'>
      <log file='{spec.serial_path}' append='on'/>
    </serial>
    <console type='pty'><target type='serial'/></console>
    <controller type='usb' model='none'/>
    <video><model type='none'/></video>
  </devices>
</domain>
"""


def _disk(spec: GuestSpec) -> str:
    if not spec.disk_path:
        return ""
    return f"""
    <disk type='file' device='disk'>
      <driver name='qemu' type='{spec.disk_format}' cache='{spec.cache}'/>
      <source file='{spec.disk_path}'/>
      <target dev='vda' bus='virtio'/>
    </disk>"""
