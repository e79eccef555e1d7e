"""Room for the guest's memory and processors on the destination."""

from __future__ import annotations

from collections.abc import Iterator

from jobs.preflight.context import PreflightContext
from jobs.preflight.findings import Severity
from jobs.preflight.registry import NotEvaluated, Said, check
from jobs.preflight.say import blocker, both, facts_of, gib, guest, host, require_read, sends_memory, warning


@check(
    "memory.headroom",
    title="The destination has free memory for the guest and for the moves already planned",
    source="peers; QEMU takes all memory at once where it is locked or preallocated",
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
    needed, planned = context.guest.facts.memory_bytes, context.planned_memory_bytes
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
    if context.guest.facts.hugepages:
        yield warning(
            guest(context),
            f"The guest uses huge pages; whether {context.destination.name} has enough of them was "
            "not checked.",
            f"See: virsh freepages --all on {context.destination.name}.",
            evidence=((context.source.name, "huge pages"),),
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
