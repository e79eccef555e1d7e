"""What people see of a move: the row of a migration as words, steps and figures. Reads the database only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from hosts.facts.codec import from_data
from hosts.models import Guest
from jobs.engine.phases import ENDED, Phase
from jobs.engine.progress import DiskCopy
from jobs.models import Migration, Transition
from jobs.models.migration import MigrationQuerySet
from jobs.options import OPTIONS, MoveOptions, Option, dump_options
from jobs.preflight.findings import Finding, Severity
from jobs.services.move_figures import build_figures, copies_disks

# How long an ended move stays in the task dock; afterwards it is found in the history.
DOCK_KEEPS = timedelta(minutes=15)
DOCK_ENDED_ROWS = 5
MOST_WORDS = 6  # of a search; more would only make the query long
SEVERITIES = (Severity.BLOCKER, Severity.WARNING, Severity.INFO)
ALWAYS_SHOWN = ("kind", "control", "persistent", "undefine_source", "storage")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a move stands, by word, shape (icon) and tone (colour): never by colour alone."""

    word: str
    icon: str
    tone: str  # ok, bad, warn, quiet, busy


OUTCOMES = {
    Phase.SUCCEEDED: Outcome("moved", "check-circle-fill", "ok"),
    Phase.FAILED: Outcome("not moved", "x-octagon-fill", "bad"),
    Phase.CANCELLED: Outcome("cancelled", "slash-circle", "quiet"),
    Phase.UNCONFIRMED: Outcome("not known", "question-diamond", "warn"),
    Phase.QUEUED: Outcome("waiting", "hourglass-split", "quiet"),
}
MOVING = Outcome("moving", "arrow-right", "busy")

# The sample's steps (jobs.engine.progress.Step) → ours.
_STEP_OF_SAMPLE = {
    "disks": "disks",
    "memory": "memory",
    "switch-over": "switch-over",
    "post-copy": "switch-over",
    "confirming": "switch-over",
}
_STATE_OF_STEP = {
    Phase.SUCCEEDED: "done",
    Phase.FAILED: "failed",
    Phase.CANCELLED: "stopped",
    Phase.ROLLING_BACK: "stopped",
}
STEPS = ("queued", "checks", "disks", "memory", "switch-over", "confirming", "done")


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    words: str
    state: str  # done, now, failed or stopped (it came this far), todo


@dataclass(frozen=True, slots=True)
class MoveView:
    """A move for templates. `progress` is the latest sample as stored; a missing key was not reported."""

    move: Migration
    outcome: Outcome
    phase_words: str
    percent: int | None
    time_left: str
    progress: dict[str, Any]
    steps: tuple[Step, ...]
    cancel_hint: str  # what Cancel would do; "" when it does not apply
    cancel_note: str  # why it does not apply, or that it was asked for

    @property
    def rate(self) -> int | None:
        return self.progress.get("transfer_bytes_per_s")

    @property
    def disks(self) -> tuple[DiskCopy, ...]:
        """The copies of its disks, while they are under way."""
        if not self.move.active:
            return ()
        return tuple(DiskCopy(**disk) for disk in self.progress.get("disks") or ())

    @property
    def kind_words(self) -> str:
        return KINDS.get(self.move.kind, self.move.kind)

    @property
    def step_now(self) -> str:
        """Changes exactly when there is something new to say aloud: a phase or a step, never a percentage."""
        here = next((step.name for step in self.steps if step.state in ("now", "failed", "stopped")), "")
        return f"{self.move.phase}:{here}"

    @property
    def bar_class(self) -> str:
        return {"ok": "bar-ok", "bad": "bar-bad", "warn": "bar-warn"}.get(self.outcome.tone, "")

    @property
    def sentence(self) -> str:
        """The phase in one sentence, for those who hear the page."""
        return f"{self.move.guest_name}: {self.phase_words}."


KINDS = {"live": "live", "non-live": "pause and move", "offline": "offline"}


@dataclass(frozen=True, slots=True)
class Dock:
    rows: tuple[MoveView, ...]
    active: int


def view_move(move: Migration) -> MoveView:
    phase = Phase(move.phase)
    progress = move.progress_data or {}
    hint, note = _cancel_words(move, phase)
    return MoveView(
        move=move,
        outcome=OUTCOMES.get(phase, MOVING),
        phase_words=phase_words(move),
        percent=_percent(phase, progress),
        time_left=time_left(phase, progress),
        progress=progress,
        steps=build_steps(move),
        cancel_hint=hint,
        cancel_note=note,
    )


