"""What every page needs: icons, states in colour, shape and word, sizes in MiB and GiB, ages with the exact time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import template
from django.http import HttpRequest
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html, format_html_join
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
            kind,
            text,
            icon(symbol),
            text,
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


@register.simple_tag(takes_context=True)
def query(context: dict[str, Any], **changes: Any) -> str:
    """The address's query with some values changed; None removes one."""
    values = context["request"].GET.copy()
    for name, value in changes.items():
        if value is None:
            values.pop(name, None)
        else:
            values[name] = str(value)
    return str(values.urlencode())


@register.inclusion_tag("components/_sort.html", takes_context=True)
def sort_header(context: dict[str, Any], name: str, label: str, extra: str = "") -> dict[str, Any]:
    """A column head that sorts: once upwards, once downwards."""
    order = context["order"]
    wanted = f"-{name}" if order.name == name and not order.descending else name
    return {
        "order": order,
        "name": name,
        "label": label,
        "class": extra,
        "href": query(context, sort=wanted, page=None),
    }


@register.simple_tag(takes_context=True)
def tab(context: dict[str, Any], name: str, label: str, counted: Any = None) -> SafeString:
    """A tab of the page: an address of its own, so that back, reload and bookmarks work."""
    count = len(counted) if isinstance(counted, (tuple, list)) else counted
    number = format_html(' <span class="count">{}</span>', count) if count not in (None, "") else ""
    here = SafeString(' aria-current="page"') if context["tab"] == name else ""
    return format_html(
        '<a class="tab" id="tab-{}" href="{}?tab={}"{}>{}{}</a>',
        name,
        context["request"].path,
        name,
        here,
        label,
        number,
    )


@register.inclusion_tag("components/_code_line.html")
def code_line(text: str) -> dict[str, str]:
    return {"text": text}


@register.simple_tag
def copyable(text: Any) -> SafeString:
    """A short text in code with a copy button beside it."""
    return format_html(
        '<span class="inline-copy"><code class="break">{}</code><button class="btn-copy" type="button" data-copy="{}" '
        'aria-label="Copy {}" title="Copy">{}</button></span>',
        text, text, text, icon("copy"),
    )  # fmt: skip


@register.simple_tag
def pool_state(facts: Any) -> SafeString:
    return state("active" if facts.active else "inactive")


@register.filter
def source_text(pool: Any) -> str:
    """What is behind a pool, without its type, which stands in a column of its own."""
    return str(pool.source).removeprefix(f"{pool.type} ")


@register.filter
def fullness(place: Any) -> str:
    used = percent_of(place.used_bytes, place.facts.capacity_bytes)
    return "is-full" if used >= 95 else "is-high" if used >= 85 else ""


@register.filter
def memory_used_percent(facts: Any) -> int:
    return (
        0
        if facts.memory_free_bytes is None
        else percent_of(facts.memory_bytes - facts.memory_free_bytes, facts.memory_bytes)
    )


_CREDENTIALS = {
    "ssh_private_key": "SSH key", "sasl_username": "SASL user", "sasl_password": "SASL password",
    "tls_ca": "CA certificate", "tls_certificate": "client certificate", "tls_key": "client key",
}  # fmt: skip
_STEPS = {
    "address": "Address", "name": "Name", "port": "Port", "host-key": "Host key", "certificate": "Certificate",
    "login": "Login", "daemon": "libvirt", "version": "Version", "permission": "Permission",
}  # fmt: skip


@register.filter
def credential(key: str) -> str:
    return _CREDENTIALS.get(key, key)


@register.filter
def step_name(step: str) -> str:
    return _STEPS.get(str(step), str(step))


@register.filter
def unbroken(text: str) -> SafeString:
    """A command, or several on lines of their own, whose words are kept whole where a line ends."""
    lines = [
        format_html_join(" ", '<span class="word">{}</span>', ((word,) for word in line.split(" ")))
        for line in text.split("\n")
    ]
    return format_html_join("\n", "{}", ((line,) for line in lines))


@register.filter
def words(text: str) -> list[str]:
    return text.split()


@register.filter
def field_label(name: str, form: Any) -> str:
    return str(form.fields[name].label or name) if name in form.fields else "the form"


@register.inclusion_tag("components/_field.html")
def part_field(parts: Any, name: str) -> dict[str, Any]:
    return {"field": parts[f"part_{name}"]}


@register.inclusion_tag("hosts/_secret.html", takes_context=True)
def secret(context: dict[str, Any], name: str) -> dict[str, Any]:
    """A write-only field: it says that something is stored, never what."""
    form = context["form"]
    cleared = form.data.getlist("clear") if form.is_bound else ()
    return {"field": form[name], "is_stored": name in context["stored"], "is_cleared": name in cleared}
