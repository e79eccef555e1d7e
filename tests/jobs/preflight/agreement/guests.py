"""The guest that is sent on the journey: without an operating system, so that it starts in a moment."""

from __future__ import annotations

from dataclasses import dataclass

QEMU = "/usr/bin/qemu-system-x86_64"
MACHINE = "pc-q35-7.2"
PORTABLE_CPU = "<cpu mode='custom' match='exact'><model>qemu64</model></cpu>"
NO_USB = "<controller type='usb' model='none'/>"


@dataclass(frozen=True, slots=True)
class GuestForm:
    """What a domain is made of. `head` is XML beside <devices>, `tail` XML after it."""

    devices: str = ""
    memory: str = "<memory unit='MiB'>32</memory>"
    machine: str = MACHINE
    os: str = ""
    cpu: str = PORTABLE_CPU
    head: str = ""
    usb: str = NO_USB
    namespaces: str = ""
    virt_type: str = "qemu"
    vcpus: int = 1
    emulator: str = QEMU
    architecture: str = "x86_64"


def render_guest(name: str, domain_uuid: str, form: GuestForm) -> str:
    return f"""\
<domain type='{form.virt_type}' {form.namespaces}>
  <name>{name}</name>
  <uuid>{domain_uuid}</uuid>
  {form.memory}
  <vcpu>{form.vcpus}</vcpu>
  <os><type arch='{form.architecture}' machine='{form.machine}'>hvm</type>{form.os}</os>
  <features><acpi/></features>
  {form.cpu}
  {form.head}
  <devices>
    <emulator>{form.emulator}</emulator>
    {form.usb}
    <video><model type='none'/></video>
    <memballoon model='none'/>
    {form.devices}
  </devices>
</domain>
"""


def disk(
    path: str,
    *,
    target: str = "vda",
    bus: str = "virtio",
    cache: str = "none",
    form: str = "raw",
    more: str = "",
) -> str:
    return f"""<disk type='file' device='disk'><driver name='qemu' type='{form}' cache='{cache}'/>
      <source file='{path}'/><target dev='{target}' bus='{bus}'/>{more}</disk>"""


def drive(device: str, path: str = "", *, target: str = "sda", bus: str = "sata", policy: str = "") -> str:
    """A CD or floppy drive, empty without a path."""
    wish = f" startupPolicy='{policy}'" if policy else ""
    source = f"<source file='{path}'{wish}/>" if path else ""
    return f"""<disk type='file' device='{device}'><driver name='qemu' type='raw'/>{source}
      <target dev='{target}' bus='{bus}'/><readonly/></disk>"""


def nic(
    kind: str, source: str, *, mac: str = "52:54:00:ab:00:01", portgroup: str = "", more: str = ""
) -> str:
    """`source`: a name, or the whole element where it is no bridge and no network."""
    group = f" portgroup='{portgroup}'" if portgroup else ""
    where = f"<source {kind}='{source}'{group}/>" if kind in {"bridge", "network"} else source
    return f"""<interface type='{kind}'><mac address='{mac}'/>{where}<model type='virtio'/><rom enabled='no'/>
      {more}</interface>"""
