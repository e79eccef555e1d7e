"""A guest that has arrived paused and was not resumed since."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hosts.facts.domain import DomainState
from jobs.preflight.context import PreflightContext
from jobs.preflight.registry import Said, check
from jobs.preflight.say import blocker, facts_of, guest, is_state, sends_memory

# QEMU 10.0 keeps account of which side owns the disks; older ones assume that a source has opened them.
FIXED_IN_QEMU: Final = 10_000_000


@check(
    "state.paused-since-arrival",
    title="The guest has run on its host since it arrived",
    source="measured: QEMU 7.2 aborts (bdrv_inactivate_recurse: !(bs->open_flags & BDRV_O_INACTIVE)) when a guest "
    "that arrived paused is sent on before it ran; its memory is lost",
    waivable=False,
)
def check_ran_since_arrival(context: PreflightContext) -> Iterator[Said]:
    if not is_state(context, DomainState.PAUSED) or not sends_memory(context):
        return
    old = facts_of(context.source).hypervisor_version < FIXED_IN_QEMU
    if old and context.guest.extra.get("ran_here") == "no":
        yield blocker(
            guest(context),
            "The guest is paused and has not run since it came here; this QEMU would crash and lose its memory.",
            f"Let it run for a moment first: virsh resume {context.guest.name} && virsh suspend {context.guest.name}.",
            evidence=((context.source.name, "its processors have not run here"),),
        )
