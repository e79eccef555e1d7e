"""The answer of judge: where the guest is, how sure that is, and what may safely be done. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Verdict(enum.StrEnum):
    MOVED = "moved"
    NOT_MOVED = "not-moved"
    STILL_MOVING = "still-moving"
    UNKNOWN = "unknown"
    NEEDS_OPERATOR = "needs-operator"


class Action(enum.StrEnum):
    """What can be done next. After each, both hosts are asked and judged again."""

    WAIT = "wait"
    UNDEFINE_SOURCE = "undefine-source"
    DESTROY_SOURCE = "destroy-source"
    RESUME_SOURCE = "resume-source"
    SUSPEND_SOURCE_ALARM = "suspend-source-alarm"  # split brain: stop the older half at once, tell a person
    RESUME_DESTINATION = "resume-destination"
    DESTROY_DESTINATION = "destroy-destination"  # only a copy whose processors never ran
    DEFINE_DESTINATION = "define-destination"  # from its own live XML
    DEFINE_SOURCE = "define-source"  # from the definition saved before the move
    RECOVER_POSTCOPY = (
        "recover-postcopy"  # pause the post-copy job (ABORT_JOB_POSTCOPY), then POSTCOPY_RESUME
    )
    START_SOURCE = "start-source"
    START_DESTINATION = "start-destination"


@dataclass(frozen=True, slots=True)
class Judgement:
    """`actions` may be done without asking, in this order, one reading after each; `offers` only by a
    person's word.

    Before anything but WAIT is done the hosts are read again after `second_reading_after_s`; it is done only
    when the second judgement says the same. `sentence` is for operators, `help_desk` for who answers the
    phone.
    """

    verdict: Verdict
    sentence: str
    help_desk: str
    actions: tuple[Action, ...] = ()
    offers: tuple[Action, ...] = ()
    second_reading_after_s: int = 0
