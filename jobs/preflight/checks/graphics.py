"""Graphics consoles that listen on an address of the source."""

from __future__ import annotations

from collections.abc import Iterator

from jobs.options import Kind
from jobs.preflight.context import PreflightContext
from jobs.preflight.findings import Severity
from jobs.preflight.graphics import bound_addresses, replacement_for
from jobs.preflight.registry import Said, check
from jobs.preflight.say import blocker, guest, info, warning


@check(
    "graphics.listen",
    title="The address graphics consoles listen on exists on the destination, or is changed on the way",
    source="measured: QEMU at the destination ends with “Cannot assign requested address”",
    waivable=True,
    severities=(Severity.BLOCKER, Severity.WARNING, Severity.INFO),
)
def check_listen(context: PreflightContext) -> Iterator[Said]:
    if context.options.destination_xml:
        return
    for listen in bound_addresses(context.guest.facts):
        yield _say(context, listen)


def _say(context: PreflightContext, listen: str) -> Said:
    there = context.destination
    new = replacement_for(listen, there.migration_address)
    evidence = ((context.source.name, listen), (there.name, new or "no address known"))
    if context.options.kind is Kind.OFFLINE:
        message = (
            f"The console listens on {listen}, which {there.name} does not have; it would not start there."
        )
        remedy = "Let it listen on 0.0.0.0 or on a network."
        return warning(guest(context), message, remedy, evidence=evidence)
    if new:
        message = (
            f"The console listens on {listen} of {context.source.name}; on {there.name} it will be {new}."
        )
        return info(guest(context), message, evidence=evidence)
    return blocker(
        guest(context),
        f"The console listens on {listen}, which {there.name} does not have; the guest could not "
        "start there.",
        f"Set the migration address of {there.name} so that it can stand in, or let the console listen on a "
        "network, on 127.0.0.1 or on 0.0.0.0.",
        evidence=evidence,
    )
