"""Write docs/checks.md anew: python -m tests.jobs.preflight.write_catalogue"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from jobs.preflight.catalogue import Offer, render_catalogue
from jobs.preflight.context import PreflightContext
from jobs.preflight.findings import Finding
from jobs.preflight.registry import run_checks
from tests.jobs.preflight.cases import CASES
from tests.jobs.preflight.data_folders import list_cases, load_context

DOCUMENT: Final = Path(__file__).parents[3] / "docs" / "checks.md"


def render_document() -> str:
    return render_catalogue(_offers(_failing_contexts()))


def _failing_contexts() -> Iterable[PreflightContext]:
    yield from (case[3] for case in CASES)
    yield from (load_context(case.folder) for case in list_cases() if case.fails)


def _offers(contexts: Iterable[PreflightContext]) -> dict[str, Offer]:
    """What the cases' findings really offer, not what somebody says they do."""
    offers: dict[str, Offer] = {}
    for finding in (finding for context in contexts for finding in run_checks(context)):
        offers[finding.id] = _with(offers.get(finding.id, Offer()), finding)
    return offers


def _with(offer: Offer, finding: Finding) -> Offer:
    buttons = offer.buttons | ({finding.fix.kind} if finding.fix is not None else set())
    return Offer(buttons, offer.commands or bool(finding.commands))


if __name__ == "__main__":
    DOCUMENT.write_text(render_document(), encoding="utf-8")
