"""Whether the destination gives the guest the CPU it runs with."""

from __future__ import annotations

from collections.abc import Iterator

from hosts.facts.host import HostCpu
from jobs.preflight.context import PreflightContext
from jobs.preflight.findings import Severity
from jobs.preflight.registry import NotEvaluated, Said, check
from jobs.preflight.say import both, facts_of, graded, guest, sends_memory, warning

PORTABLE = "Give the guest a named CPU model both hosts have; it takes effect at its next start."


@check(
    "cpu.host-model",
    title="The guest's CPU is not passed through from its host",
    source="SUSE virtualization guide: host-passthrough is not supported for migration",
    waivable=True,
    severities=(Severity.BLOCKER, Severity.WARNING),
    unevaluated=Severity.WARNING,
)
def check_passthrough(context: PreflightContext) -> Iterator[Said]:
    mode = context.guest.facts.cpu.mode
    if mode not in {"host-passthrough", "maximum"} or not sends_memory(context):
        return
    source, destination = facts_of(context.source).cpu, facts_of(context.destination).cpu
    differing = _differences(source, destination)
    same = (
        "they look alike, but nobody can prove it"
        if not differing
        else f"they differ in {', '.join(differing)}"
    )
    yield graded(
        bool(differing) and mode == "host-passthrough",
        guest(context),
        f"The guest's CPU mode is {mode}: it needs two hosts with identical processors; {same}.",
        PORTABLE,
        evidence=both(context, _words(source), _words(destination)),
    )


def _differences(source: HostCpu, destination: HostCpu) -> list[str]:
    pairs = {
        "model": (source.model, destination.model),
        "vendor": (source.vendor, destination.vendor),
        "microcode": (source.microcode, destination.microcode),
        "features": (sorted(source.features), sorted(destination.features)),
    }
    return [name for name, (here, there) in pairs.items() if here != there]


def _words(cpu: HostCpu) -> str:
    return f"{cpu.vendor} {cpu.model} microcode {cpu.microcode or 'not told'}"


@check(
    "cpu.features",
    title="The destination provides the CPU the guest runs with",
    source="libvirt: virConnectCompareHypervisorCPU (code 91)",
    waivable=True,
    severities=(Severity.BLOCKER, Severity.WARNING),
)
def check_features(context: PreflightContext) -> Iterator[Said]:
    there = context.destination.name
    if not context.guest.facts.cpu.mode:
        return  # QEMU's own default model, which goes with the machine type (host.versions)
    if context.destination_reading is None:
        raise NotEvaluated(f"whether {there} provides the guest's CPU", f"Check again when {there} answers.")
    cpu = context.destination_reading.cpu
    if cpu.result == "incompatible":
        missing = missing_features(cpu.detail)
        named = f"; it lacks {missing}" if missing else ""
        yield graded(
            sends_memory(context),
            guest(context),
            f"{there} does not provide the CPU the guest runs with{named}.",
            PORTABLE,
            evidence=(
                (context.source.name, context.guest.facts.cpu.model or "expanded"),
                (there, cpu.detail),
                *((("missing", missing),) if missing else ()),
            ),
        )
    elif cpu.result not in {"identical", "superset"}:
        yield _not_compared(context, cpu.detail)


def missing_features(detail: str) -> str:
    """The names in libvirt's words: "… does not provide required features: avx512f, hle"; "" where it gives none."""
    _, found, names = detail.partition("required features: ")
    return names.strip().rstrip(".") if found else ""


def _not_compared(context: PreflightContext, detail: str) -> Said:
    """Where libvirt itself cannot compare (other architectures, TCG) it does not refuse either: same CPU,
    warned."""
    source, destination = facts_of(context.source).cpu, facts_of(context.destination).cpu
    there = context.destination.name
    if (source.vendor, source.model) != (destination.vendor, destination.model):
        return NotEvaluated(
            f"whether {there} provides the guest's CPU", detail or f"Update libvirt on {there}."
        )
    return warning(
        guest(context),
        f"libvirt on {there} could not compare the guest's CPU; both hosts have the same processor.",
        "Make the move; libvirt compares once more at its start.",
        evidence=((there, detail),),
    )
