"""What people see of a move: never backwards, never done before it is, honest about what cannot be said."""

from __future__ import annotations

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from hosts.facts.jobstats import JobStats
from jobs.engine.progress import DiskCopy, NoEta, ProgressSample, Step, advance_progress, confirming_sample

MIB = 2**20


def stats(**changes) -> JobStats:
    values = {
        "type": "unbounded",
        "memory_total_bytes": 1000 * MIB,
        "memory_remaining_bytes": 500 * MIB,
        "memory_processed_bytes": 500 * MIB,
        "data_processed_bytes": 500 * MIB,
        "memory_bytes_per_s": 100 * MIB,
        "memory_iteration": 1,
    }
    return JobStats(**{**values, **changes})


def sample(previous: ProgressSample | None = None, elapsed_ms: int = 1000, **changes) -> ProgressSample:
    hints = {
        name: changes.pop(name)
        for name in ("postcopy", "switching", "guest_memory_bytes", "disks")
        if name in changes
    }
    return advance_progress(previous, stats(**changes), elapsed_ms, **hints)


EMPTY = {
    "memory_total_bytes": None,
    "memory_remaining_bytes": None,
    "memory_processed_bytes": None,
    "data_processed_bytes": None,
    "memory_bytes_per_s": None,
    "memory_iteration": None,
}


def test_before_the_first_figures_it_is_setup():
    first = sample(**EMPTY)
    assert (first.step, first.percent, first.no_eta) == (Step.SETUP, 0, NoEta.MEASURING)


def test_disks_count_with_the_memory_that_is_still_to_come():
    disks = sample(
        **{**EMPTY, "disk_total_bytes": 300 * MIB, "disk_remaining_bytes": 0, "disk_bytes_per_s": MIB},
        guest_memory_bytes=100 * MIB,
    )
    assert (disks.step, disks.percent) == (Step.DISKS, 75)


def test_memory_passes_are_counted():
    third = sample(memory_iteration=3)
    assert (third.step, third.pass_number, third.words, third.percent) == (
        Step.MEMORY,
        3,
        "memory pass 3",
        50,
    )


def test_a_later_pass_does_not_take_percent_back():
    first = sample(memory_remaining_bytes=10 * MIB)
    second = sample(first, 2000, memory_remaining_bytes=400 * MIB, memory_iteration=2)
    assert (first.percent, second.percent) == (99, 99)
    assert second.data_remaining_bytes == 400 * MIB


def test_everything_sent_is_not_done():
    assert sample(memory_remaining_bytes=0).percent == 99
    assert sample(type="completed", memory_remaining_bytes=0).step is Step.CONFIRMING


def test_a_move_never_goes_back_a_step():
    postcopy = sample(postcopy=True)
    assert sample(postcopy, 2000).step is Step.POSTCOPY
    assert sample(confirming_sample(postcopy, 3000), 4000).step is Step.CONFIRMING


def test_time_left_counts_what_the_guest_changes_meanwhile():
    assert sample(memory_dirty_bytes_per_s=None).eta_s == 5
    assert sample(memory_dirty_bytes_per_s=0).eta_s == 5
    assert sample(memory_dirty_bytes_per_s=50 * MIB).eta_s == 10
    assert sample(memory_dirty_bytes_per_s=50 * MIB).no_eta is None


def test_first_pass_measures_the_dirty_rate():
    assert sample(memory_dirty_bytes_per_s=0).dirty_bytes_per_s is None


def test_a_guest_faster_than_the_link_has_no_end():
    """Measured: 8.7 MB/s changed, 8.4 MB/s sent, 31 passes and no end."""
    busy = sample(memory_dirty_bytes_per_s=8_700_000, memory_bytes_per_s=8_400_000, downtime_ms=1960)
    assert (busy.eta_s, busy.no_eta) == (None, NoEta.NOT_CONVERGING)


def test_what_fits_into_the_pause_will_end():
    fits = sample(memory_dirty_bytes_per_s=200 * MIB, downtime_ms=250, memory_remaining_bytes=20 * MIB)
    assert (fits.eta_s, fits.no_eta) == (0, None)


def test_postcopy_only_sends_what_remains():
    assert sample(postcopy=True, memory_dirty_bytes_per_s=500 * MIB).eta_s == 5


def test_rate_is_computed_when_libvirt_does_not_tell():
    first = sample(memory_bytes_per_s=None)
    assert (first.transfer_bytes_per_s, first.no_eta) == (None, NoEta.MEASURING)
    second = sample(first, 3000, memory_bytes_per_s=None, data_processed_bytes=700 * MIB)
    assert second.transfer_bytes_per_s == 100 * MIB
    stalled = sample(second, 4000, memory_bytes_per_s=None, data_processed_bytes=700 * MIB)
    assert (stalled.transfer_bytes_per_s, stalled.no_eta) == (0, NoEta.STALLED)


def test_throttle_and_downtime_are_passed_on():
    throttled = sample(auto_converge_throttle_percent=40, downtime_ms=1200)
    assert (throttled.throttle_percent, throttled.expected_downtime_ms) == (40, 1200)
    assert sample(auto_converge_throttle_percent=0).throttle_percent is None


def test_confirming_keeps_the_percent_below_hundred():
    confirming = confirming_sample(sample(memory_remaining_bytes=0), 2000)
    assert (confirming.step, confirming.percent) == (Step.CONFIRMING, 99)
    assert confirming_sample(None, 5).percent == 0


FIGURES = st.none() | st.integers(min_value=0, max_value=2**45)
READINGS = st.builds(
    JobStats,
    type=st.sampled_from(["unbounded", "bounded", "completed", "none"]),
    **{
        field.name: FIGURES
        for field in dataclasses.fields(JobStats)
        if field.name not in {"type", "operation", "error_message"}
    },
)
MOMENTS = st.tuples(READINGS, st.integers(0, 10**8), st.booleans(), st.booleans())


@given(st.lists(MOMENTS, min_size=1, max_size=12))
def test_any_figures_make_a_progress_that_only_goes_forward(moments):
    previous = None
    order = list(Step)
    for reading, elapsed_ms, postcopy, switching in moments:
        now = advance_progress(previous, reading, elapsed_ms, postcopy=postcopy, switching=switching)
        assert 0 <= now.percent <= 99
        assert (now.eta_s is None) != (now.no_eta is None)
        assert now.eta_s is None or now.eta_s >= 0
        assert now.data_remaining_bytes >= 0
        assert now.transfer_bytes_per_s is None or now.transfer_bytes_per_s >= 0
        if previous is not None:
            assert now.percent >= previous.percent
            assert order.index(now.step) >= order.index(previous.step)
            assert now.elapsed_ms >= previous.elapsed_ms
            assert now.pass_number >= previous.pass_number
        previous = now


def test_the_copy_of_a_disk_never_goes_backwards_and_stays_when_its_job_is_over():
    first = sample(disks=(DiskCopy("vda", 40, 100), DiskCopy("vdb", 5, 50)))
    again = sample(first, 2000, disks=(DiskCopy("vda", 30, 120),))
    assert again.disks == (DiskCopy("vda", 40, 120), DiskCopy("vdb", 5, 50))
    assert confirming_sample(sample(again, 3000), 4000).disks == again.disks
    assert [disk.percent for disk in again.disks] == [33, 10]


def test_a_disk_of_no_size_is_no_division():
    assert DiskCopy("vda", 0, 0).percent == 0
