"""What every page needs: icons, states in colour, shape and word, sizes in MiB and GiB, ages with the exact time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import template
from django.http import HttpRequest
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from hosts.facts.host import version_text
from hosts.models import Contact, Host
from hosts.views.counts import read_counts
from hosts.views.outline import read_outline

register = template.Library()

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")

# State of a guest or host → (class, icon). The word is always written beside them.
_STATES = {
    "running": ("running", "play-fill"),
    "blocked": ("running", "play-fill"),
    "paused": ("paused", "pause-fill"),
    "suspended": ("paused", "moon"),
    "shutting down": ("paused", "hourglass-split"),
    "shut off": ("off", "stop-fill"),
    "crashed": ("bad", "x-octagon-fill"),
    "no state": ("unknown", "question-diamond"),
    "moving": ("moving", "arrow-left-right"),
    "gone": ("off", "dash-circle"),
    "reachable": ("running", "check-circle-fill"),
    "active": ("running", "play-fill"),
    "inactive": ("off", "stop-fill"),
    "silent": ("silent", "exclamation-triangle-fill"),
    "never reached": ("silent", "question-circle"),
    "disabled": ("off", "slash-circle"),
}
_UNKNOWN_STATE = ("unknown", "question-diamond")


@register.simple_tag
def icon(name: str, extra: str = "") -> SafeString:
    """One symbol of the vendored sprite; decoration only, the word stands beside it."""
    return format_html(
        '<svg class="icon {}" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        extra,
        static("vendor/icons.svg"),
        name,
    )


@register.simple_tag
def state(value: str, words: str = "", *, bare: bool = False) -> SafeString:
    """`{% state "running" %}`: colour, shape and word. `bare` keeps the word for screen readers and the tooltip."""
    kind, symbol = _STATES.get(str(value), _UNKNOWN_STATE)
    text = words or str(value)
    if bare:
        return format_html(
            '<span class="state state-{} state-only" title="{}">{}<span class="visually-hidden">{}</span></span>',
            kind, text, icon(symbol), text,
        )
    return format_html('<span class="state state-{}">{}<span>{}</span></span>', kind, icon(symbol), text)


def host_word(host: Host) -> str:
    """The one word for a host: disabled, silent, never reached or reachable."""
    return "disabled" if not host.enabled else Contact(host.contact).label


@register.filter
def word(host: Host) -> str:
    return host_word(host)


@register.simple_tag
def host_state(host: Host, *, bare: bool = False) -> SafeString:
    return state(host_word(host), bare=bare)


@register.filter
def size(count: int | None) -> str:
    """Bytes as people read them: 512 MiB, 1.5 GiB. None is "unknown", not zero."""
    if count is None:
        return "unknown"
    value, unit = float(count), 0
    while abs(value) >= 1024 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    digits = 0 if unit == 0 or value >= 100 or value == int(value) else 1
    return f"{value:.{digits}f}\u00a0{_UNITS[unit]}"


@register.filter
def version(number: int | None) -> str:
    return version_text(number) if number else "unknown"


def age_words(moment: datetime, now: datetime | None = None) -> str:
    """now, 40 s ago, 5 min ago, 3 h ago, 2 days ago. shell.js writes the same words as time goes by."""
    seconds = int(((now or timezone.now()) - moment).total_seconds())
    if seconds < 5:
        return "now"
    for limit, length, unit in ((60, 1, "s"), (3600, 60, "min"), (48 * 3600, 3600, "h")):
        if seconds < limit:
            return f"{seconds // length} {unit} ago"
    return f"{seconds // 86400} days ago"


@register.filter
def age(moment: datetime | None) -> SafeString | str:
    """A relative time that keeps itself right in the browser, with the exact time in the tooltip."""
    if moment is None:
        return "never"
    exact = moment.astimezone(timezone.get_current_timezone()).strftime("%Y-%m-%d %H:%M:%S %Z")
    return format_html(
        '<time datetime="{}" title="{}" data-age>{}</time>', moment.isoformat(), exact, age_words(moment)
    )


@register.filter
def duration(value: timedelta | int | None) -> str:
    """A timedelta or milliseconds: 240 ms, 4.2 s, 3 min 5 s."""
    if value is None:
        return "unknown"
    milliseconds = int(value.total_seconds() * 1000) if isinstance(value, timedelta) else int(value)
    if milliseconds < 1000:
        return f"{milliseconds}\u00a0ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:.1f}\u00a0s"
    minutes, seconds = divmod(milliseconds // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"


@register.filter
def percent_of(part: int | None, whole: int | None) -> int:
    return 0 if not part or not whole else min(100, round(part * 100 / whole))


@register.inclusion_tag("hosts/_tree_pane.html", takes_context=True)
def tree(context: dict[str, Any]) -> dict[str, Any]:
    """The tree of hosts and guests, as unfolded in this browser."""
    request: HttpRequest = context["request"]
    return {"outline": read_outline(request), "request": request}


@register.inclusion_tag("hosts/_status.html")
def status_bar() -> dict[str, Any]:
    return {"counts": read_counts()}
