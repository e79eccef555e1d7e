"""Whether the hosts agree on the time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from jobs.preflight.by_hand_system import synchronise_clock
from jobs.preflight.context import HostSide, PreflightContext
from jobs.preflight.findings import Severity
from jobs.preflight.probed import both_probes, probe_of
from jobs.preflight.registry import NotEvaluated, Said, check, pair_part
from jobs.preflight.say import graded, host, warning

# The guide wants agreement; a guest whose clock jumps by seconds loses timers, tickets and cluster memberships.
WARN_MS: Final = 1000
BLOCK_MS: Final = 5000


@pair_part("time.host")
@check(
    "time.host",
    title="The clocks of both hosts agree and are synchronised",
    source="SUSE virtualization guide: both hosts use the same time source",
    waivable=True,
    severities=(Severity.BLOCKER, Severity.WARNING),
    unevaluated=Severity.WARNING,
    help_desk="The clocks of the two hosts differ; the guest's own clock could jump. Tell your operators.",
)
def check_host_time(context: PreflightContext) -> Iterator[Said]:
    yield from _check_offset(context)
    for side in (context.source, context.destination):
        yield from _check_synchronised(side)


def _check_offset(context: PreflightContext) -> Iterator[Said]:
    source, destination = both_probes(context)
    clocks = [(probe.clock_offset_ms, probe.clock_error_ms) for probe in (source, destination)]
    for side, (offset, error) in zip((context.source, context.destination), clocks, strict=True):
        if offset is None or error is None:
            raise NotEvaluated(f"the time on {side.name}", f"See on {side.name}: date +%s%N")
    apart_ms = (clocks[1][0] or 0) - (clocks[0][0] or 0)
    error_ms = sum(error or 0 for _, error in clocks)
    certain_ms = abs(apart_ms) - error_ms
    if certain_ms < WARN_MS:
        return
    word = "ahead of" if apart_ms > 0 else "behind"
    yield graded(
        certain_ms > BLOCK_MS,
        host(context.destination),
        f"The clock of {context.destination.name} is {abs(apart_ms) / 1000:.1f} s {word} that of "
        f"{context.source.name}; the guest's time would jump by that.",
        "Let both follow the same time source, and set them right once: chronyc makestep",
        evidence=tuple(
            (side.name, f"{offset:+d} ms from this console, ±{error} ms")
            for side, (offset, error) in zip((context.source, context.destination), clocks, strict=True)
        ),
        commands=(*synchronise_clock(context.source), *synchronise_clock(context.destination)),
    )


def _check_synchronised(side: HostSide) -> Iterator[Said]:
    synchronised = probe_of(side).clock_synchronised
    if synchronised is None:
        yield NotEvaluated(
            f"whether the clock of {side.name} is synchronised",
            f"Neither chronyc nor ntpq nor timedatectl tells it on {side.name}. Install chrony there.",
            Severity.INFO,  # what the guest feels is the difference, and that was measured
        )
    elif not synchronised:
        yield warning(
            host(side),
            f"The clock of {side.name} follows no time source; it will drift away from the others.",
            "Install chrony, let it run and give it the time source of the other hosts.",
            evidence=((side.name, "not synchronised"),),
            commands=synchronise_clock(side),
        )
