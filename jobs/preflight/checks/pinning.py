"""Processors and NUMA nodes that the guest is tied to by number."""

from __future__ import annotations

from collections.abc import Iterator

from hosts.facts.domain import DomainFacts
from hosts.facts.host import HostFacts
from hosts.facts.placement import MAX_CPU, parse_set
from jobs.preflight.arriving import arriving_facts
from jobs.preflight.by_hand import anywhere
from jobs.preflight.context import PreflightContext
from jobs.preflight.findings import Severity
from jobs.preflight.registry import Said, check
from jobs.preflight.say import facts_of, graded, guest, sends_memory

NUMBERS_ARE_EACH_HOSTS_OWN = (
    "Change the pinning in the definition for the destination, or choose a host with the same layout."
)


@check(
    "cpu.pinning",
    title="The processors and NUMA nodes the guest is pinned to exist on the destination",
    source="measured: without any of the CPUs “cannot set CPU affinity” (code 38), with some the guest runs on "
    "these; “NUMA node N is unavailable” (code 67) whatever the mode",
    waivable=True,
    severities=(Severity.BLOCKER, Severity.WARNING),
)
def check_pinning(context: PreflightContext) -> Iterator[Said]:
    """Offline it is a warning: the guest will not start there."""
    facts, there = arriving_facts(context), facts_of(context.destination)
    yield from _check_cpus(context, facts, there)
    yield from _check_nodes(context, facts, there)


def _check_cpus(context: PreflightContext, facts: DomainFacts, there: HostFacts) -> Iterator[Said]:
    if not facts.cpu_pins:
        return
    known = {number for cell in there.cells for number in cell.cpus} or set(
        range(min(there.cpus, MAX_CPU + 1))
    )
    for what, words in facts.cpu_pins:
        wanted = parse_set(words)
        if wanted <= known:
            continue
        some = bool(wanted & known)
        effect = "it would run on the others only" if some else "the guest cannot start there"
        yield graded(
            not some and sends_memory(context),
            guest(context),
            f"{what.capitalize()} of the guest is pinned to CPU {words}; {context.destination.name} does not have "
            f"{'all' if some else 'any'} of these: {effect}.",
            NUMBERS_ARE_EACH_HOSTS_OWN,
            evidence=((context.source.name, f"{what}: {words}"), (context.destination.name, _words(known))),
            commands=anywhere(context.destination, "virsh capabilities | grep '<cpu id='"),
        )


def _check_nodes(context: PreflightContext, facts: DomainFacts, there: HostFacts) -> Iterator[Said]:
    known = {cell.cell for cell in there.cells} or {0}
    for mode, words in facts.memory_nodes:
        if not parse_set(words) <= known:
            yield graded(
                sends_memory(context),
                guest(context),
                f"The guest's memory is bound to NUMA node {words} ({mode}); {context.destination.name} does not "
                "have all of these, and libvirt refuses to start it there.",
                NUMBERS_ARE_EACH_HOSTS_OWN,
                evidence=((context.source.name, f"node {words}"), (context.destination.name, _words(known))),
                commands=anywhere(context.destination, "virsh freepages --all"),
            )


def _words(numbers: set[int]) -> str:
    """{0, 1, 2, 5} → "0-2,5"."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(f"{first}" if first == last else f"{first}-{last}" for first, last in runs)
