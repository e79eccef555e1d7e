"""Devices that share something with the source host: folders, memory, USB connections."""

from __future__ import annotations

from collections.abc import Iterator

from hosts.facts.xml import attribute_of
from jobs.preflight.context import PreflightContext
from jobs.preflight.devices_xml import detach, devices_of
from jobs.preflight.findings import Severity
from jobs.preflight.registry import Said, check
from jobs.preflight.say import blocker, facts_of, graded, guest, info, sends_memory, warning
from jobs.preflight.versions import MOVES_VIRTIOFS, MOVES_VIRTIOFS_LIBRARY


@check(
    "device.filesystem",
    title="The guest shares no folder of its host",
    source="SUSE virtualization guide; libvirt: qemuMigrationSrcIsAllowed (virtiofs); measured: QEMU refuses while a "
    "9p share is mounted",
    waivable=True,
    severities=(Severity.BLOCKER, Severity.WARNING),
    help_desk="This guest uses a folder of the server it runs on. Tell your operators; it cannot move as it is.",
)
def check_filesystem(context: PreflightContext) -> Iterator[Said]:
    for device, element in devices_of(context, "filesystem"):
        virtiofs = attribute_of(element, "driver", "type") == "virtiofs"
        folder = device.source or attribute_of(element, "source", "socket") or "(not named)"
        evidence = ((context.source.name, f"{'virtiofs' if virtiofs else '9p'} {folder}"),)
        severe = sends_memory(context) and not (virtiofs and _virtiofs_moves(context))
        yield graded(
            severe,
            guest(context),
            f"The guest shares the folder {folder} of {context.source.name}"
            + (": QEMU refuses to move it while it is mounted." if severe and not virtiofs else "")
            + (": libvirt or QEMU there cannot move virtiofs." if severe and virtiofs else "")
            + (f"; {context.destination.name} has to offer the same one." if not severe else ""),
            "Unmount it in the guest and detach it; use NFS or another network share instead."
            if severe
            else f"See that {context.destination.name} has the folder with the same contents"
            + (", and virtiofsd 1.11 or newer." if virtiofs else "."),
            evidence=evidence,
            commands=detach(context, element) if severe else (),
        )


def _virtiofs_moves(context: PreflightContext) -> bool:
    facts = facts_of(context.source)
    return facts.library_version >= MOVES_VIRTIOFS_LIBRARY and facts.hypervisor_version >= MOVES_VIRTIOFS


@check(
    "device.shmem",
    title="Shared memory of the guest can move with it",
    source="libvirt: qemuMigrationSrcIsAllowed (only role='master'); QEMU: hw/misc/ivshmem.c, peer mode",
    waivable=True,
    severities=(Severity.BLOCKER, Severity.WARNING, Severity.INFO),
)
def check_shared_memory(context: PreflightContext) -> Iterator[Said]:
    if not sends_memory(context):
        return
    for device, element in devices_of(context, "shmem"):
        name, role = str(element.get("name") or ""), str(element.get("role") or "")
        subject, evidence = (
            guest(context),
            ((context.source.name, f"shmem {name}, role {role or 'not set'}"),),
        )
        if role != "master" or device.model == "ivshmem":
            message = f"The shared memory {name} cannot move: libvirt takes only memory of which the guest is master."
            remedy = "Detach it, or give it role='master' (in effect at the guest's next start)."
            yield blocker(subject, message, remedy, evidence=evidence, commands=detach(context, element))
        elif server := attribute_of(element, "server", "path"):
            message = (
                f"The shared memory {name} needs its server at {server} on {context.destination.name}, too."
            )
            remedy = f"Start it there: ivshmem-server -S {server}"
            yield warning(subject, message, remedy, evidence=evidence)
        else:
            message = (
                f"The shared memory {name} is copied with the guest; others that use it keep the old one."
            )
            yield info(subject, message, evidence=evidence)


@check(
    "device.redirdev",
    title="Redirected USB devices follow the guest",
    source="libvirt: formatdomain, <redirdev>; measured: devices redirected through SPICE move",
    waivable=True,
    severities=(Severity.WARNING,),
)
def check_redirected_usb(context: PreflightContext) -> Iterator[Said]:
    if not sends_memory(context):
        return
    for device, element in devices_of(context, "redirdev"):
        if device.type == "spicevmc":
            continue  # the SPICE client connects to the destination and takes it along
        host, service = attribute_of(element, "source", "host"), attribute_of(element, "source", "service")
        end = ":".join(filter(None, (host, service))) or device.source
        yield warning(
            guest(context),
            f"A USB device is redirected over {device.type} {end}; the connection is cut, and QEMU on "
            f"{context.destination.name} starts only if it can connect, too.",
            f"See that {context.destination.name} reaches {end}, or redirect the device through SPICE.",
            evidence=((context.source.name, f"{device.type} {end}"),),
        )


@check(
    "device.memory-dimm",
    title="Memory devices of the guest can be made alike on the destination",
    source="libvirt: qemuMigrationSrcIsAllowed, “dimm info lacks slot ID or base address”; QEMU: docs/system/i386/sgx",
    waivable=True,
    severities=(Severity.BLOCKER, Severity.WARNING),
)
def check_memory_devices(context: PreflightContext) -> Iterator[Said]:
    if not sends_memory(context):
        return
    for device, element in devices_of(context, "memory"):
        evidence = ((context.source.name, f"{device.model} memory"),)
        at_place = attribute_of(element, "address", "slot") and attribute_of(element, "address", "base")
        if device.model == "dimm" and not at_place:
            message = "A memory module of the guest has no slot or base address; libvirt refuses to move it."
            yield blocker(
                guest(context), message, "Start the guest anew; libvirt then gives it one.", evidence=evidence
            )
        elif device.model == "sgx-epc":
            message = "Memory of SGX enclaves is encrypted with a key of this processor and cannot move."
            yield blocker(
                guest(context), message, "Shut the guest off and move it offline.", evidence=evidence
            )
        elif device.model in {"nvdimm", "virtio-pmem"}:
            path = element.findtext("source/path") or "(not named)"
            message = f"The contents of {path} are written into the file of that name on {context.destination.name}."
            remedy = "See that nothing else uses that file there, and that it is as large."
            yield warning(guest(context), message, remedy, evidence=evidence)
