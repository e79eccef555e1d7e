"""What one host says of one domain when it is asked by UUID, and what the move meant to do. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from hosts.facts.domain import DomainState, DomainStatus
from jobs.engine.plan import Expected, Plan, SwitchOver
from jobs.options import Kind


@dataclass(frozen=True, slots=True)
class Seen:
    """The host answered and has the domain.

    `memory_arriving`: whether the remaining bytes fell between two readings; None when not read twice.
    """

    status: DomainStatus
    memory_arriving: bool | None = None


@dataclass(frozen=True, slots=True)
class Absent:
    """The host answered and has no such domain."""


@dataclass(frozen=True, slots=True)
class Unreachable:
    """The host did not answer. Says nothing about the domain: unknown, never absent."""

    reason: str = ""


Observation = Seen | Absent | Unreachable


@dataclass(frozen=True, slots=True)
class Intent:
    """What the move was to achieve, and what is known beside the two observations."""

    guest: str
    source: str
    destination: str
    kind: Kind = Kind.LIVE
    expected: Expected = Expected.RUNNING
    persistent: bool = True
    undefine_source: bool = True
    arrive_paused: bool = False
    was_paused: bool = False
    destination_defined_before: bool | None = False  # None: not known
    # libvirt reported success. An error says nothing and is the same as not having been called.
    call_succeeded: bool = False
    # False: it is known that libvirt was not asked to move anything.
    call_made: bool = True


class Class(enum.StrEnum):
    """The part of a state that decides. Every observation is in exactly one."""

    SILENT = "silent"
    ABSENT = "absent"
    RUNNING = "running"  # its processors run, or would but for the guest's own wish
    PAUSED = "paused"
    OFF = "off"  # defined, nothing runs
    UNCLEAR = "unclear"  # libvirt itself does not know


_CLASSES = {
    DomainState.RUNNING: Class.RUNNING,
    DomainState.BLOCKED: Class.RUNNING,
    DomainState.SHUTTING_DOWN: Class.RUNNING,
    DomainState.PM_SUSPENDED: Class.RUNNING,
    DomainState.PAUSED: Class.PAUSED,
    DomainState.SHUT_OFF: Class.OFF,
    DomainState.CRASHED: Class.OFF,
    DomainState.NO_STATE: Class.UNCLEAR,
}


def classify(observation: Observation) -> Class:
    if isinstance(observation, Unreachable):
        return Class.SILENT
    if isinstance(observation, Absent):
        return Class.ABSENT
    return _CLASSES[observation.status.state]


def describe(observation: Observation) -> str:
    """In a few words, for sentences: "running (booted)", "not there", "does not answer"."""
    if isinstance(observation, Unreachable):
        return f"does not answer ({observation.reason})" if observation.reason else "does not answer"
    return observation.status.words if isinstance(observation, Seen) else "not there"


def build_intent(plan: Plan, *, call_succeeded: bool = False, call_made: bool = True) -> Intent:
    return Intent(
        guest=plan.guest_name,
        source=plan.source,
        destination=plan.destination,
        kind=plan.options.kind,
        expected=plan.expected,
        persistent=plan.options.persistent,
        undefine_source=plan.undefine_source,
        arrive_paused=plan.switch_over is SwitchOver.ARRIVE_PAUSED and plan.expected is Expected.RUNNING,
        was_paused=plan.was_paused,
        destination_defined_before=plan.destination_defined_before,
        call_succeeded=call_succeeded,
        call_made=call_made,
    )
