"""The guest's time stamp counter, which ties it to the frequency of its host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from jobs.preflight.context import PreflightContext
from jobs.preflight.registry import NotEvaluated, Said, check
from jobs.preflight.say import blocker, both, facts_of, guest, sends_memory

# libvirt: TSC_TOLERANCE, in parts per million. The limits of what QEMU calls the same frequency.
TOLERANCE_PPM: Final = 250
GIVEN: Final = frozenset({"require", "force"})


@check(
    "cpu.invtsc",
    title="A guest with an invariant time stamp counter has its frequency fixed",
    source="libvirt: qemuMigrationSrcIsAllowed, “domain has 'invtsc' CPU feature but TSC frequency is not specified”",
    waivable=False,
)
def check_invariant_tsc(context: PreflightContext) -> Iterator[Said]:
    facts = context.guest.facts
    if not sends_memory(context) or facts.tsc_frequency_hz:
        return
    if any(name == "invtsc" and policy in GIVEN for name, policy in facts.cpu.features):
        yield blocker(
            guest(context),
            "The guest was promised a time stamp counter that never changes (invtsc), but its frequency is not "
            "fixed; libvirt refuses to move it.",
            "Take the CPU feature invtsc out of the guest's definition, or fix the frequency there with <timer "
            "name='tsc' frequency='…'/>. It takes effect when the guest is shut off and started.",
            evidence=((context.source.name, "invtsc, no TSC frequency"),),
        )


@check(
    "cpu.tsc-frequency",
    title="The destination can give the guest the time stamp counter frequency it is fixed to",
    source="libvirt: qemuProcessStartValidateTSC; measured: refused (code 67) outside 250 ppm without scaling",
    waivable=True,
)
def check_tsc_frequency(context: PreflightContext) -> Iterator[Said]:
    wanted = context.guest.facts.tsc_frequency_hz
    if not wanted or not sends_memory(context):
        return
    cpu, there = facts_of(context.destination).cpu, context.destination.name
    if cpu.tsc_scaling:
        return
    if cpu.tsc_frequency_hz is None:
        raise NotEvaluated(
            f"the time stamp counter of {there}", f"See: virsh capabilities on {there}, <counter name='tsc'>."
        )
    if abs(wanted - cpu.tsc_frequency_hz) > cpu.tsc_frequency_hz * TOLERANCE_PPM // 1_000_000:
        yield blocker(
            guest(context),
            f"The guest's time stamp counter is fixed to {wanted} Hz; that of {there} has {cpu.tsc_frequency_hz} Hz "
            "and cannot be scaled.",
            "Choose a host with the same processor frequency or with TSC scaling, or change the <timer name='tsc'> "
            "of the guest; it takes effect at its next start.",
            evidence=both(context, f"{wanted} Hz in the guest", f"{cpu.tsc_frequency_hz} Hz, no scaling"),
        )
