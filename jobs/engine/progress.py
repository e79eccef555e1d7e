"""Statistics of libvirt → what people see of a move. A reducer: never backwards, never done before it is.
Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from hosts.facts.jobstats import JobStats

# Before both hosts were asked nothing is complete, whatever the numbers say.
HIGHEST_PERCENT: Final = 99
# QEMU's default limit on the pause, from which it decides that the rest may be sent at once (migrate
# downtime-limit).
DEFAULT_MAX_DOWNTIME_MS: Final = 300
MAX_ETA_S: Final = 7 * 24 * 3600


class Step(enum.StrEnum):
    """The steps in their order; a move never goes back to an earlier one."""

    SETUP = "setup"
    DISKS = "disks"
    MEMORY = "memory"
    SWITCH_OVER = "switch-over"
    POSTCOPY = "post-copy"
    CONFIRMING = "confirming"


class NoEta(enum.StrEnum):
    """Why no time is named."""

    MEASURING = "measuring"
    NOT_CONVERGING = "will not converge at this bandwidth"
    STALLED = "nothing is being sent"


_RANK: Final = {step: rank for rank, step in enumerate(Step)}


@dataclass(frozen=True, slots=True)
class DiskCopy:
    """How far the copy of one disk is. Bytes."""

    target: str
    done_bytes: int
    total_bytes: int

    @property
    def percent(self) -> int:
        return min(self.done_bytes * 100 // self.total_bytes, 100) if self.total_bytes > 0 else 0


@dataclass(frozen=True, slots=True)
class ProgressSample:
    """One moment of a move. Bytes, bytes per second, milliseconds; None: not reported or not known yet.

    Exactly one of `eta_s` and `no_eta` is set before confirming.
    """

    step: Step
    percent: int
    pass_number: int
    elapsed_ms: int
    data_processed_bytes: int = 0
    data_remaining_bytes: int = 0
    data_total_bytes: int = 0
    memory_processed_bytes: int | None = None
    memory_remaining_bytes: int | None = None
    memory_total_bytes: int | None = None
    disk_processed_bytes: int | None = None
    disk_remaining_bytes: int | None = None
    disk_total_bytes: int | None = None
    transfer_bytes_per_s: int | None = None
    dirty_bytes_per_s: int | None = None  # None: measuring
    eta_s: int | None = None
    no_eta: NoEta | None = None
    expected_downtime_ms: int | None = None
    throttle_percent: int | None = None
    disks: tuple[DiskCopy, ...] = ()

    @property
    def words(self) -> str:
        """In a few words: memory pass 3, disks, switch-over."""
        return f"memory pass {max(self.pass_number, 1)}" if self.step is Step.MEMORY else self.step.value


def advance_progress(
    previous: ProgressSample | None,
    stats: JobStats,
    elapsed_ms: int,
    *,
    guest_memory_bytes: int = 0,
    postcopy: bool = False,
    switching: bool = False,
    disks: tuple[DiskCopy, ...] = (),
) -> ProgressSample:
    """The next sample.

    `guest_memory_bytes` counts as still to send while disks go first and libvirt does not report memory yet.
    `postcopy` and `switching` come from the domain's state (reason postcopy…, or paused for the migration):
    the statistics alone do not tell.
    """
    step = _later(previous, _find_step(stats, postcopy=postcopy, switching=switching))
    total, remaining = _weigh(stats, guest_memory_bytes)
    rate = _transfer_rate(previous, stats, elapsed_ms)
    dirty = stats.memory_dirty_bytes_per_s or None
    eta_s, no_eta = _estimate(stats, step, remaining, rate, dirty)
    return ProgressSample(
        step=step,
        percent=max(previous.percent if previous else 0, _percent(total, remaining)),
        pass_number=max(previous.pass_number if previous else 0, stats.memory_iteration or 0),
        elapsed_ms=max(previous.elapsed_ms if previous else 0, elapsed_ms),
        data_processed_bytes=_processed(stats),
        data_remaining_bytes=remaining,
        data_total_bytes=total,
        memory_processed_bytes=stats.memory_processed_bytes,
        memory_remaining_bytes=stats.memory_remaining_bytes,
        memory_total_bytes=stats.memory_total_bytes,
        disk_processed_bytes=stats.disk_processed_bytes,
        disk_remaining_bytes=stats.disk_remaining_bytes,
        disk_total_bytes=stats.disk_total_bytes,
        transfer_bytes_per_s=rate,
        dirty_bytes_per_s=dirty,
        eta_s=eta_s,
        no_eta=no_eta,
        expected_downtime_ms=stats.downtime_ms,
        throttle_percent=stats.auto_converge_throttle_percent or None,
        disks=_merge_disks(previous.disks if previous else (), disks),
    )


def confirming_sample(previous: ProgressSample | None, elapsed_ms: int) -> ProgressSample:
    """libvirt's call is over and both hosts are being asked: all is sent, nothing is sure."""
    if previous is None:
        return ProgressSample(Step.CONFIRMING, 0, 0, elapsed_ms)
    return ProgressSample(
        step=Step.CONFIRMING,
        percent=previous.percent,
        pass_number=previous.pass_number,
        elapsed_ms=max(previous.elapsed_ms, elapsed_ms),
        data_processed_bytes=previous.data_processed_bytes,
        data_total_bytes=previous.data_total_bytes,
        disks=previous.disks,
    )


