"""The catalogue of checks as a document, made from the register so that it is never out of date. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from jobs.preflight.findings import FixKind, Severity
from jobs.preflight.registry import ASK_OPERATORS, CRASHED, NOT_EVALUATED, Check, list_checks

# The first word of an id, in the order people read them.
CONCERNS: Final = {
    "host": "Hosts",
    "libvirt": "Reaching libvirt",
    "kind": "Kind of move and options",
    "state": "State of the guest",
    "name": "Names and UUIDs",
    "cpu": "Processors",
    "memory": "Memory",
    "load": "Load",
    "disk": "Disks and storage",
    "network": "Network",
    "graphics": "Graphics consoles",
    "device": "Devices",
    "firmware": "Firmware",
    "security": "Security",
    "ids": "Users and groups",
    "time": "Time",
    "guest": "Worth knowing of the guest",
}
BUTTONS: Final = {
    FixKind.EJECT_MEDIA: "eject the media",
    FixKind.CACHE_NONE: "set cache='none' from the next start on",
    FixKind.START_POOL: "start the pool",
    FixKind.CREATE_POOL: "create the pool as the source defines it",
    FixKind.CREATE_VOLUME: "create the empty volume",
    FixKind.START_NETWORK: "start the network",
    FixKind.ACCEPT_HOST_KEY: "let the source know the destination's SSH host key",
}
HEAD: Final = f"""# Preflight checks

Made from the checks and their cases by `python -m tests.jobs.preflight.write_catalogue`; do not edit. Ids are part of
the API and are never renamed.

All findings are reported at once. A blocker stops the move unless it can be waived and a named person waives
it; a warning does not. An installation can make the warnings of checks it names block, too
(`VM_MIGRATE_PREFLIGHT_HARDEN`). What a check cannot see is never taken for right: a missing fact is `{NOT_EVALUATED}`,
a check that fails itself is `{CRASHED}`; neither can be waived.

Whoever may not change anything reads this, unless another text is given below:
“{ASK_OPERATORS}”

Below each table: where a check comes from, and what the product offers to do about it. Buttons ask before they change
anything.

Each check has cases that fail it and cases that nearly do in `tests/data/checks`, most of them from real libvirt XML.
"""
COLUMNS: Final = "| check | what must hold | severity | when not known | waivable |\n|---|---|---|---|---|\n"


@dataclass(frozen=True, slots=True)
class Offer:
    """What the findings of one check were seen to offer: buttons, and commands to run by hand."""

    buttons: frozenset[FixKind] = frozenset()
    commands: bool = False


def render_catalogue(offers: Mapping[str, Offer]) -> str:
    """Markdown, ending in one newline. `offers` by check id; a check that is not in it offers nothing."""
    groups = groupby(sorted(list_checks(), key=_place), key=_concern)
    return HEAD + "".join(_group(concern, tuple(checks), offers) for concern, checks in groups)


def _concern(registered: Check) -> str:
    return registered.id.partition(".")[0]


def _place(registered: Check) -> tuple[int, str]:
    """A concern without a title comes last, under its own word."""
    order = list(CONCERNS)
    concern = _concern(registered)
    return (order.index(concern) if concern in CONCERNS else len(order), registered.id)


def _group(concern: str, checks: tuple[Check, ...], offers: Mapping[str, Offer]) -> str:
    title = CONCERNS.get(concern, concern.capitalize())
    rows = "".join(_row(registered) for registered in checks)
    details = "\n".join(
        line for registered in checks for line in _details(registered, offers.get(registered.id, Offer()))
    )
    return f"\n## {title}\n\n{COLUMNS}{rows}\n{details}\n"


def _row(registered: Check) -> str:
    cells = (
        f"`{registered.id}`",
        _text(registered.title),
        _words(registered.severities),
        registered.unevaluated.value,
        "yes" if registered.waivable else "no",
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _details(registered: Check, offer: Offer) -> Iterator[str]:
    yield f"- `{registered.id}`: {_text(registered.source.rstrip('.'))}."
    if registered.help_desk != ASK_OPERATORS:
        yield f"  - Help desk: “{_text(registered.help_desk)}”"
    offered = [words for kind, words in BUTTONS.items() if kind in offer.buttons]
    if offered:
        yield f"  - Buttons: {', '.join(offered)}."
    if offer.commands:
        yield "  - Commands to copy are shown."


def _text(words: str) -> str:
    """Names of XML elements are no HTML."""
    return words.replace("<", "\\<")


def _words(severities: tuple[Severity, ...]) -> str:
    return ", ".join(severity.value for severity in severities)
