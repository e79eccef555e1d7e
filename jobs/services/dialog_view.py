"""What the migrate dialog and "Where can it go?" show: candidates, verdicts, choices for a good start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hosts.models import Guest, Host
from jobs.engine.virsh_line import virsh_notes
from jobs.models import Migration
from jobs.options import Kind, MoveOptions, Storage
from jobs.preflight.findings import Finding, Severity, Verdict
from jobs.preflight.registry import NOT_EVALUATED
from jobs.services import preflight
from jobs.services.asking import ASKED_AT_ONCE, is_aged, is_on_its_way
from jobs.services.preflight import Candidate, Evaluation
from jobs.services.recent import NO_RECORD, Record
from jobs.services.requests import find_active
from jobs.services.stored import Stored, read_stored


@dataclass(frozen=True, slots=True)
class CandidateView:
    """One host a guest could go to."""

    host: Host
    evaluation: Evaluation
    options: MoveOptions
    headroom: float | None = None
    record: Record = NO_RECORD
    refreshing: bool = False  # newer readings are on their way

    @property
    def state(self) -> str:
        """ready, warnings, blocked, or checking while the hosts are asked for the first time."""
        return "checking" if self.evaluation.unread else self.evaluation.verdict.value

    @property
    def words(self) -> str:
        blockers, warnings = len(self.evaluation.blockers), len(self.evaluation.warnings)
        if self.evaluation.unread:
            return "checking…"
        if blockers:
            return count_words(blockers, "blocker")
        return count_words(warnings, "warning") if warnings else "ready"

    @property
    def why(self) -> str:
        """The first thing in the way, in one line."""
        first = (*self.evaluation.blockers, *self.evaluation.warnings)[:1]
        return first[0].message if first and not self.evaluation.unread else ""

    @property
    def read_at(self) -> datetime | None:
        return self.evaluation.read_at

    @property
    def free_percent(self) -> int | None:
        """Of the host's memory, after the move."""
        return None if self.headroom is None else max(0, round(self.headroom * 100))

    @property
    def copies(self) -> bool:
        return self.options.storage is not Storage.SHARED

    @property
    def findings(self) -> tuple[Finding, ...]:
        """While both hosts are asked for the first time, what is not known yet is no finding."""
        found = self.evaluation.findings
        if self.evaluation.unread:
            found = tuple(finding for finding in found if finding.id != NOT_EVALUATED)
        return sort_findings(found)


@dataclass(frozen=True, slots=True)
class Board:
    """All candidates of a guest, best first. `options`: of all of them; None: each with its own."""

    candidates: tuple[CandidateView, ...]
    options: MoveOptions | None
    active: Migration | None  # the guest is being moved already
    stored: Stored

    @property
    def waiting(self) -> bool:
        """Something is shown as "checking": ask again soon."""
        return any(candidate.evaluation.unread for candidate in self.candidates)

    @property
    def counts(self) -> dict[str, int]:
        """How many candidates are in each state, for a line above a long list."""
        states = [candidate.state for candidate in self.candidates]
        return {state: states.count(state) for state in ("ready", "warnings", "blocked", "checking")}

    def find(self, host_id: int | None) -> CandidateView | None:
        """The candidate asked for, else the best one."""
        for candidate in self.candidates:
            if candidate.host.pk == host_id:
                return candidate
        return self.candidates[0] if self.candidates and host_id is None else None


def read_board(guest: Guest, options: MoveOptions | None = None) -> Board:
    """Evaluate every candidate from stored readings and ask for fresh ones where they have aged. Without options
    each candidate is judged with those that suit it best."""
    hosts = preflight.list_destinations(guest.host_id)
    stored = read_stored(guest.host, [guest], hosts, options.destination_name if options is not None else "")
    candidates = preflight.judge_candidates(stored, guest, hosts, options)
    refreshing = _ask_for_aged(guest, stored, candidates)
    views = tuple(_view(candidate, refreshing) for candidate in candidates)
    return Board(views, options, find_active(guest.domain_uuid), stored)


