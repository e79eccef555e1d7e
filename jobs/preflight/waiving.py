"""What a named person has accepted is no blocker any more, and says so. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

from jobs.preflight.findings import Finding, Severity
from jobs.preflight.registry import CRASHED, NOT_EVALUATED


@dataclass(frozen=True, slots=True)
class GivenWaiver:
    """`words` say who, why and until when."""

    check_id: str
    subject: str
    words: str


def apply_waivers(findings: Iterable[Finding], given: Iterable[GivenWaiver]) -> tuple[Finding, ...]:
    """Waived blockers become warnings that say who waived them; in the order they came."""
    words = {(waiver.check_id, waiver.subject): waiver.words for waiver in given}
    return tuple(_waived(finding, words.get((finding.id, finding.subject), "")) for finding in findings)


def may_be_waived(finding: Finding) -> bool:
    """Never what nobody knows: a check that crashed or that lacked a fact."""
    return (
        finding.waivable
        and finding.severity is Severity.BLOCKER
        and finding.id not in {CRASHED, NOT_EVALUATED}
    )


def _waived(finding: Finding, words: str) -> Finding:
    if not words or not may_be_waived(finding):
        return finding
    return dataclasses.replace(finding, severity=Severity.WARNING, waived=words)
