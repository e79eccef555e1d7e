"""Whether both hosts are in one subnet, so that a guest keeps its network."""

from __future__ import annotations

from collections.abc import Iterator

from jobs.preflight.context import PreflightContext
from jobs.preflight.findings import Severity
from jobs.preflight.probed import both_probes
from jobs.preflight.registry import NotEvaluated, Said, check, pair_part
from jobs.preflight.say import both, host, warning
from jobs.preflight.subnets import common_subnets, shown


@pair_part("network.subnet")
@check(
    "network.subnet",
    title="Both hosts have an address in the same subnet",
    source="SUSE virtualization guide: hosts in the same subnet, so that guests keep their connections",
    waivable=True,
    severities=(Severity.WARNING,),
    unevaluated=Severity.WARNING,
)
def check_subnet(context: PreflightContext) -> Iterator[Said]:
    source, destination = both_probes(context)
    for side, probe in ((context.source, source), (context.destination, destination)):
        if not probe.addresses:
            raise NotEvaluated(f"which addresses {side.name} has", f"See on {side.name}: ip -o addr show")
    if not common_subnets(source, destination):
        yield warning(
            host(context.destination),
            f"{context.source.name} and {context.destination.name} are in no common subnet; a guest with an "
            "address of its present network may not be reachable after the move.",
            "Give both hosts a bridge into the guests' own network, or a VLAN that spans both sites.",
            evidence=both(context, shown(source.addresses), shown(destination.addresses)),
        )
