"""The figures of a move with their units, and the points of its chart. Reads the database only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jobs.engine.phases import Phase
from jobs.models import Migration


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure with its unit's filter: `kind` is size, rate, span, percent or words."""

    name: str
    label: str
    kind: str
    value: Any
    note: str = ""


FIGURES = (
    ("memory_remaining_bytes", "Memory remaining", "size"),
    ("memory_processed_bytes", "Memory sent", "size"),
    ("memory_total_bytes", "Memory in all", "size"),
    ("disk_remaining_bytes", "Disk remaining", "size"),
    ("disk_processed_bytes", "Disk sent", "size"),
    ("disk_total_bytes", "Disk in all", "size"),
    ("transfer_bytes_per_s", "Transfer rate", "rate"),
    ("dirty_bytes_per_s", "Dirty rate", "rate"),
    ("pass_number", "Memory pass", "words"),
    ("expected_downtime_ms", "Expected pause", "span"),
    ("throttle_percent", "Guest slowed by", "percent"),
)

# Of libvirt's statistics of the completed job (hosts.facts.jobstats.JobStats).
CLOSING_FIGURES = (
    ("memory_processed_bytes", "Memory sent", "size"),
    ("memory_total_bytes", "Memory in all", "size"),
    ("memory_iteration", "Memory passes", "words"),
    ("disk_processed_bytes", "Disk sent", "size"),
    ("memory_bytes_per_s", "Last transfer rate", "rate"),
    ("setup_time_ms", "Set up in", "span"),
    ("time_elapsed_ms", "As libvirt measured", "span"),
    ("auto_converge_throttle_percent", "Guest slowed by", "percent"),
)


def build_figures(move: Migration) -> tuple[Figure, ...]:
    """While it runs always the same places, so that nothing jumps; at the end libvirt's own closing figures,
    or none: the last sample is not how it ended."""
    values, figures = (
        (move.progress_data or {}, FIGURES) if move.active else (move.statistics_data or {}, CLOSING_FIGURES)
    )
    return tuple(
        Figure(name, label, kind, values.get(name), _note(name, move))
        for name, label, kind in figures
        if _applies(name, move) and (move.active or values.get(name) is not None)
    )


def _applies(name: str, move: Migration) -> bool:
    if name.startswith("disk_"):
        return copies_disks(move)
    return name != "throttle_percent" or bool(move.options_data.get("auto_converge"))


def _note(name: str, move: Migration) -> str:
    """Why a figure is not there yet."""
    if (move.progress_data or {}).get(name) is not None or not move.active:
        return ""
    return {"dirty_bytes_per_s": "after the first pass"}.get(name, "")


def copies_disks(move: Migration) -> bool:
    return bool(move.options_data.get("storage", "shared") != "shared")


def build_point(move: Migration) -> dict[str, Any] | None:
    """The latest sample as the chart takes it; None where nothing is being transferred."""
    progress = move.progress_data or {}
    if move.phase not in (Phase.TRANSFERRING, Phase.POSTCOPY) or progress.get("elapsed_ms") is None:
        return None
    return {
        "at_ms": progress["elapsed_ms"],
        "transfer": progress.get("transfer_bytes_per_s") if progress.get("data_total_bytes") else None,
        "dirty": progress.get("dirty_bytes_per_s"),
        "remaining": progress.get("data_remaining_bytes") if progress.get("data_total_bytes") else None,
    }


def read_at_ms(move: Migration) -> int | None:
    """When libvirt gave the figures shown (milliseconds since 1970); None where nothing is being transferred."""
    if move.phase not in (Phase.TRANSFERRING, Phase.POSTCOPY):
        return None
    return (move.progress_data or {}).get("read_at_ms")


def read_points(move: Migration, after_ms: int) -> list[dict[str, Any]]:
    """The stored series behind the chart, oldest first."""
    rows = move.points.filter(at_ms__gt=after_ms).values_list(
        "at_ms", "transfer_bytes_per_s", "dirty_bytes_per_s", "remaining_bytes"
    )
    return [_point(*row) for row in rows]


def _point(at_ms: int, rate: int | None, dirty: int | None, remaining: int | None) -> dict[str, Any]:
    """Nothing remaining and nothing sent: libvirt had no figures yet."""
    known = bool(remaining or rate)
    return {
        "at_ms": at_ms,
        "transfer": rate if known else None,
        "dirty": dirty,
        "remaining": remaining if known else None,
    }
