"""What the commands print: findings and outcomes, as JSON with documented keys or as sentences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hosts.models import Guest, Host
from jobs.models import Migration
from jobs.preflight.by_hand import FAMILY_WORDS
from jobs.preflight.findings import Finding, Severity
from jobs.services.preflight import Evaluation

MARKS = {Severity.BLOCKER: "✗ blocker", Severity.WARNING: "! warning", Severity.INFO: "i info   "}

# Part of the commands' documented output: kept, and nothing added beside them.
FINDING_KEYS = ("id", "severity", "subject", "message", "evidence", "remedy")


def findings_data(findings: tuple[Finding, ...]) -> list[dict[str, Any]]:
    """`evidence` is an object: whose fact → what it is."""
    return [
        {
            "id": finding.id,
            "severity": finding.severity.value,
            "subject": finding.subject,
            "message": finding.message,
            "evidence": dict(finding.evidence),
            "remedy": finding.remedy,
        }
        for finding in findings
    ]


def stored_findings_data(data: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same keys from what a migration has stored."""
    return [
        {key: finding.get(key, "") for key in FINDING_KEYS}
        | {"evidence": dict(finding.get("evidence") or ())}
        for finding in data
    ]


def migration_data(migration: Migration) -> dict[str, Any]:
    """The documented keys of `move --json`. None: not known (yet)."""
    return {
        "id": migration.pk,
        "phase": migration.phase,
        "verdict": migration.verdict or None,
        "source_state": migration.source_state or None,
        "destination_state": migration.destination_state or None,
        "duration_ms": migration.duration_ms,
        "downtime_ms": migration.downtime_ms,
        "findings": stored_findings_data(migration.findings_data),
        "error": migration.error_text or None,
    }


def print_findings(out: Any, guest: Guest, destination: Host, evaluation: Evaluation) -> None:
    out.write(f"{guest.name}: {guest.host.name} → {destination.name}: {evaluation.verdict.value}")
    for finding in evaluation.findings:
        out.write(f"  {MARKS[finding.severity]}  {finding.id}  {finding.subject}: {finding.message}")
        for line in _details(finding):
            out.write(f"               {line}")
    out.write(f"  {evaluation.virsh_line}")


def _details(finding: Finding) -> Iterator[str]:
    yield from (f"{whose}: {fact}" for whose, fact in finding.evidence)
    if finding.waived:
        yield finding.waived
    if finding.remedy:
        yield f"→ {finding.remedy}"
    for commands in finding.commands:
        yield f"on {commands.host} ({FAMILY_WORDS[commands.family]}), as root:"
        yield from (f"  {line}" for line in commands.lines)
