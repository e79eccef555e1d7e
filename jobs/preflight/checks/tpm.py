"""The guest's TPM: where its secrets are, and who emulates it over there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hosts.facts.device_paths import SWTPM, TPM_STATE, needed_paths
from hosts.facts.xml import attribute_of
from jobs.preflight.by_hand import by_family
from jobs.preflight.context import PreflightContext
from jobs.preflight.devices_xml import Presence, devices_of, presence_of
from jobs.preflight.disks import SHARED_FILE_SYSTEMS, file_system_of
from jobs.preflight.findings import Severity
from jobs.preflight.registry import NotEvaluated, Said, check
from jobs.preflight.say import blocker, both, facts_of, guest, sends_memory, warning
from jobs.preflight.versions import SHARES_TPM_STATE

INSTALL: Final = {
    "debian": ("apt-get install swtpm swtpm-tools",),
    "suse": ("zypper install swtpm",),
    "redhat": ("dnf install swtpm swtpm-tools",),
}


@check(
    "device.tpm",
    title="The guest's TPM can move with it",
    source="libvirt: qemuMigrationSrcIsAllowed, “the running swtpm does not support migration with shared storage”; "
    "QEMU: backends/tpm",
    waivable=True,
    severities=(Severity.BLOCKER, Severity.WARNING),
    unevaluated=Severity.WARNING,
    help_desk="The security chip of this guest cannot go to this host as things are. Do not shut the guest off to move "
    "it; tell your operators.",
)
def check_tpm(context: PreflightContext) -> Iterator[Said]:
    """An offline move leaves the state behind: firmware.nvram says so."""
    if not sends_memory(context):
        return
    for device, element in devices_of(context, "tpm"):
        if device.type == "passthrough":
            path = attribute_of(element, "backend/device", "path") or "its TPM"
            yield blocker(
                guest(context),
                f"The guest uses {path} of {context.source.name} itself; what it holds cannot leave that host.",
                "Give the guest an emulated TPM. What it has sealed with the old one must be set up anew.",
                evidence=((context.source.name, path),),
            )
        elif device.type == "external":
            yield _external(context, attribute_of(element, "backend/source", "path"))
        elif device.type == "emulator":
            yield from _emulated(context)


def _external(context: PreflightContext, socket: str) -> Said:
    there = context.destination.name
    return warning(
        guest(context),
        f"The guest's TPM is emulated by a process that libvirt did not start; {there} needs one at {socket}.",
        f"Start swtpm on {there} with that socket and with --migration before the move.",
        evidence=((context.source.name, socket),),
    )


def _emulated(context: PreflightContext) -> Iterator[Said]:
    there, presence = context.destination.name, presence_of(context, SWTPM)
    if presence is Presence.MISSING:
        yield blocker(
            guest(context),
            f"The guest has an emulated TPM, and {there} has no swtpm to emulate it.",
            f"Install it on {there}.",
            evidence=both(context, SWTPM, "nothing there"),
            commands=by_family(context.destination, INSTALL),
        )
    elif presence is Presence.UNKNOWN:
        yield NotEvaluated(
            f"whether {there} has swtpm, which emulates the TPM", f"Look on {there}: ls -l {SWTPM}"
        )
    yield from _on_shared_storage(context)


def _on_shared_storage(context: PreflightContext) -> Iterator[Said]:
    sides = (context.source, context.destination)
    old = [side.name for side in sides if facts_of(side).library_version < SHARES_TPM_STATE]
    states = (item for item in needed_paths(context.guest.xml) if item.part == TPM_STATE)
    for state in states:
        file_system = file_system_of(context, state.path) or file_system_of(context, state.wanted)
        if old and file_system in SHARED_FILE_SYSTEMS:
            yield blocker(
                guest(context),
                f"The state of the guest's TPM lies on shared storage ({file_system}), and libvirt of "
                f"{' and '.join(old)} cannot hand it over there.",
                "Update libvirt to 8.10 or newer.",
                evidence=((context.source.name, f"{state.path} on {file_system}"),),
            )
