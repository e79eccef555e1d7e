"""Devices whose other end is a process or a device of the source host."""

from __future__ import annotations

from collections.abc import Iterator

from hosts.facts.xml import attribute_of
from jobs.preflight.context import PreflightContext
from jobs.preflight.devices_xml import detach, devices_of, interfaces_of
from jobs.preflight.findings import Severity
from jobs.preflight.registry import Said, check
from jobs.preflight.say import facts_of, graded, guest, sends_memory, warning
from jobs.preflight.versions import MOVES_VDPA, asks_qemu


@check(
    "device.vhost-user",
    title="What serves vhost-user devices runs on the destination, too",
    source="QEMU: hw/virtio/vhost.c (the back end must offer VHOST_F_LOG_ALL); libvirt: formatdomain, vhostuser",
    waivable=True,
    severities=(Severity.WARNING,),
)
def check_vhost_user(context: PreflightContext) -> Iterator[Said]:
    for what, place in _vhost_user_devices(context):
        there = context.destination.name
        yield warning(
            guest(context),
            f"The {what} is served by a process of its own on {context.source.name} (vhost-user); {there} needs the "
            f"same one{f' at {place}' if place else ''}, and both must be able to log the guest's memory.",
            f"Start it on {there} before the move. QEMU refuses at the start where the one here cannot take part.",
            evidence=((context.source.name, place or what),),
        )


def _vhost_user_devices(context: PreflightContext) -> Iterator[tuple[str, str]]:
    """What it is, and its socket."""
    for mac, element in interfaces_of(context, "vhostuser"):
        yield f"interface {mac}", attribute_of(element, "source", "path")
    for disk in context.guest.facts.disks:
        if disk.type == "vhostuser":
            yield f"disk {disk.target}", disk.source_path
    for _, element in devices_of(context, "video"):
        if attribute_of(element, "driver", "name") == "vhostuser":
            yield "graphics adapter", ""


@check(
    "device.vdpa",
    title="vDPA devices of the guest can be moved",
    source="libvirt: qemuMigrationSrcIsAllowed, “vDPA devices cannot be migrated”; QEMU: net/vhost-vdpa.c",
    waivable=True,
    severities=(Severity.BLOCKER, Severity.WARNING),
)
def check_vdpa(context: PreflightContext) -> Iterator[Said]:
    there = context.destination.name
    for mac, element in interfaces_of(context, "vdpa"):
        facts, device = facts_of(context.source), attribute_of(element, "source", "dev")
        refused = not (asks_qemu(facts) and facts.hypervisor_version >= MOVES_VDPA)
        severe = sends_memory(context) and refused
        yield graded(
            severe,
            guest(context),
            f"The interface {mac} is the vDPA device {device}, which libvirt and QEMU of {context.source.name} cannot "
            "move."
            if severe
            else f"The interface {mac} is the vDPA device {device}; {there} needs one like it there.",
            "Detach it and give the guest a virtio interface for the move."
            if severe
            else f"See that {there} has {device} with the same features. QEMU refuses at the start where it cannot.",
            evidence=((context.source.name, device),),
            commands=detach(context, element) if severe else (),
        )


@check(
    "device.slirp",
    title="No interface of the guest lives in a process of its host",
    source="libvirt: qemuMigrationSrcIsAllowed, “a slirp-helper cannot be migrated”",
    waivable=True,
    severities=(Severity.WARNING,),
)
def check_user_network(context: PreflightContext) -> Iterator[Said]:
    if not sends_memory(context):
        return
    for mac, element in interfaces_of(context, "user"):
        backend = attribute_of(element, "backend", "type") or "slirp"
        yield warning(
            guest(context),
            f"The interface {mac} is a user network ({backend}): its connections are cut by the move, and where "
            "libvirt runs a helper for it that cannot move, it refuses.",
            "Connect it to a network or a bridge that both hosts have.",
            evidence=((context.source.name, f"user network ({backend})"),),
        )
