"""What is done with a move that does not end: by the clock and by what was asked for, never by lack of
progress."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hosts.facts.jobstats import JobStats
from jobs.engine.convergence import STALL_LIMIT_MS, StallWatch, Steer, advance_stall, decide_steer, is_stalled
from jobs.options import MoveOptions, TimeoutAction

SUSPEND = MoveOptions(timeout_s=10)
POSTCOPY = MoveOptions(timeout_s=10, postcopy=True, timeout_action=TimeoutAction.POSTCOPY)
AFTER_PASS = MoveOptions(postcopy=True, postcopy_after_precopy=True)


def steer(options, elapsed_ms, iteration=1, kind="unbounded", *, suspended=False, in_postcopy=False):
    stats = JobStats(type=kind, memory_iteration=iteration)
    return decide_steer(options, stats, elapsed_ms, suspended=suspended, in_postcopy=in_postcopy)


ROWS = [
    (MoveOptions(), 10**9, {}, Steer.NOTHING),
    (SUSPEND, 9_999, {}, Steer.NOTHING),
    (SUSPEND, 10_000, {}, Steer.SUSPEND),
    (SUSPEND, 10_000, {"suspended": True}, Steer.NOTHING),
    (SUSPEND, 10_000, {"in_postcopy": True}, Steer.NOTHING),
    (SUSPEND, 10_000, {"kind": "completed"}, Steer.NOTHING),
    (SUSPEND, 10_000, {"kind": "none"}, Steer.NOTHING),
    (POSTCOPY, 9_999, {}, Steer.NOTHING),
    (POSTCOPY, 10_000, {}, Steer.START_POSTCOPY),
    (POSTCOPY, 10_000, {"iteration": None}, Steer.NOTHING),
    (POSTCOPY, 10_000, {"in_postcopy": True}, Steer.NOTHING),
    (AFTER_PASS, 10, {"iteration": 1}, Steer.NOTHING),
    (AFTER_PASS, 10, {"iteration": 2}, Steer.START_POSTCOPY),
    (AFTER_PASS, 10, {"iteration": 5, "in_postcopy": True}, Steer.NOTHING),
    (MoveOptions(postcopy_after_precopy=True), 10, {"iteration": 5}, Steer.NOTHING),
]


@pytest.mark.parametrize(("options", "elapsed_ms", "situation", "expected"), ROWS)
def test_what_was_asked_for_is_done_at_its_time(options, elapsed_ms, situation, expected):
    assert steer(options, elapsed_ms, **situation) is expected


@given(
    st.builds(MoveOptions),
    st.integers(0, 10**10),
    st.none() | st.integers(0, 99),
    st.booleans(),
    st.booleans(),
)
def test_postcopy_is_never_started_without_being_allowed(
    options, elapsed_ms, iteration, suspended, in_postcopy
):
    found = steer(options, elapsed_ms, iteration, suspended=suspended, in_postcopy=in_postcopy)
    assert options.postcopy or found is not Steer.START_POSTCOPY
    assert not in_postcopy or found is Steer.NOTHING


def watch_over(figures: list[tuple[int, int | None]]) -> StallWatch | None:
    watch = None
    for elapsed_ms, processed in figures:
        watch = advance_stall(watch, JobStats(type="unbounded", data_processed_bytes=processed), elapsed_ms)
    return watch


def test_a_minute_without_a_byte_is_a_stall():
    watch = watch_over([(0, 5), (1000, 7), (2000, 7), (60_999, 7)])
    assert not is_stalled(watch, 60_999)
    assert is_stalled(watch, 1000 + STALL_LIMIT_MS)


def test_one_byte_a_minute_is_none():
    watch = watch_over([(n * 59_000, n) for n in range(10)])
    assert not is_stalled(watch, 9 * 59_000)


def test_missing_figures_are_no_movement():
    assert is_stalled(watch_over([(0, 5), (30_000, None)]), STALL_LIMIT_MS)


def test_figures_that_start_again_are_movement():
    assert not is_stalled(watch_over([(0, 500), (59_000, 3)]), STALL_LIMIT_MS)


def test_postcopy_is_never_called_stalled_and_nothing_watched_neither():
    assert not is_stalled(StallWatch(5, 0), 10**9, in_postcopy=True)
    assert not is_stalled(None, 10**9)
