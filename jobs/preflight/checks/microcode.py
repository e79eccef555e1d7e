"""Whether both processors run the same microcode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from hosts.facts.host import HostCpu
from jobs.preflight.by_hand_system import update_microcode
from jobs.preflight.context import HostSide, PreflightContext
from jobs.preflight.findings import Severity
from jobs.preflight.registry import NotEvaluated, Said, check, pair_part
from jobs.preflight.say import both, facts_of, host, warning


@pair_part("host.microcode")
@check(
    "host.microcode",
    title="Both hosts run the same level of microcode",
    source="SUSE virtualization guide: same microcode on both hosts",
    waivable=True,
    severities=(Severity.WARNING,),
    unevaluated=Severity.WARNING,
)
def check_microcode(context: PreflightContext) -> Iterator[Said]:
    source, destination = facts_of(context.source).cpu, facts_of(context.destination).cpu
    if not _comparable(source, destination):
        return  # levels of different processors are no order; cpu.features compares those
    here, there = _level(context.source, source), _level(context.destination, destination)
    if here != there:
        older = context.source if here < there else context.destination
        yield warning(
            host(older),
            f"{older.name} runs older microcode than the other host; CPU features and fixes may differ.",
            "Update the microcode of both hosts to the same level and start them anew.",
            evidence=both(context, hex(here), hex(there)),
            commands=update_microcode(older),
        )


def _comparable(source: HostCpu, destination: HostCpu) -> bool:
    if source.architecture not in {"x86_64", "i686"}:
        return False  # others have none that can be read
    same = (source.architecture, source.vendor, source.model)
    return same == (destination.architecture, destination.vendor, destination.model)


def _level(side: HostSide, cpu: HostCpu) -> int:
    """libvirt says it as a number, the kernel as 0x…"""
    for text in (cpu.microcode, side.probe.microcode if side.probe is not None else ""):
        with suppress(ValueError):
            return int(text, 0)
    raise NotEvaluated(
        f"the microcode of {side.name}", f"See on {side.name}: grep -m1 microcode /proc/cpuinfo"
    )
