"""How findings are written: evidence as two sides, commands by family, the icon of a severity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import template
from django.utils.safestring import SafeString

from hosts.templatetags.ui import icon
from jobs.preflight.by_hand import FAMILY_WORDS
from jobs.preflight.findings import Commands, Finding, Severity

register = template.Library()

_ICONS = {
    Severity.BLOCKER: "x-octagon-fill",
    Severity.WARNING: "exclamation-triangle-fill",
    Severity.INFO: "info-circle-fill",
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """`here` and `there`: what the two hosts say, empty where not both do; `more`: all other facts."""

    here: tuple[str, ...]
    there: tuple[str, ...]
    more: tuple[tuple[str, str], ...]


@register.simple_tag
def evidence(finding: Finding, source: str = "", destination: str = "") -> Evidence:
    """The facts of a finding, those of the two hosts side by side."""
    here = tuple(value for name, value in finding.evidence if source and name == source)
    there = tuple(value for name, value in finding.evidence if destination and name == destination)
    if not (here and there):
        return Evidence((), (), finding.evidence)
    more = tuple(pair for pair in finding.evidence if pair[0] not in {source, destination})
    return Evidence(here, there, more)


@register.simple_tag
def severity_icon(severity: Any) -> SafeString:
    return icon(_ICONS.get(severity, "info-circle-fill"))


@register.filter
def family_words(commands: Commands) -> str:
    """The distributions these commands are for; "" where they are the same everywhere."""
    return FAMILY_WORDS.get(commands.family, commands.family) if commands.family else ""


@register.filter
def command_text(commands: Commands) -> str:
    return "\n".join(commands.lines)
