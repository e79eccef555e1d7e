"""Copies of volumes by table and property: what is counted, what is kept, how fast it may go."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hosts.storage_ports import Hole
from jobs.engine.copying import (
    HOLE_AT_ONCE_BYTES,
    MIB,
    CopyProgress,
    Fingerprint,
    Next,
    Origin,
    Pace,
    Tally,
    decide_next,
    find_size_problem,
    length_of,
    split_holes,
)
from jobs.engine.progress import DiskCopy, Step, advance_progress
from jobs.engine.volumes import VolumeState

PIECES = st.lists(st.one_of(st.binary(max_size=300), st.integers(0, 300_000).map(Hole)), max_size=8)
NOW = Origin(64 * MIB, "1795581027.000000001")


def as_read(pieces) -> bytes:
    return b"".join(bytes(piece.length) if isinstance(piece, Hole) else piece for piece in pieces)


@settings(deadline=None)
@given(PIECES)
def test_a_fingerprint_is_what_sha256sum_says_of_the_file(pieces):
    seen = Fingerprint()
    for piece in pieces:
        seen.add(piece)
    contents = as_read(pieces)
    assert (seen.text, seen.length) == (f"sha256:{hashlib.sha256(contents).hexdigest()}", len(contents))


@settings(deadline=None)
@given(PIECES)
def test_a_hole_and_written_zeros_are_the_same_contents(pieces):
    holes, written = Fingerprint(), Fingerprint()
    for piece in pieces:
        holes.add(piece)
    written.add(as_read(pieces))
    assert holes.text == written.text


@settings(deadline=None)
@given(st.lists(st.one_of(st.just(b"x"), st.integers(0, 5 * HOLE_AT_ONCE_BYTES).map(Hole)), max_size=5))
def test_split_holes_are_short_and_lose_nothing(pieces):
    parts = list(split_holes(pieces))
    assert sum(map(length_of, parts)) == sum(map(length_of, pieces))
    assert all(length_of(part) <= HOLE_AT_ONCE_BYTES for part in parts)
    assert [part for part in parts if isinstance(part, bytes)] == [b"x"] * pieces.count(b"x")


@pytest.mark.parametrize(
    ("state", "was", "wanted"),
    [
        (VolumeState.VERIFIED, NOW, Next.KEEP),
        (VolumeState.VERIFIED, Origin(64 * MIB, "another time"), Next.COPY),
        (VolumeState.VERIFIED, Origin(65 * MIB, NOW.modified_at), Next.COPY),
        (VolumeState.VERIFIED, None, Next.COPY),
        (VolumeState.COPIED, NOW, Next.COPY),
        (VolumeState.CREATED, None, Next.COPY),
        (VolumeState.CREATING, None, Next.COPY),
        (VolumeState.REUSED, None, Next.COMPARE),
        (VolumeState.REUSED, NOW, Next.COMPARE),
    ],
)
def test_only_what_was_verified_and_has_not_changed_is_kept(state, was, wanted):
    assert decide_next(state, was, NOW) is wanted


@pytest.mark.parametrize(
    ("there", "format_name", "device", "right"),
    [
        (100, "raw", False, True),
        (99, "raw", False, False),
        (99, "qcow2", False, False),
        (101, "raw", False, False),  # the guest would see a larger disk
        (101, "", True, True),  # a volume group gives whole extents
        (101, "qcow2", False, True),
    ],
)
def test_a_copy_of_another_size_is_found_out(there, format_name, device, right):
    assert (find_size_problem(100, there, format_name, device=device) == "") is right


def test_pace_holds_the_limit_over_many_pieces():
    pace, now = Pace(8, 0.0), 0.0
    for _ in range(64):
        now += pace.wait_s(bytes(MIB // 4), now)
    assert now == pytest.approx((64 - 1) / 4 / 8)


def test_pace_does_not_make_up_for_a_time_in_which_nothing_was_sent():
    pace = Pace(1, 0.0)
    assert pace.wait_s(bytes(MIB), 100.0) == 0
    assert pace.wait_s(bytes(MIB), 100.0) == pytest.approx(1)


def test_holes_and_no_limit_cost_no_time():
    assert Pace(1, 0.0).wait_s(Hole(2**40), 0.0) == 0
    assert Pace(None, 0.0).wait_s(bytes(MIB), 0.0) == 0


def test_progress_counts_reading_back_and_never_passes_its_total():
    tally = Tally("vda", 100)
    tally.copy(100)
    progress = CopyProgress([tally, Tally("vdb", 300)])
    first = progress.read(1000)
    assert (first.disk_total_bytes, first.disk_processed_bytes, first.disk_remaining_bytes) == (800, 100, 700)
    tally.compare(150)
    assert progress.read(2000).disk_processed_bytes == 200


def test_layers_of_a_disk_are_one_disk_to_people():
    progress = CopyProgress([Tally("vda", 10, copied_bytes=10), Tally("vda", 20), Tally("nvram", 5)])
    assert progress.by_disk() == (DiskCopy("vda", 10, 60), DiskCopy("nvram", 0, 10))


def test_a_rate_is_that_of_the_last_seconds():
    tally = Tally("vda", 1000 * MIB)
    progress = CopyProgress([tally])
    assert progress.read(0).disk_bytes_per_s is None
    for second in range(1, 21):
        tally.copy(10 * MIB if second <= 10 else 2 * MIB)
        stats = progress.read(second * 1000)
    assert stats.disk_bytes_per_s == 2 * MIB


def test_a_sample_of_a_copy_is_of_its_disks_with_a_time_left():
    tally = Tally("vda", 100 * MIB)
    progress = CopyProgress([tally])
    sample = advance_progress(None, progress.read(0), 0)
    tally.copy(10 * MIB)
    sample = advance_progress(sample, progress.read(1000), 1000, disks=progress.by_disk())
    assert (sample.step, sample.percent, sample.eta_s) == (Step.DISKS, 5, 19)
    assert sample.disks == (DiskCopy("vda", 10 * MIB, 200 * MIB),)