def read_dock() -> Dock:
    """Active moves, oldest first, then those that ended within the last quarter of an hour."""
    active = list(Migration.objects.active().defer("saved_xml").order_by("requested_at", "pk"))
    since = timezone.now() - DOCK_KEEPS
    ended = Migration.objects.ended().filter(ended_at__gte=since).defer("saved_xml").order_by("-ended_at")
    rows = [*active, *ended[:DOCK_ENDED_ROWS]]
    return Dock(tuple(view_move(move) for move in rows), len(active))


def read_dock_versions() -> dict[int, int]:
    """The versions of what the dock shows, without reading the rows."""
    since = timezone.now() - DOCK_KEEPS
    active = Migration.objects.active().values_list("pk", "version")
    ended = Migration.objects.ended().filter(ended_at__gte=since).order_by("-ended_at")
    return dict(active) | dict(ended.values_list("pk", "version")[:DOCK_ENDED_ROWS])


def phase_words(move: Migration) -> str:
    """The phase as people say it; during the transfer the sample's own words where it has some."""
    phase = Phase(move.phase)
    if phase is Phase.TRANSFERRING:
        return _transfer_words(move.progress_data or {})
    return {
        Phase.QUEUED: "waiting for a worker",
        Phase.PREPARING: "checking both hosts",
        Phase.POSTCOPY: f"runs on {move.destination_name}, memory still arriving",
        Phase.CONFIRMING: "confirming on both hosts",
        Phase.ROLLING_BACK: f"going back to {move.source_name}",
        Phase.UNCONFIRMED: "not known, asking both hosts",
        Phase.SUCCEEDED: "moved",
        Phase.FAILED: "not moved",
        Phase.CANCELLED: "cancelled",
    }[phase]


def _transfer_words(progress: dict[str, Any]) -> str:
    return {
        "disks": "copying disks",
        "memory": f"memory pass {max(progress.get('pass_number') or 1, 1)}",
        "switch-over": "switching over",
        "post-copy": "memory still arriving",
        "confirming": "confirming",
    }.get(progress.get("step", ""), "connecting")


def _percent(phase: Phase, progress: dict[str, Any]) -> int | None:
    """Never 100 before the move is proven; None while nothing is known (an indeterminate bar)."""
    if phase is Phase.SUCCEEDED:
        return 100
    percent = progress.get("percent")
    return None if percent is None else min(int(percent), 99)


def time_left(phase: Phase, progress: dict[str, Any]) -> str:
    """ "~4 s left", or why nobody can know."""
    if phase in ENDED:
        return ""
    if phase is not Phase.TRANSFERRING and phase is not Phase.POSTCOPY:
        return ""
    seconds = progress.get("eta_s")
    if seconds is not None:
        return f"~{_rough(seconds)} left" if seconds else "any moment now"
    why = progress.get("no_eta")
    return f"time left unknown: {why}" if why and why != "measuring" else "time left: measuring"


def _rough(seconds: float) -> str:
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    if seconds < 3600:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def build_steps(move: Migration) -> tuple[Step, ...]:
    """The stepper. The step reached only grows: phases and memory passes never decrease, and the worker's
    samples are clamped before they are written."""
    names = [name for name in STEPS if name != "disks" or copies_disks(move)]
    names = [name for name in names if name not in ("memory", "switch-over") or move.kind != "offline"]
    reached = names.index(_reached(move, names))
    phase = Phase(move.phase)
    here = _STATE_OF_STEP.get(phase, "now")
    return tuple(
        Step(name, _step_words(name, move), "done" if i < reached else here if i == reached else "todo")
        for i, name in enumerate(names)
    )


def _step_words(name: str, move: Migration) -> str:
    number = (move.progress_data or {}).get("pass_number")
    # At the end libvirt's own figures count the passes; the last sample may have missed some.
    return f"memory pass {number}" if name == "memory" and number and move.active else name


def _reached(move: Migration, names: list[str]) -> str:
    phase = Phase(move.phase)
    fixed = {
        Phase.QUEUED: "queued",
        Phase.PREPARING: "checks",
        Phase.POSTCOPY: "switch-over",
        Phase.CONFIRMING: "confirming",
        Phase.UNCONFIRMED: "confirming",
        Phase.SUCCEEDED: "done",
    }.get(phase)
    return fixed or _reached_in_transfer(move, names)


