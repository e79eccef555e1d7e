"""CDs and floppies: never copied, easily forgotten."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from hosts.facts.domain import DiskFacts
from jobs.options import Kind
from jobs.preflight.by_hand import anywhere
from jobs.preflight.context import PreflightContext
from jobs.preflight.devices_xml import Presence
from jobs.preflight.disks import REMOVABLE, destination_path, kept_disks, presence_of_disk
from jobs.preflight.findings import Commands, Severity
from jobs.preflight.fixes import eject_media
from jobs.preflight.registry import NotEvaluated, Said, check
from jobs.preflight.say import graded


@check(
    "disk.removable-media",
    title="Media in CD drives and floppies are reachable on the destination too",
    source="SUSE virtualization guide; measured: a missing image fails (code 38), an optional one is dropped",
    waivable=True,
    severities=(Severity.BLOCKER, Severity.WARNING),
)
def check_media(context: PreflightContext) -> Iterator[Said]:
    for disk in kept_disks(context.guest.facts, context.options):
        if disk.device in REMOVABLE and not disk.network_source:
            yield from _check_drive(context, disk)


def _check_drive(context: PreflightContext, disk: DiskFacts) -> Iterator[Said]:
    there, path = context.destination.name, destination_path(disk, context.options)
    presence = presence_of_disk(context, path)
    if presence is Presence.UNKNOWN:
        yield NotEvaluated(
            f"whether {there} has the medium {path or disk.volume}",
            f"Eject it from {disk.target}, or see by hand.",
        )
        return
    if presence is Presence.THERE:
        return
    severe, message = True, f"The medium {path} is not on {there}."
    if disk.startup_policy in {"optional", "requisite"}:
        severe, message = False, f"The medium {path} is not on {there}; libvirt would drop it without a word."
    elif context.options.kind is Kind.OFFLINE:
        severe, message = False, f"The medium {path} is not on {there}; the guest would not start there."
    yield graded(
        severe,
        f"drive {disk.target}",
        message,
        f"Eject it, or put it at the same path on {there}.",
        evidence=((context.source.name, path), (there, "nothing there")),
        fix=eject_media(context, disk.target),
        commands=eject_by_hand(context, disk),
    )


def eject_by_hand(context: PreflightContext, disk: DiskFacts) -> tuple[Commands, ...]:
    """For the running guest and its definition, as far as there are both."""
    name, status = shlex.quote(context.guest.name), context.guest.status
    where = [
        *(["--live"] if status.active else []),
        *(["--config"] if status.persistent else []),
    ]
    line = " ".join(["virsh change-media", name, shlex.quote(disk.target), "--eject", *where])
    return anywhere(context.source, line)
