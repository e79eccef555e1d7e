"""UEFI firmware: its image and its variables on both hosts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hosts.facts.device_paths import LOADER, NVRAM_TEMPLATE, NeededPath, needed_paths
from jobs.options import Kind, Storage
from jobs.preflight.context import PreflightContext
from jobs.preflight.devices_xml import Presence, arriving_xml, identities_of, presence_of
from jobs.preflight.disks import find_pool_above
from jobs.preflight.findings import Severity
from jobs.preflight.registry import NotEvaluated, Said, check
from jobs.preflight.say import blocker, both, guest

COPY_TPM: Final = (
    "Start the guest and move it live, which takes it along: libvirt gives nobody its files, and a guest that seals "
    "its disks with it would not start without them."
)


@check(
    "firmware.nvram",
    title="The guest's firmware is there, and its variables come along",
    source="libvirt: qemuPrepareNVRAM; QEMU: flash of another size is refused; measured: an offline move copies "
    "neither UEFI variables nor TPM state",
    waivable=True,
    unevaluated=Severity.WARNING,
)
def check_firmware(context: PreflightContext) -> Iterator[Said]:
    if context.options.kind is Kind.OFFLINE:
        yield from _left_behind(context)
        if context.options.storage is Storage.SHARED:
            return
    for needed in needed_paths(arriving_xml(context)):
        if needed.part == LOADER or (needed.part == NVRAM_TEMPLATE and not _has_variables(context)):
            yield from _image(context, needed)


def _has_variables(context: PreflightContext) -> bool:
    """The template is taken only where the file of the variables does not exist."""
    return presence_of(context, context.guest.facts.nvram) is Presence.THERE


def _image(context: PreflightContext, needed: NeededPath) -> Iterator[Said]:
    there, presence = context.destination.name, presence_of(context, needed.path)
    files = identities_of(context, needed.path)
    if presence is Presence.MISSING:
        yield blocker(
            guest(context),
            f"{there} does not have the {needed.part} {needed.path}; QEMU would not start there.",
            f"Install the same firmware package on {there} as on {context.source.name}.",
            evidence=both(context, needed.path, "nothing there"),
        )
    elif files is not None and files[0].size_bytes != files[1].size_bytes:
        here_size, there_size = (f"{file.size_bytes} bytes" for file in files)
        yield blocker(
            guest(context),
            f"The {needed.part} {needed.path} has another size on {there}; QEMU refuses firmware of another size.",
            "Install the same version of the firmware package on both hosts.",
            evidence=both(context, here_size, there_size),
        )
    elif presence is Presence.UNKNOWN:
        what = f"whether {there} has the {needed.part} {needed.path}"
        yield NotEvaluated(what, f"Look on {there}: ls -l {needed.path}")


def _left_behind(context: PreflightContext) -> Iterator[Said]:
    """Where disks are copied, the file of the variables is a file like them. The state of a TPM lies in a folder that
    libvirt lets nobody read."""
    facts, copies = context.guest.facts, context.options.storage is not Storage.SHARED
    if facts.nvram and not copies and not _is_shared(context, facts.nvram):
        yield _stays(
            context, facts.nvram, "Copy its disks too, which takes them along, or move the guest live."
        )
    if any(device.kind == "tpm" and device.type != "passthrough" for device in facts.devices):
        yield _stays(context, "the state of its TPM", COPY_TPM)


def _stays(context: PreflightContext, what: str, remedy: str) -> Said:
    return blocker(
        guest(context),
        f"An offline move does not take {what} along.",
        remedy,
        evidence=((context.source.name, what),),
    )


def _is_shared(context: PreflightContext, path: str) -> bool:
    """Proven to be the same file on both hosts: by its identity, or in a pool of the same shared storage."""
    files = identities_of(context, path)
    if files is not None and files[0] == files[1]:
        return True
    pools = [
        find_pool_above(side.facts, path) for side in (context.source, context.destination) if side.facts
    ]
    sources = {pool.source if pool is not None and pool.shared_by_nature else "" for pool in pools}
    return len(pools) == 2 and len(sources) == 1 and "" not in sources
