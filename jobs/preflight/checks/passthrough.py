"""Devices of the source host that the guest holds itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lxml import etree

from hosts.facts.xml import attribute_of
from jobs.preflight.context import PreflightContext
from jobs.preflight.devices_xml import detach, devices_of, interfaces_of
from jobs.preflight.findings import Commands, Severity
from jobs.preflight.registry import Said, check
from jobs.preflight.say import facts_of, graded, guest, info, sends_memory, warning
from jobs.preflight.versions import KNOWS_VFIO_VARIANTS, MOVES_VFIO, asks_qemu

GENERIC_DRIVER: Final = "vfio-pci"
PLACES: Final = ("domain", "bus", "slot", "function")


@dataclass(frozen=True, slots=True)
class Held:
    kind: str  # pci, usb, scsi, scsi_host, mdev, sr-iov
    words: str  # as people read it, with its place on the host
    detach: tuple[Commands, ...]
    failover: bool  # QEMU unplugs it before the move and plugs one in again after it
    driver: str  # the VFIO variant driver it is bound to
    optional: bool  # libvirt drops it where the destination lacks it


@check(
    "device.passthrough",
    title="The guest holds no device of its host",
    source="SUSE virtualization guide; libvirt: qemuMigrationSrcIsAllowedHostdev; QEMU: hw/vfio/migration.c",
    waivable=True,
    severities=(Severity.BLOCKER, Severity.WARNING, Severity.INFO),
    help_desk="A device of the server itself is built into this guest, and it cannot be taken along. Tell your "
    "operators which guest it is.",
)
def check_passthrough(context: PreflightContext) -> Iterator[Said]:
    for held in _held(context):
        if held.failover and sends_memory(context):
            yield info(
                guest(context),
                f"QEMU itself unplugs the {held.words} for the move; its failover partner carries the traffic "
                f"meanwhile. {context.destination.name} needs one like it to plug in again.",
                evidence=((context.source.name, held.words),),
            )
        elif sends_memory(context) and (held.optional or _is_variant(context, held)):
            yield _perhaps(context, held)
        else:
            yield _stays(context, held)


def _held(context: PreflightContext) -> Iterator[Held]:
    for device, element in devices_of(context, "hostdev"):
        kind = device.type or "host"
        yield _read(context, kind, f"{_KINDS.get(kind, kind)} {_place(element, kind)}".strip(), element)
    for mac, element in interfaces_of(context, "hostdev"):
        yield _read(context, "sr-iov", f"passed-through interface {mac}", element)


_KINDS: Final = {
    "pci": "PCI device",
    "usb": "USB device",
    "scsi": "SCSI device",
    "scsi_host": "SCSI controller (vhost)",
    "mdev": "mediated device (vGPU)",
    "host": "host device",
}


def _read(context: PreflightContext, kind: str, words: str, element: etree._Element) -> Held:
    return Held(
        kind=kind,
        words=words,
        detach=detach(context, element),
        failover=attribute_of(element, "teaming", "type") == "transient",
        driver=attribute_of(element, "driver", "model"),
        optional=attribute_of(element, "source", "startupPolicy") in {"optional", "requisite"},
    )


def _place(element: etree._Element, kind: str) -> str:
    """Where it is on the host: 0000:03:00.0, 1234:beef, a UUID, a WWPN."""
    if kind == "pci":
        numbers = [attribute_of(element, "source/address", name) or "0x0" for name in PLACES]
        domain, bus, slot, function = (int(number, 16) for number in numbers)
        return f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}"
    if kind == "usb":
        parts = (
            attribute_of(element, f"source/{name}", "id").removeprefix("0x") for name in ("vendor", "product")
        )
        return ":".join(filter(None, parts))
    if kind == "scsi":
        return attribute_of(element, "source/adapter", "name") or attribute_of(element, "source", "name")
    return attribute_of(element, "source/address", "uuid") or attribute_of(element, "source", "wwpn")


def _is_variant(context: PreflightContext, held: Held) -> bool:
    """Bound to a driver of its own, which QEMU may be able to move. QEMU refuses by itself where it is not."""
    facts = facts_of(context.source)
    named = held.kind in {"pci", "sr-iov"} and held.driver not in {"", GENERIC_DRIVER}
    new = facts.library_version >= KNOWS_VFIO_VARIANTS and facts.hypervisor_version >= MOVES_VFIO
    return named and new and asks_qemu(facts)


def _perhaps(context: PreflightContext, held: Held) -> Said:
    there = context.destination.name
    if held.optional:
        message = (
            f"The guest holds a {held.words}. Where {there} has none like it, the guest arrives without it."
        )
        return warning(guest(context), message, evidence=((context.source.name, held.words),))
    return warning(
        guest(context),
        f"The guest holds a {held.words} with the driver {held.driver}, which may be able to move. QEMU decides "
        "at the start of the move, and refuses it where it cannot.",
        f"See that {there} has the same device at the same place, bound to the same driver.",
        evidence=((context.source.name, f"{held.words}, driver {held.driver}"),),
    )


def _stays(context: PreflightContext, held: Held) -> Said:
    return graded(
        sends_memory(context),
        guest(context),
        f"The guest holds a {held.words} of {context.source.name}, which cannot move with it."
        if sends_memory(context)
        else f"The guest holds a {held.words}; it starts on {context.destination.name} only with one like it.",
        "Detach it, and attach one of the destination's after the move.",
        evidence=((context.source.name, held.words),),
        commands=held.detach if sends_memory(context) else (),
    )
