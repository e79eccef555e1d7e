"""Room for the guest's memory and processors on the destination."""

from __future__ import annotations

from collections.abc import Iterator

from jobs.preflight.context import PreflightContext
from jobs.preflight.findings import Severity
from jobs.preflight.memory import (
    best_huge_room,
    free_in,
    huge_bytes,
    more_huge_pages,
    require_free_pages,
    strict_nodes,
)
from jobs.preflight.registry import NotEvaluated, Said, check
from jobs.preflight.say import (
    blocker,
    both,
    facts_of,
    gib,
    graded,
    guest,
    host,
    require_read,
    sends_memory,
    warning,
)


@check(
    "memory.headroom",
    title="The destination has free memory for the guest and for the moves already planned",
    source="peers; QEMU takes all memory at once where it is locked or preallocated; libvirt: virNodeGetFreePages",
    waivable=True,
    severities=(Severity.BLOCKER, Severity.WARNING),
)
def check_memory(context: PreflightContext) -> Iterator[Said]:
    if not sends_memory(context):
        return
    free = require_read(context.destination, "free memory").memory_free_bytes
    if free is None:
        name = context.destination.name
        raise NotEvaluated(f"how much memory {name} has free", f"Connect {name} and refresh it.")
    facts, planned = context.guest.facts, context.planned_memory_bytes
    # Huge pages are set aside when the host starts: they are no part of what it calls free.
    needed = max(facts.memory_bytes - huge_bytes(facts), 0)
    if needed + planned > free:
        more = f", moves already planned take {gib(planned)}" if planned else ""
        yield blocker(
            host(context.destination),
            f"{context.destination.name} has {gib(free)} of memory free; the guest needs "
            f"{gib(needed)}{more}.",
            "Choose another destination, or stop or shrink a guest there.",
            evidence=(
                ("guest", str(needed)),
                ("planned", str(planned)),
                (context.destination.name, str(free)),
            ),
        )
    yield from _check_huge_pages(context)
    yield from _check_nodes(context, needed)


def _check_huge_pages(context: PreflightContext) -> Iterator[Said]:
    there = context.destination
    for demand in context.guest.facts.huge_pages:
        free = require_free_pages(there)
        room = best_huge_room(free, demand.page_bytes, strict_nodes(context.guest.facts))
        if room >= demand.memory_bytes:
            continue
        size = gib(demand.page_bytes) if demand.page_bytes >= 2**20 else "any size"
        yield blocker(
            guest(context),
            f"The guest needs {gib(demand.memory_bytes)} in huge pages of {size}; {there.name} has {gib(room)} of "
            "them free where the guest may be.",
            f"Set more of them aside on {there.name}, or choose another destination.",
            evidence=(("guest", str(demand.memory_bytes)), (there.name, str(room))),
            commands=more_huge_pages(there, demand),
        )


def _check_nodes(context: PreflightContext, needed: int) -> Iterator[Said]:
    """Memory bound to NUMA nodes must fit there. What is free in one node does not count what the kernel gives back,
    so only a node that is too small blocks."""
    nodes, there = strict_nodes(context.guest.facts), context.destination
    cells = [cell for cell in facts_of(there).cells if cell.cell in nodes]
    if not cells or not needed:
        return  # cpu.pinning speaks of nodes that are not there
    total, free = sum(cell.memory_bytes for cell in cells), free_in(facts_of(there).free_pages, nodes)
    if needed > total or (free is not None and needed > free):
        words = ",".join(str(node) for node in sorted(nodes))
        yield graded(
            needed > total,
            guest(context),
            f"The guest's memory is bound to NUMA node {words}; it needs {gib(needed)}, and on {there.name} "
            f"{gib(total if needed > total else free or 0)} {'is' if needed > total else 'is free'} there.",
            "Change the binding for the destination, or choose another one.",
            evidence=(("guest", str(needed)), (there.name, f"{total} in all, {free} free")),
        )


@check(
    "cpu.headroom",
    title="The guest has no more processors than the destination",
    source="peers; QEMU runs it, but slower than it was",
    waivable=True,
    severities=(Severity.WARNING,),
    unevaluated=Severity.WARNING,
)
def check_cpus(context: PreflightContext) -> Iterator[Said]:
    cpus, wanted = facts_of(context.destination).cpus, context.guest.facts.vcpus
    if wanted > cpus:
        yield warning(
            host(context.destination),
            f"The guest has {wanted} processors, {context.destination.name} only {cpus}.",
            "Choose a larger destination, or expect the guest to be slow.",
            evidence=both(context, f"{wanted} in the guest", f"{cpus} in the host"),
        )
