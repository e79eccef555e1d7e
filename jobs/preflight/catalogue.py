"""The catalogue of checks as a document, made from the register so that it is never out of date. Pure."""

from __future__ import annotations

from typing import Final

from jobs.preflight.findings import Severity
from jobs.preflight.registry import CRASHED, NOT_EVALUATED, Check, list_checks

HEAD: Final = f"""# Preflight checks

Made by `manage.py` from the checks themselves; do not edit. Ids are part of the API and are never renamed.

All findings are reported at once. A blocker stops the move unless it can be waived and a named person waives
it; a warning does not. What a check cannot see is never taken for right: a missing fact is `{NOT_EVALUATED}`,
a check that fails itself is `{CRASHED}`.

"""
COLUMNS: Final = (
    "| id | what must hold | severity | when not known | waivable | source |\n|---|---|---|---|---|---|\n"
)


def render_catalogue() -> str:
    """Markdown, ending in one newline."""
    return HEAD + COLUMNS + "".join(_row(registered) for registered in list_checks())


def _row(registered: Check) -> str:
    cells = (
        f"`{registered.id}`",
        registered.title,
        _words(registered.severities),
        registered.unevaluated.value,
        "yes" if registered.waivable else "no",
        registered.source,
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _words(severities: tuple[Severity, ...]) -> str:
    return ", ".join(severity.value for severity in severities)
