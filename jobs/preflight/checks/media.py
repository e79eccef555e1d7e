"""CDs and floppies: never copied, easily forgotten."""

from __future__ import annotations

from collections.abc import Iterator

from hosts.facts.domain import DiskFacts
from jobs.options import Kind
from jobs.preflight.context import PreflightContext
from jobs.preflight.disks import REMOVABLE, destination_path
from jobs.preflight.findings import Severity
from jobs.preflight.registry import NotEvaluated, Said, check
from jobs.preflight.say import blocker, warning


@check(
    "disk.removable-media",
    title="Media in CD drives and floppies are reachable on the destination too",
    source="SUSE virtualization guide; measured: a missing image fails (code 38), an optional one is dropped",
    waivable=True,
    severities=(Severity.BLOCKER, Severity.WARNING),
)
def check_media(context: PreflightContext) -> Iterator[Said]:
    for disk in context.guest.facts.disks:
        if disk.device in REMOVABLE and not disk.empty and not disk.network_source:
            yield from _check_drive(context, disk)


def _check_drive(context: PreflightContext, disk: DiskFacts) -> Iterator[Said]:
    there, path = context.destination.name, destination_path(disk, context.options)
    reading = context.destination_reading
    if reading is None or path not in reading.volumes:
        yield NotEvaluated(
            f"whether {there} has the medium {path or disk.volume}",
            f"Eject it from {disk.target}, or see by hand.",
        )
        return
    if reading.volumes[path] is not None:
        return
    evidence = ((context.source.name, path), (there, "nothing there"))
    remedy = f"Eject it: virsh change-media {context.guest.name} {disk.target} --eject."
    if disk.startup_policy in {"optional", "requisite"}:
        message = f"The medium {path} is not on {there}; libvirt would drop it without a word."
        yield warning(f"drive {disk.target}", message, remedy, evidence=evidence)
    elif context.options.kind is Kind.OFFLINE:
        message = f"The medium {path} is not on {there}; the guest would not start there."
        yield warning(f"drive {disk.target}", message, remedy, evidence=evidence)
    else:
        yield blocker(
            f"drive {disk.target}", f"The medium {path} is not on {there}.", remedy, evidence=evidence
        )