def _merge_disks(before: tuple[DiskCopy, ...], now: tuple[DiskCopy, ...]) -> tuple[DiskCopy, ...]:
    """Never backwards: what the guest writes meanwhile is copied again, and a job that is over tells nothing."""
    merged = {disk.target: disk for disk in before}
    for disk in now:
        old = merged.get(disk.target)
        total = max(disk.total_bytes, old.total_bytes if old else 0)
        merged[disk.target] = DiskCopy(disk.target, max(disk.done_bytes, old.done_bytes if old else 0), total)
    return tuple(merged.values())


def _find_step(stats: JobStats, *, postcopy: bool, switching: bool) -> Step:
    if stats.type == "completed":
        return Step.CONFIRMING
    if postcopy:
        return Step.POSTCOPY
    if switching:
        return Step.SWITCH_OVER
    if stats.memory_iteration:
        return Step.MEMORY
    # Disks go to 100 % first; they stay mirrored, so a little remains while memory is sent.
    return Step.DISKS if stats.disk_total_bytes else Step.SETUP


def _later(previous: ProgressSample | None, step: Step) -> Step:
    if previous is None:
        return step
    return max(previous.step, step, key=lambda candidate: _RANK[candidate])


def _weigh(stats: JobStats, guest_memory_bytes: int) -> tuple[int, int]:
    """(total, remaining) in bytes of disks and memory together."""
    if stats.memory_total_bytes is None and stats.disk_total_bytes is None:
        return max(stats.data_total_bytes or 0, 0), max(stats.data_remaining_bytes or 0, 0)
    memory_total, memory_remaining = stats.memory_total_bytes or 0, stats.memory_remaining_bytes or 0
    if not stats.memory_iteration and not memory_total:
        memory_total = memory_remaining = guest_memory_bytes
    total = memory_total + (stats.disk_total_bytes or 0)
    return max(total, 0), max(memory_remaining + (stats.disk_remaining_bytes or 0), 0)


def _percent(total: int, remaining: int) -> int:
    if total <= 0:
        return 0
    return min(max((total - remaining) * 100 // total, 0), HIGHEST_PERCENT)


def _processed(stats: JobStats) -> int:
    if stats.data_processed_bytes is not None:
        return max(stats.data_processed_bytes, 0)
    return max((stats.memory_processed_bytes or 0) + (stats.disk_processed_bytes or 0), 0)


def _transfer_rate(previous: ProgressSample | None, stats: JobStats, elapsed_ms: int) -> int | None:
    """libvirt's own figures; they are absent while zero, so then the difference to the last sample."""
    told = (stats.memory_bytes_per_s or 0) + (stats.disk_bytes_per_s or 0)
    if told > 0:
        return told
    if previous is None or elapsed_ms <= previous.elapsed_ms:
        return None
    sent = max(_processed(stats) - previous.data_processed_bytes, 0)
    return sent * 1000 // (elapsed_ms - previous.elapsed_ms)


def _estimate(
    stats: JobStats, step: Step, remaining: int, rate: int | None, dirty: int | None
) -> tuple[int | None, NoEta | None]:
    """Seconds left, or why none can be named. Pre-copy: remaining / rate / (1 - dirty / rate)."""
    if step in {Step.SWITCH_OVER, Step.CONFIRMING}:
        return 0, None
    if rate is None or step is Step.SETUP:
        return None, NoEta.MEASURING
    if rate == 0:
        return None, NoEta.STALLED
    if step is Step.POSTCOPY or dirty is None or _fits_the_pause(stats):
        return min(remaining // rate, MAX_ETA_S), None
    if dirty >= rate:
        return None, NoEta.NOT_CONVERGING
    return min(remaining // (rate - dirty), MAX_ETA_S), None


def _fits_the_pause(stats: JobStats) -> bool:
    """QEMU's own test for the switch-over."""
    return stats.downtime_ms is not None and 0 < stats.downtime_ms <= DEFAULT_MAX_DOWNTIME_MS
