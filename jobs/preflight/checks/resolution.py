"""Whether the source finds the destination by the name it is told to send memory to."""

from __future__ import annotations

from collections.abc import Iterator

from hosts.facts.probe import Probe, ProbeState
from jobs.preflight.by_hand_network import add_to_hosts
from jobs.preflight.context import PreflightContext
from jobs.preflight.findings import Finding, Severity
from jobs.preflight.probed import peer_answer, peer_unknown, sends_directly
from jobs.preflight.registry import Said, check, pair_part
from jobs.preflight.say import blocker, host

_LOOPBACK = ("127.", "::1")


@pair_part("libvirt.name-resolution")
@check(
    "libvirt.name-resolution",
    title="The source resolves the name the destination gives itself, or a migration address is set",
    source="libvirt: qemuMigrationDstPrepareDirect uses the destination's own host name",
    waivable=True,
    unevaluated=Severity.WARNING,
)
def check_name_resolution(context: PreflightContext) -> Iterator[Said]:
    addressed = context.options.migrate_uri or context.destination.migration_address
    if addressed or not sends_directly(context):
        return
    source, destination = context.source.name, context.destination
    answer = peer_answer(context, "name_resolves")
    name = destination.facts.hostname if destination.facts is not None else destination.name
    if name.partition(".")[0] == "localhost":
        yield _unusable(
            context, answer, name, f"{destination.name} calls itself {name}, which every host does"
        )
    elif answer.state is ProbeState.UNKNOWN:
        raise peer_unknown(context, f"whether {source} resolves the name {name}", answer.detail)
    elif answer.state is not ProbeState.OPEN:
        why = f"{source} cannot resolve or reach the name {name}, which {destination.name} gives itself"
        yield _unusable(context, answer, name, why)
    elif answer.detail.startswith(_LOOPBACK):
        why = f"On {source} the name {name} stands for itself ({answer.detail}), not for {destination.name}"
        yield _unusable(context, answer, name, why)


def _unusable(context: PreflightContext, answer: Probe, name: str, why: str) -> Finding:
    destination = context.destination.name
    return blocker(
        host(context.source),
        f"{why}.",
        f"Set a migration address for {destination}, or correct the name in DNS or in /etc/hosts of "
        f"{context.source.name}.",
        evidence=((context.source.name, answer.detail), (destination, name)),
        commands=add_to_hosts(context.source, name, context.destination),
    )
