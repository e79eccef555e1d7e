"""How full a pool is, in one word. Pure."""

from __future__ import annotations

import enum

from hosts.facts.storage import PoolFacts


class Fill(enum.StrEnum):
    OK = "ok"
    WARN = "warn"
    ALARM = "alarm"
    UNKNOWN = "unknown"  # not active, or of a kind that tells no sizes


def judge_fill(pool: PoolFacts, *, warn_percent: int, alarm_percent: int) -> Fill:
    percent = used_percent(pool)
    if percent is None:
        return Fill.UNKNOWN
    if percent >= alarm_percent:
        return Fill.ALARM
    return Fill.WARN if percent >= warn_percent else Fill.OK


def used_percent(pool: PoolFacts) -> float | None:
    """What is no longer available, of the whole; None: not known. libvirt keeps old figures of a stopped pool."""
    if not pool.active or pool.capacity_bytes <= 0:
        return None
    used = pool.capacity_bytes - pool.available_bytes
    return min(100.0, max(0.0, 100 * used / pool.capacity_bytes))
