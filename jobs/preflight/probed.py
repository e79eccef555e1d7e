"""Facts that libvirt cannot tell, for checks: they are there, or it is said how to make them known. Pure."""

from __future__ import annotations

from hosts.facts.probe import HostProbe, PeerProbe, Probe, ProbeState
from jobs.options import Control, Kind
from jobs.preflight.context import HostSide, PreflightContext
from jobs.preflight.registry import NotEvaluated


def probe_of(side: HostSide) -> HostProbe:
    """What the host said of itself over SSH. Raises NotEvaluated, in the same words for all that want it."""
    if side.probe is None or side.probe.why_unknown:
        raise _never_told(side)
    return side.probe


def _never_told(side: HostSide) -> NotEvaluated:
    how = f"Connect {side.name} over SSH, or give it a probe login in its form."
    why = (
        f"{side.probe.why_unknown.rstrip('.')}. {how}"
        if side.probe is not None
        else f"{how} Then refresh it."
    )
    return NotEvaluated(f"what only {side.name} itself can tell", why)


def both_probes(context: PreflightContext) -> tuple[HostProbe, HostProbe]:
    """The source's and the destination's. Raises NotEvaluated for the first that is missing."""
    return probe_of(context.source), probe_of(context.destination)


def peer_answer(context: PreflightContext, field: str) -> Probe:
    """One answer of the source about the destination; UNKNOWN where it was not asked."""
    if context.peer_probe is None:
        return Probe(ProbeState.UNKNOWN)
    answer: Probe = getattr(context.peer_probe, field)
    return answer


def peer_unknown(context: PreflightContext, what: str, why: str = "") -> NotEvaluated:
    """What the source could not say of the destination; one finding for all of it where it could not be asked."""
    if context.source.probe is not None and context.source.probe.why_unknown:
        return _never_told(context.source)
    how = (
        f"Connect {context.source.name} over SSH, or give it a probe login, so that it can be asked; otherwise "
        "libvirt will tell at the start of the move."
    )
    return NotEvaluated(what, f"{why.rstrip('.')}. {how}" if why else how)


def tried_ports(probe: PeerProbe | None, wanted: tuple[int, int]) -> bool:
    """Whether these are the ports the source has tried; a probe that does not say has tried the registered ones."""
    return probe is not None and probe.tried_ports in {(0, 0), wanted}


def sends_directly(context: PreflightContext) -> bool:
    """Memory goes from QEMU to QEMU: not in an offline move, and not through libvirt's tunnel."""
    return context.options.kind is not Kind.OFFLINE and context.options.control is not Control.TUNNELLED
