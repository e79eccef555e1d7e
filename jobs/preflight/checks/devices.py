"""Devices that are part of the source host."""

from __future__ import annotations

from collections.abc import Iterator

from jobs.options import Kind
from jobs.preflight.context import PreflightContext
from jobs.preflight.findings import Severity
from jobs.preflight.registry import Said, check
from jobs.preflight.say import blocker, graded, guest, info, sends_memory


@check(
    "device.passthrough",
    title="The guest holds no device of its host",
    source="SUSE virtualization guide; libvirt: qemuMigrationSrcIsAllowedHostdev",
    waivable=True,
    severities=(Severity.BLOCKER, Severity.WARNING, Severity.INFO),
)
def check_passthrough(context: PreflightContext) -> Iterator[Said]:
    facts, severe = context.guest.facts, sends_memory(context)
    held = [
        f"{device.type or 'host'} device"
        for device in facts.devices
        if device.kind == "hostdev" and not _has_failover(device.xml)
    ]
    held += [f"passed-through interface {nic.mac}" for nic in facts.nics if nic.type == "hostdev"]
    for what in held:
        yield graded(
            severe,
            guest(context),
            f"The guest holds a {what} of {context.source.name}, which cannot move with it.",
            "Detach it (virsh detach-device --live), and attach one of the destination's after the move.",
            evidence=((context.source.name, what),),
        )
    for device in facts.devices:
        if device.kind == "hostdev" and _has_failover(device.xml):
            yield info(
                guest(context),
                "A passed-through interface with a failover partner is unplugged by QEMU itself.",
            )


def _has_failover(xml: str) -> bool:
    """<teaming type='transient'>: QEMU unplugs it before and plugs it in again after the move."""
    return "<teaming" in xml and "transient" in xml


@check(
    "device.filesystem",
    title="The guest shares no folder of its host",
    source="SUSE virtualization guide; QEMU blocks a mounted 9p share, libvirt before 11.3 virtiofs",
    waivable=True,
    severities=(Severity.BLOCKER, Severity.WARNING),
)
def check_filesystem(context: PreflightContext) -> Iterator[Said]:
    for device in context.guest.facts.devices:
        if device.kind == "filesystem":
            yield graded(
                sends_memory(context),
                guest(context),
                f"The guest shares the folder {device.source or '(not named)'} of {context.source.name}.",
                "Unmount it in the guest and detach it; use NFS or another network share instead.",
                evidence=((context.source.name, device.source),),
            )


@check(
    "firmware.nvram",
    title="An offline move leaves no firmware variables behind",
    source="measured: an offline move copies neither UEFI variables nor TPM state",
    waivable=True,
)
def check_nvram(context: PreflightContext) -> Iterator[Said]:
    if context.options.kind is not Kind.OFFLINE:
        return
    facts = context.guest.facts
    left = [facts.nvram] if facts.nvram else []
    left += ["the state of its TPM"] if any(device.kind == "tpm" for device in facts.devices) else []
    for what in left:
        yield blocker(
            guest(context),
            f"An offline move does not take {what} along.",
            "Move the guest live, or copy it by hand before it is started there.",
            evidence=((context.source.name, what),),
        )
