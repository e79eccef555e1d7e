"""A finding: one thing a check says about one subject. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Severity(enum.StrEnum):
    INFO = "info"
    WARNING = "warning"
    BLOCKER = "blocker"


class Verdict(enum.StrEnum):
    READY = "ready"
    WARNINGS = "warnings"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Finding:
    """`evidence` is the facts as text pairs, both sides named ("mercury": "x86_64"). `remedy` says what to do
    next."""

    id: str  # slug, API, never renamed: "disk.cache-unsafe"
    severity: Severity
    subject: str  # what it is about: "disk vda", "host jupiter"
    message: str
    evidence: tuple[tuple[str, str], ...] = ()
    remedy: str = ""


def judge_findings(findings: tuple[Finding, ...]) -> Verdict:
    severities = {finding.severity for finding in findings}
    if Severity.BLOCKER in severities:
        return Verdict.BLOCKED
    return Verdict.WARNINGS if Severity.WARNING in severities else Verdict.READY