def _reached_in_transfer(move: Migration, names: list[str]) -> str:
    """For TRANSFERRING, and where the transfer was for what turned back or ended before it was over."""
    progress = move.progress_data or {}
    if move.phase != Phase.TRANSFERRING and not progress:
        return "checks" if move.started_at else "queued"
    first = next((name for name in ("disks", "memory") if name in names), "checks")
    step = _STEP_OF_SAMPLE.get(progress.get("step", ""), first)
    return step if step in names else first


def _cancel_words(move: Migration, phase: Phase) -> tuple[str, str]:
    """What Cancel will do, and what is to be said where it cannot be pressed."""
    if phase in ENDED:
        return "", ""
    if move.cancel_requested_at is not None:
        return "", f"Cancel was asked for by {move.cancel_requested_by}."
    return {
        Phase.QUEUED: (
            f"Nothing has been started. {move.guest_name} stays on {move.source_name} as it is.",
            "",
        ),
        Phase.PREPARING: (f"Nothing has been moved yet. {move.guest_name} stays on {move.source_name}.", ""),
        Phase.TRANSFERRING: (
            (
                f"Stops the transfer. {move.guest_name} stays on {move.source_name}; "
                f"what was prepared on {move.destination_name} is removed."
            ),
            "",
        ),
        Phase.POSTCOPY: (
            "",
            f"Can no longer be cancelled: {move.guest_name} already runs on {move.destination_name}.",
        ),
        Phase.CONFIRMING: (
            "",
            "Can no longer be cancelled: the transfer is over, both hosts are being asked.",
        ),
        Phase.ROLLING_BACK: ("", f"Already on its way back to {move.source_name}."),
        Phase.UNCONFIRMED: ("", "Nothing can be cancelled until it is known where the guest is."),
    }[phase]


def elapsed_ms(move: Migration, now: datetime | None = None) -> int | None:
    """Since the request was taken up, up to its end; None while it waits."""
    if move.duration_ms is not None:
        return move.duration_ms
    if move.started_at is None:
        return None
    return int(((move.ended_at or now or timezone.now()) - move.started_at).total_seconds() * 1000)


def read_timeline(move: Migration) -> tuple[Transition, ...]:
    return tuple(move.transitions.all())


def find_guest_now(move: Migration) -> Guest | None:
    """The guest's row where it is now: at the destination after a success, else at the source."""
    host = move.destination_id if move.phase == Phase.SUCCEEDED else move.source_id
    return Guest.objects.present().filter(domain_uuid=move.domain_uuid, host=host).first()


def search_moves(words: str) -> MigrationQuerySet:
    """Moves that name all the words, in guest, host or person; newest first."""
    moves = Migration.objects.defer("saved_xml", "findings_data", "plan_data")
    for word in words.split()[:MOST_WORDS]:
        named = (
            Q(guest_name__icontains=word)
            | Q(source_name__icontains=word)
            | Q(destination_name__icontains=word)
        )
        moves = moves.filter(named | Q(requested_by_name__icontains=word) | Q(reason__icontains=word))
    return moves.order_by("-requested_at", "-pk")


def page_context(move: Migration) -> dict[str, Any]:
    """Everything the page of a move needs, the live part included."""
    view = view_move(move)
    return panel_context(view) | {
        "guest": find_guest_now(move),
        "findings": read_findings(move),
        "options": read_options(move),
    }


def read_findings(move: Migration) -> tuple[Finding, ...]:
    """The findings as they were, worst first; none where an older version stored them in another shape."""
    try:
        findings = from_data(move.findings_data, tuple[Finding, ...])
    except Exception:  # noqa: BLE001 — history must open whatever an old row holds
        return ()
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


def read_options(move: Migration) -> tuple[tuple[str, str], ...]:
    """What was asked for beyond libvirt's defaults, in the words of the dialog."""
    untouched = dump_options(MoveOptions())
    shown = []
    for option in OPTIONS:
        value = move.options_data.get(option.field)
        if option.field in ALWAYS_SHOWN or value not in (None, untouched[option.field]):
            shown.append((option.label, _option_words(option, value)))
    return tuple(shown)


def _option_words(option: Option, value: Any) -> str:
    for choice in option.choices:
        if choice.value == value:
            return choice.label
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value} {option.unit}".strip()


def panel_context(view: MoveView) -> dict[str, Any]:
    """Everything the live part of a move's page needs."""
    return {
        "view": view,
        "move": view.move,
        "figures": build_figures(view.move),
        "timeline": read_timeline(view.move),
        "elapsed_ms": elapsed_ms(view.move),
    }
