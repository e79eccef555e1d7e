"""What the migrate dialog and "Where can it go?" show: candidates, verdicts, choices for a good start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from hosts.facts.domain import DomainState
from hosts.models import Guest, Host
from jobs.models import Migration
from jobs.options import Kind, MoveOptions, Storage
from jobs.preflight.findings import Finding, Severity, Verdict
from jobs.preflight.registry import NOT_EVALUATED
from jobs.services import preflight
from jobs.services.preflight import Candidate, Evaluation
from jobs.services.requests import find_active

_STANDSTILL = {DomainState.SHUT_OFF, DomainState.CRASHED}


@dataclass(frozen=True, slots=True)
class CandidateView:
    """One host a guest could go to."""

    host: Host
    evaluation: Evaluation

    @property
    def state(self) -> str:
        """ready, warnings, blocked, or checking while fresh readings are on their way."""
        if self.evaluation.waiting:
            return "checking"
        return self.evaluation.verdict.value

    @property
    def words(self) -> str:
        blockers, warnings = len(self.evaluation.blockers), len(self.evaluation.warnings)
        if self.evaluation.waiting:
            return "checking…"
        if blockers:
            return _count(blockers, "blocker")
        return _count(warnings, "warning") if warnings else "ready"

    @property
    def why(self) -> str:
        """The first thing in the way, in one line."""
        first = (*self.evaluation.blockers, *self.evaluation.warnings)[:1]
        return first[0].message if first and not self.evaluation.waiting else ""

    @property
    def read_at(self) -> datetime | None:
        return self.evaluation.read_at

    @property
    def findings(self) -> tuple[Finding, ...]:
        """While both hosts are still being asked, what is not known yet is no finding."""
        found = self.evaluation.findings
        if self.evaluation.waiting:
            found = tuple(finding for finding in found if finding.id != NOT_EVALUATED)
        return sort_findings(found)


@dataclass(frozen=True, slots=True)
class Board:
    """All candidates of a guest, best first, for one set of options."""

    candidates: tuple[CandidateView, ...]
    options: MoveOptions
    active: Migration | None  # the guest is being moved already

    @property
    def waiting(self) -> bool:
        return any(candidate.evaluation.waiting for candidate in self.candidates)

    def find(self, host_id: int | None) -> CandidateView | None:
        """The candidate asked for, else the best one."""
        for candidate in self.candidates:
            if candidate.host.pk == host_id:
                return candidate
        return self.candidates[0] if self.candidates and host_id is None else None


def read_board(guest: Guest, options: MoveOptions | None = None) -> Board:
    """Evaluate every candidate from stored readings and ask for fresh ones where they have aged."""
    chosen = options or suggest_options(guest)
    candidates = preflight.list_candidates(guest, chosen)
    aged = [candidate.host for candidate in candidates if candidate.evaluation.waiting]
    if aged:
        preflight.request_readings(guest, aged)
    return Board(tuple(map(_view, candidates)), chosen, find_active(guest.domain_uuid))


def suggest_options(guest: Guest, destination: Host | None = None) -> MoveOptions:
    """The kind that fits the guest's state; disks are copied where sharing them would meet more blockers."""
    shared = MoveOptions(kind=suggest_kind(guest))
    if shared.kind is Kind.OFFLINE or destination is None:
        return shared
    copied = replace(shared, storage=Storage.COPY_ALL)
    if _blockers(guest, destination, copied) < _blockers(guest, destination, shared):
        return copied
    return shared


def suggest_kind(guest: Guest) -> Kind:
    if guest.state in _STANDSTILL:
        return Kind.OFFLINE
    return Kind.NON_LIVE if guest.state == DomainState.PAUSED else Kind.LIVE


def explain_kind(guest: Guest) -> str:
    """Why the suggested kind was chosen."""
    return {
        Kind.LIVE: f"{guest.name} is {guest.state}: it can move without stopping.",
        Kind.NON_LIVE: f"{guest.name} is paused: its memory moves and it stays paused.",
        Kind.OFFLINE: f"{guest.name} is {guest.state}: only its definition moves.",
    }[suggest_kind(guest)]


def sort_findings(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Worst first, otherwise as the checks gave them."""
    order = (Severity.BLOCKER, Severity.WARNING, Severity.INFO)
    return tuple(sorted(findings, key=lambda finding: order.index(finding.severity)))


def refusal(candidate: CandidateView | None, active: Migration | None) -> str:
    """Why "Migrate" is off; "" when it may be pressed."""
    if active is not None:
        return f"Already being moved by {active.requested_by_name}."
    if candidate is None:
        return "There is no other host to move to."
    if candidate.evaluation.waiting:
        return f"Waiting for fresh readings of {candidate.host.name}."
    if candidate.evaluation.verdict is Verdict.BLOCKED:
        blockers = candidate.evaluation.blockers
        more = f" (and {len(blockers) - 1} more)" if len(blockers) > 1 else ""
        return f"{blockers[0].message}{more}"
    return ""


def _view(candidate: Candidate) -> CandidateView:
    return CandidateView(candidate.host, candidate.evaluation)


def _blockers(guest: Guest, destination: Host, options: MoveOptions) -> int:
    return len(preflight.evaluate(guest, destination, options).blockers)


def _count(number: int, word: str) -> str:
    return f"1 {word}" if number == 1 else f"{number} {word}s"
