"""What to do with a move that does not end: acts on a clock, never on a lack of progress. Pure.

A limit on progress was tried by others and killed healthy moves; only bytes that do not move at all are a
fault.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from hosts.facts.jobstats import JobStats
from jobs.options import MoveOptions, TimeoutAction

# Measured: a dropped data link freezes the figures for ever while control works; TCP gives up after some 15
# minutes.
STALL_LIMIT_MS: Final = 60_000


class Steer(enum.StrEnum):
    NOTHING = "nothing"
    SUSPEND = "suspend"
    START_POSTCOPY = "start-postcopy"


def decide_steer(
    options: MoveOptions, stats: JobStats, elapsed_ms: int, *, suspended: bool, in_postcopy: bool
) -> Steer:
    """What the options ask for at this moment. `suspended` and `in_postcopy`: already done or seen."""
    if in_postcopy or stats.type not in {"bounded", "unbounded"}:
        return Steer.NOTHING
    if options.postcopy_after_precopy and options.postcopy and (stats.memory_iteration or 0) >= 2:
        return Steer.START_POSTCOPY
    if options.timeout_s is None or elapsed_ms < options.timeout_s * 1000:
        return Steer.NOTHING
    if options.timeout_action is TimeoutAction.POSTCOPY:
        # Before memory is being sent libvirt refuses to switch; asked again at the next look.
        return Steer.START_POSTCOPY if options.postcopy and stats.memory_iteration else Steer.NOTHING
    return Steer.NOTHING if suspended else Steer.SUSPEND


@dataclass(frozen=True, slots=True)
class StallWatch:
    """The last figure that moved, and when."""

    processed_bytes: int
    moved_at_ms: int


def advance_stall(watch: StallWatch | None, stats: JobStats, elapsed_ms: int) -> StallWatch:
    """Call with every reading. Figures that go down (a new job) count as movement."""
    processed = stats.data_processed_bytes
    if watch is None:
        return StallWatch(processed or 0, elapsed_ms)
    if processed is None or processed == watch.processed_bytes:
        return watch
    return StallWatch(processed, elapsed_ms)


def is_stalled(watch: StallWatch | None, elapsed_ms: int, *, in_postcopy: bool = False) -> bool:
    """True after 60 s without one byte: cancelling is safe and advised. Never in post-copy, which cannot
    be."""
    if watch is None or in_postcopy:
        return False
    return elapsed_ms - watch.moved_at_ms >= STALL_LIMIT_MS
