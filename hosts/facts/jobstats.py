"""Statistics of a migration job as libvirt reports them. None always means: not reported. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class JobStats:
    """One reading of virDomainGetJobStats. Bytes, milliseconds, bytes per second.

    `downtime_ms` is the expected downtime while the job runs and the measured one in completed statistics.
    `memory_dirty_bytes_per_s` is libvirt's pages/s times its page size; 0 in the first pass: not yet known.
    """

    type: str  # none, bounded, unbounded, completed, failed, cancelled
    operation: str = ""  # migration-out, …
    time_elapsed_ms: int | None = None
    setup_time_ms: int | None = None
    downtime_ms: int | None = None
    data_total_bytes: int | None = None
    data_processed_bytes: int | None = None
    data_remaining_bytes: int | None = None
    memory_total_bytes: int | None = None
    memory_processed_bytes: int | None = None
    memory_remaining_bytes: int | None = None
    memory_bytes_per_s: int | None = None
    memory_dirty_bytes_per_s: int | None = None
    memory_page_size_bytes: int | None = None
    memory_iteration: int | None = None
    memory_postcopy_requests: int | None = None
    disk_total_bytes: int | None = None
    disk_processed_bytes: int | None = None
    disk_remaining_bytes: int | None = None
    disk_bytes_per_s: int | None = None
    auto_converge_throttle_percent: int | None = None
    error_message: str = ""


# virDomainJobType and virDomainJobOperation by number, as libvirt 9.0's headers order them.
_TYPES = ("none", "bounded", "unbounded", "completed", "failed", "cancelled")
_OPERATIONS = (
    "",
    "start",
    "save",
    "restore",
    "migration-in",
    "migration-out",
    "snapshot",
    "snapshot-revert",
    "dump",
    "backup",
    "snapshot-delete",
)

# libvirt's typed parameter (VIR_DOMAIN_JOB_*) → our field.
_FIELDS = {
    "time_elapsed": "time_elapsed_ms",
    "setup_time": "setup_time_ms",
    "downtime": "downtime_ms",
    "data_total": "data_total_bytes",
    "data_processed": "data_processed_bytes",
    "data_remaining": "data_remaining_bytes",
    "memory_total": "memory_total_bytes",
    "memory_processed": "memory_processed_bytes",
    "memory_remaining": "memory_remaining_bytes",
    "memory_bps": "memory_bytes_per_s",
    "memory_page_size": "memory_page_size_bytes",
    "memory_iteration": "memory_iteration",
    "memory_postcopy_requests": "memory_postcopy_requests",
    "disk_total": "disk_total_bytes",
    "disk_processed": "disk_processed_bytes",
    "disk_remaining": "disk_remaining_bytes",
    "disk_bps": "disk_bytes_per_s",
    "auto_converge_throttle": "auto_converge_throttle_percent",
}


def parse_job_stats(stats: Mapping[str, object], *, completed: bool = False) -> JobStats:
    """libvirt-python's jobStats() dictionary → JobStats. `completed`: asked for the record of the last job,
    whose `type` some libvirts leave out. Raises ValueError for values that are no numbers."""
    numbers: dict[str, int] = {}
    for name, field in _FIELDS.items():
        value = _number(stats, name)
        if value is not None:
            numbers[field] = value
    return JobStats(
        type=_word(_TYPES, _number(stats, "type"), "completed" if completed else "none"),
        operation=_word(_OPERATIONS, _number(stats, "operation"), ""),
        memory_dirty_bytes_per_s=_dirty_bytes_per_s(stats),
        error_message=str(stats.get("errmsg") or ""),
        **numbers,
    )


def _number(stats: Mapping[str, object], name: str) -> int | None:
    value = stats.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"The job statistic {name} is not a whole number: {value!r:.60}")
    return value


def _word(words: tuple[str, ...], number: int | None, missing: str) -> str:
    if number is None:
        return missing
    return words[number] if number < len(words) else f"unknown ({number})"


def _dirty_bytes_per_s(stats: Mapping[str, object]) -> int | None:
    """Pages per second times the page size; 4 KiB where an old libvirt does not say it."""
    pages = _number(stats, "memory_dirty_rate")
    return None if pages is None else pages * (_number(stats, "memory_page_size") or 4096)
