"""Short forms for checks: findings without an id, and facts that must be there. Pure."""

from __future__ import annotations

from functools import partial
from typing import Final

from hosts.facts.domain import ACTIVE_STATES, DomainState
from hosts.facts.host import HostFacts
from jobs.options import Kind
from jobs.preflight.context import HostSide, Neighbour, PreflightContext
from jobs.preflight.findings import Commands, Finding, Fix, Severity
from jobs.preflight.registry import NotEvaluated

Evidence = tuple[tuple[str, str], ...]

_ACTIVE_WORDS: Final = frozenset(state.value for state in ACTIVE_STATES)


def _say(
    severity: Severity, subject: str, message: str, remedy: str = "", *, evidence: Evidence = (),
    fix: Fix | None = None, commands: tuple[Commands, ...] = (),
) -> Finding:  # fmt: skip
    return Finding("", severity, subject, message, evidence, remedy, fix=fix, commands=commands)


blocker = partial(_say, Severity.BLOCKER)
warning = partial(_say, Severity.WARNING)
info = partial(_say, Severity.INFO)


def graded(
    severe: bool, subject: str, message: str, remedy: str = "", *, evidence: Evidence = (), fix: Fix | None = None,
    commands: tuple[Commands, ...] = (),
) -> Finding:  # fmt: skip
    """A blocker where severe, else a warning."""
    severity = Severity.BLOCKER if severe else Severity.WARNING
    return _say(severity, subject, message, remedy, evidence=evidence, fix=fix, commands=commands)


def host(side: HostSide) -> str:
    return f"host {side.name}"


def guest(context: PreflightContext) -> str:
    return f"guest {context.guest.name}"


def facts_of(side: HostSide) -> HostFacts:
    """Raises NotEvaluated when the host was never read."""
    if side.facts is None:
        raise NotEvaluated(f"what {side.name} is", f"Connect {side.name} and refresh it.")
    return side.facts


def require_read(side: HostSide, what: str) -> HostFacts:
    """The facts of a host, `what` of them really read: an empty list of what could not be read proves
    nothing."""
    facts = facts_of(side)
    for unread, why in facts.unread:
        if unread == what:
            raise NotEvaluated(f"{what} of {side.name}", f"libvirt on {side.name} says: {why}")
    return facts


def neighbours_of(context: PreflightContext) -> tuple[Neighbour, ...]:
    if context.neighbours is None:
        name = context.destination.name
        raise NotEvaluated(f"which guests are on {name}", f"Connect {name} and refresh it.")
    return context.neighbours


def is_active(neighbour: Neighbour) -> bool:
    return neighbour.state in _ACTIVE_WORDS


def both(context: PreflightContext, source: object, destination: object) -> Evidence:
    """The same fact of both hosts, side by side."""
    return ((context.source.name, str(source)), (context.destination.name, str(destination)))


def sends_memory(context: PreflightContext) -> bool:
    return context.options.kind is not Kind.OFFLINE


def gib(size_bytes: int) -> str:
    return f"{size_bytes / 2**30:.1f} GiB" if size_bytes >= 2**30 else f"{size_bytes / 2**20:.0f} MiB"


def is_state(context: PreflightContext, *states: DomainState) -> bool:
    return context.guest.status.state in states
