"""Whether the kind of move and its options fit the guest's state and each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hosts.facts.domain import DomainState
from jobs.options import Kind, check_options
from jobs.options.rules import OFFLINE_NEEDS_PERSISTENT, UNDEFINE_WITHOUT_PERSISTENT, is_confirmed
from jobs.preflight.context import PreflightContext
from jobs.preflight.findings import Severity
from jobs.preflight.registry import NotEvaluated, Said, check
from jobs.preflight.say import blocker, guest, is_state, warning

OWN_CHECKS: Final = frozenset({OFFLINE_NEEDS_PERSISTENT, UNDEFINE_WITHOUT_PERSISTENT})
# A guest paused for one of these reasons is not merely paused.
FAULTS: Final = {
    "ioerror": "stopped by a disk error",
    "crashed": "crashed",
    "watchdog": "stopped by its watchdog",
    "migration": "left over from an earlier move",
    "postcopy": "in the middle of a post-copy move",
    "postcopy-failed": "left over from a failed post-copy move",
    "api-error": "stopped by an error of libvirt",
}
FITS: Final = {
    Kind.LIVE: (DomainState.RUNNING, DomainState.BLOCKED),
    Kind.NON_LIVE: (DomainState.RUNNING, DomainState.BLOCKED, DomainState.PAUSED),
    Kind.OFFLINE: (DomainState.SHUT_OFF,),
}
INSTEAD: Final = {
    DomainState.RUNNING: "Choose a live or a paused move.",
    DomainState.PAUSED: "Choose a paused move, or resume the guest first.",
    DomainState.SHUT_OFF: "Choose an offline move, or start the guest first.",
    DomainState.PM_SUSPENDED: "Wake the guest first: virsh dompmwakeup.",
}


@check(
    "kind.state",
    title="The guest's state fits the kind of move",
    source="SUSE virtualization guide; measured: offline leaves a second definition of a running guest",
    waivable=False,
)
def check_state(context: PreflightContext) -> Iterator[Said]:
    status, kind = context.guest.status, context.options.kind
    evidence = ((context.source.name, status.words),)
    if is_state(context, DomainState.PAUSED) and status.reason in FAULTS:
        yield blocker(
            guest(context),
            f"The guest is {FAULTS[status.reason]}; it is not moved before that is settled.",
            "Settle the cause, then resume the guest.",
            evidence=evidence,
        )
    elif not is_state(context, *FITS[kind]):
        yield blocker(
            guest(context),
            f"The guest is {status.words}; that does not fit “{kind}”.",
            INSTEAD.get(status.state, "Find out what happened to it first."),
            evidence=evidence,
        )
    elif kind is Kind.OFFLINE and not status.persistent:
        message = "The guest has no persistent definition that could be moved."
        yield blocker(guest(context), message, "Move it live.", evidence=evidence)


@check(
    "kind.options",
    title="The options fit together",
    source="virsh, libvirt and QEMU refuse or silently ignore these combinations",
    waivable=False,
)
def check_combination(context: PreflightContext) -> Iterator[Said]:
    for problem in check_options(context.options, context.guest.name):
        if problem.rule not in OWN_CHECKS:
            evidence = tuple(("option", field) for field in problem.fields)
            yield blocker("options", problem.message, problem.remedy, evidence=evidence)
    known = {disk.target: disk for disk in context.guest.facts.disks}
    for target in context.options.migrate_disks:
        if target not in known or known[target].empty or known[target].readonly:
            message = f"The guest has no disk {target} with contents that could be copied."
            yield blocker(
                "options", message, "Name disks of this guest.", evidence=(("option", "migrate_disks"),)
            )


@check(
    "kind.offline-persistent",
    title="An offline move keeps the definition at the destination",
    source="SUSE virtualization guide; libvirt: “offline migration must be specified with the "
    "persistent flag”",
    waivable=False,
)
def check_offline_persistent(context: PreflightContext) -> Iterator[Said]:
    for problem in check_options(context.options, context.guest.name):
        if problem.rule == OFFLINE_NEEDS_PERSISTENT:
            yield blocker("options", problem.message, problem.remedy)


@check(
    "kind.undefine-without-persistent",
    title="The guest stays defined on one host at least",
    source="SUSE virtualization guide",
    waivable=False,
    severities=(Severity.BLOCKER, Severity.WARNING),
)
def check_undefine(context: PreflightContext) -> Iterator[Said]:
    options = context.options
    for problem in check_options(options, context.guest.name):
        if problem.rule == UNDEFINE_WITHOUT_PERSISTENT:
            yield blocker("options", problem.message, problem.remedy)
    if options.undefine_source and not options.persistent and is_confirmed(options, context.guest.name):
        yield warning(
            "options", "Confirmed by name: the guest will be defined nowhere and is lost when it stops."
        )


@check(
    "kind.managed-save",
    title="An offline move leaves no saved memory behind",
    source="measured: the saved memory stays at the source and the guest cold-boots at the destination",
    waivable=False,
)
def check_managed_save(context: PreflightContext) -> Iterator[Said]:
    if context.options.kind is not Kind.OFFLINE:
        return
    saved = context.guest.status.managed_save
    if saved is None:
        raise NotEvaluated("whether the guest has saved memory", f"Refresh {context.source.name}.")
    if saved:
        yield blocker(
            guest(context),
            "The guest has saved memory (managed save), which an offline move does not take along.",
            "Start the guest, or throw the saved memory away: virsh managedsave-remove "
            f"{context.guest.name}.",
            evidence=((context.source.name, "managed save"),),
        )