def read_candidate(guest: Guest, host: Host) -> CandidateView:
    """One host alone, with the options that suit it best."""
    stored = read_stored(guest.host, [guest], [host])
    candidates = preflight.judge_candidates(stored, guest, [host])
    return _view(candidates[0], _ask_for_aged(guest, stored, candidates))


def choose_options(guest: Guest, board: Board, options: MoveOptions) -> Board:
    """The same candidates, all with these options: the dialog has one form for all of them."""
    hosts = [candidate.host for candidate in board.candidates]
    refreshing = frozenset(candidate.host.pk for candidate in board.candidates if candidate.refreshing)
    candidates = preflight.judge_candidates(board.stored, guest, hosts, options)
    views = tuple(_view(candidate, refreshing) for candidate in candidates)
    return Board(views, options, board.active, board.stored)


def keep_fresh(guest: Guest, chosen: CandidateView | None) -> None:
    """A start relies on the chosen candidate's readings: they are asked for anew as soon as they have aged."""
    if chosen is not None and chosen.evaluation.waiting and not chosen.refreshing:
        preflight.request_readings(guest, [chosen.host])


def find_line(guest: Guest, board: Board, chosen: CandidateView | None) -> str:
    """The chosen move for virsh."""
    if chosen is None:
        return ""
    return preflight.render_line(board.stored, guest, chosen.host, chosen.options)


def find_notes(chosen: CandidateView | None, line: str) -> tuple[str, ...]:
    """Where that line does something else than this product does."""
    return virsh_notes(chosen.options, line) if chosen is not None and line else ()


def suggest_options(guest: Guest, destination: Host | None = None) -> MoveOptions:
    """The kind that fits the guest's state; disks are copied where sharing them would meet more blockers."""
    if destination is None:
        return MoveOptions(kind=preflight.suggest_kind(guest))
    stored = read_stored(guest.host, [guest], [destination])
    return preflight.choose(stored, guest, destination, None)[0]


def explain_kind(guest: Guest) -> str:
    """Why the suggested kind was chosen."""
    return {
        Kind.LIVE: f"{guest.name} is {guest.state}: it can move without stopping.",
        Kind.NON_LIVE: f"{guest.name} is paused: its memory moves and it stays paused.",
        Kind.OFFLINE: f"{guest.name} is {guest.state}: its definition moves, and its disks where they are copied.",
    }[preflight.suggest_kind(guest)]


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


def count_words(number: int, word: str) -> str:
    return f"1 {word}" if number == 1 else f"{number} {word}s"


def _ask_for_aged(guest: Guest, stored: Stored, candidates: tuple[Candidate, ...]) -> frozenset[int]:
    """Hosts whose newer readings are on their way. Those that are beyond ASKED_AT_ONCE wait for the next look."""
    asked = [candidate.host for candidate in candidates if is_on_its_way(_times(stored, guest, candidate)[0])]
    aged = [
        candidate.host
        for candidate in candidates
        # Of hosts that are silent nothing newer can be had.
        if candidate.evaluation.waiting and is_aged(_times(stored, guest, candidate)[1], len(candidates))
    ]
    wanted = [host for host in aged if host not in asked][:ASKED_AT_ONCE]
    if wanted:
        preflight.request_readings(guest, wanted)
    return frozenset(host.pk for host in (*asked, *wanted))


def _times(stored: Stored, guest: Guest, candidate: Candidate) -> tuple[datetime | None, datetime | None]:
    """When the two hosts were asked, while the answer is on its way, and when they answered last."""
    pair = stored.pair(guest, candidate.host)
    return (None, None) if pair is None else (pair.asked_at, pair.read_at)


def _view(candidate: Candidate, refreshing: frozenset[int]) -> CandidateView:
    return CandidateView(
        candidate.host, candidate.evaluation, candidate.options, candidate.headroom, candidate.record,
        candidate.host.pk in refreshing,
    )  # fmt: skip
