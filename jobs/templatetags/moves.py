"""How figures, times and moves are written on the pages. None always means: not known, shown as a dash."""

from __future__ import annotations

from datetime import datetime

from django import template

from jobs.services import move_view

register = template.Library()

DASH = "\N{EN DASH}"
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


@register.filter
def amount(value: float | None) -> str:
    """Bytes → "112 MiB", always with its unit; three figures at most."""
    if value is None:
        return DASH
    number, unit = float(value), 0
    while abs(number) >= 1024 and unit < len(_UNITS) - 1:
        number, unit = number / 1024, unit + 1
    digits = 1 if unit and number < 10 else 0
    return f"{number:.{digits}f} {_UNITS[unit]}"


@register.filter
def rate(value: float | None) -> str:
    """Bytes per second → "112 MiB/s"."""
    return DASH if value is None else f"{amount(value)}/s"


@register.filter
def span(milliseconds: float | None) -> str:
    """Milliseconds → "180 ms", "4.2 s", "3 min 05 s", "2 h 07 min"."""
    if milliseconds is None:
        return DASH
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 9_950:
        return f"{milliseconds / 1000:.1f} s"
    seconds = round(milliseconds / 1000)
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {seconds:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


@register.filter
def exact(moment: datetime | None) -> str:
    """A time as it is told in a tooltip: "2026-11-23 14:05:09 UTC"."""
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


@register.simple_tag
def dock_rows() -> move_view.Dock:
    """What the task dock shows now, so that the first paint of any page already has it."""
    return move_view.read_dock()
