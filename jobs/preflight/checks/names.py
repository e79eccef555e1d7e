"""Names and UUIDs on the destination. Measured: what libvirt refuses, what it overwrites, what is a split
brain."""

from __future__ import annotations

from collections.abc import Iterator

from jobs.preflight.context import Neighbour, PreflightContext
from jobs.preflight.findings import Severity
from jobs.preflight.registry import Said, check
from jobs.preflight.say import blocker, guest, is_active, neighbours_of, warning

RENAME = (
    "Give the guest another name at the destination, choose another host, or rename the guest that is there."
)


def _name(context: PreflightContext) -> str:
    return context.options.destination_name or context.guest.name


def _is_same(context: PreflightContext, neighbour: Neighbour) -> bool:
    return neighbour.domain_uuid.lower() == context.guest.domain_uuid.lower()


def _evidence(context: PreflightContext, neighbour: Neighbour) -> tuple[tuple[str, str], ...]:
    here = f"{context.guest.name} {context.guest.domain_uuid} {context.guest.status.state}"
    there = f"{neighbour.name} {neighbour.domain_uuid} {neighbour.state}"
    return ((context.source.name, here), (context.destination.name, there))


@check(
    "name.running-clash",
    title="No running or paused guest of this name or UUID is on the destination",
    source="SUSE virtualization guide; libvirt: virDomainObjListAdd, code 9 or 55",
    waivable=False,
)
def check_running(context: PreflightContext) -> Iterator[Said]:
    there = context.destination.name
    for neighbour in filter(is_active, neighbours_of(context)):
        evidence = _evidence(context, neighbour)
        if _is_same(context, neighbour) and context.guest.status.active:
            yield blocker(
                guest(context),
                f"The same guest is active on {there} too: it may be running twice and destroying its "
                "own disks.",
                "Stop its users, find out which one is right, and stop the other one at once.",
                evidence=evidence,
            )
        elif _is_same(context, neighbour):
            yield blocker(
                guest(context),
                f"The same guest is already {neighbour.state} on {there}.",
                f"There is nothing to move; remove the definition from {context.source.name} if it is "
                "the old one.",
                evidence=evidence,
            )
        elif neighbour.name == _name(context):
            message = f"A guest named {neighbour.name} is {neighbour.state} on {there}."
            yield blocker(guest(context), message, RENAME, evidence=evidence)


@check(
    "name.shutoff-clash",
    title="No shut-off guest of this name is on the destination",
    source="SUSE virtualization guide; measured: same UUID is overwritten, another is refused with code 9",
    waivable=True,
    severities=(Severity.BLOCKER, Severity.WARNING),
)
def check_shut_off(context: PreflightContext) -> Iterator[Said]:
    there = context.destination.name
    for neighbour in neighbours_of(context):
        if is_active(neighbour) or neighbour.name != _name(context):
            continue
        evidence = _evidence(context, neighbour)
        if _is_same(context, neighbour):
            yield warning(
                guest(context),
                f"{there} has a shut-off definition of this guest; it will be overwritten.",
                f"Save it if it is still wanted: virsh dumpxml --inactive {neighbour.name} on {there}.",
                evidence=evidence,
            )
        else:
            message = f"Another guest named {neighbour.name} is defined on {there}; libvirt refuses the move."
            yield blocker(guest(context), message, RENAME, evidence=evidence)


@check(
    "name.uuid-clash",
    title="The guest's UUID is not in use under another name on the destination",
    source="libvirt: virDomainObjListAdd, “already defined with uuid”, code 9",
    waivable=False,
)
def check_uuid(context: PreflightContext) -> Iterator[Said]:
    there = context.destination.name
    for neighbour in neighbours_of(context):
        if is_active(neighbour) or not _is_same(context, neighbour) or neighbour.name == _name(context):
            continue
        yield blocker(
            guest(context),
            f"{there} defines the guest {neighbour.name} with the UUID of this one; libvirt refuses "
            "the move.",
            f"If it is an old copy, remove it: virsh undefine {neighbour.name} on {there}. "
            f"Or let this one be named {neighbour.name} at the destination.",
            evidence=_evidence(context, neighbour),
        )
