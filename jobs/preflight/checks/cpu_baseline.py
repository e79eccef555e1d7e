"""Whether each host can give its guests the processor that the other one gives its own."""

from __future__ import annotations

from collections.abc import Iterator

from jobs.preflight.context import HostSide, PreflightContext
from jobs.preflight.findings import Finding, Severity
from jobs.preflight.registry import NotEvaluated, Said, check, pair_part
from jobs.preflight.say import both, host, info, warning


@pair_part("cpu.baseline")
def check_baseline_of_pair(context: PreflightContext) -> Iterator[Said]:
    if context.host_cpus is None:
        raise NotEvaluated(
            f"whether {context.source.name} and {context.destination.name} can run each other's processor",
            "Both have to answer; the pair is read anew when its page is opened.",
        )
    yield from check_baseline(context)


@check(
    "cpu.baseline",
    title="Each host can give its guests the processor that the other gives its own (host-model)",
    source="libvirt: compareHypervisorCPU with the host-model of the other host",
    waivable=True,
    severities=(Severity.WARNING, Severity.INFO),
    unevaluated=Severity.WARNING,
)
def check_baseline(context: PreflightContext) -> Iterator[Said]:
    """Of the pair; the guest's own processor is what cpu.features is about."""
    if context.host_cpus is None:
        return
    there, here = context.host_cpus
    for side, other, comparison in (
        (context.destination, context.source, there),
        (context.source, context.destination, here),
    ):
        if comparison.result == "unknown":
            yield NotEvaluated(
                f"whether {side.name} can run the processor of {other.name}",
                f"libvirt on {side.name} says: {comparison.detail or 'nothing'}",
            )
        elif comparison.result == "incompatible":
            yield _lacking(context, side, other, comparison.detail)


def _lacking(context: PreflightContext, side: HostSide, other: HostSide, detail: str) -> Finding:
    """On the way there it is a warning; on the way back, only worth knowing."""
    say = warning if side is context.destination else info
    return say(
        host(side),
        f"{side.name} cannot give its guests all that the processor of {other.name} has: guests with the CPU mode "
        f"host-model that are started on {other.name} cannot move to {side.name}.",
        "Give guests that are to move between the two a CPU model that both have: virsh hypervisor-cpu-baseline",
        evidence=both(context, *_words(side is context.destination, detail)),
    )


def _words(forward: bool, detail: str) -> tuple[str, str]:
    lacks = detail or "lacks features of it"
    return ("its host-model", lacks) if forward else (lacks, "its host-model")
