"""How a remedy stands, as its dialog shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.utils import timezone

from jobs.models import Remedy, RemedyOutcome
from jobs.preflight.findings import Finding
from jobs.services.preflight import Evaluation
from jobs.services.remedies import DONE_WITHIN, PICKED_UP_WITHIN, find_again

# Two readings that each wait for a silent host take about this long; later, the page no longer waits for them.
CHECKED_WITHIN: Final = timedelta(seconds=45)
SLOW_AFTER: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class RemedyView:
    """`evaluation` and `still`: only once the findings were looked for again."""

    state: str  # waiting, working, checking, over
    tone: str  # ok, warn, bad; "" while it goes on
    slow: bool
    evaluation: Evaluation | None = None
    still: Finding | None = None

    @property
    def going_on(self) -> bool:
        return self.state != "over"


def view_remedy(remedy: Remedy) -> RemedyView:
    state = _state(remedy)
    slow = timezone.now() - (remedy.claimed_at or remedy.asked_at) > SLOW_AFTER
    if state != "over" or remedy.checked_at is None:
        return RemedyView(state, _tone(remedy), slow)
    return RemedyView(state, _tone(remedy), slow, *find_again(remedy))


def is_lapsed(remedy: Remedy) -> bool:
    """Nobody took it in time, or who took it never came back."""
    if remedy.ended_at is not None:
        return False
    now = timezone.now()
    if remedy.claimed_at is None:
        return now - remedy.asked_at > PICKED_UP_WITHIN
    return now - remedy.claimed_at > DONE_WITHIN


def _state(remedy: Remedy) -> str:
    if remedy.ended_at is None:
        return "waiting" if remedy.claimed_at is None else "working"
    checked = remedy.checked_at is not None
    return "over" if checked or timezone.now() - remedy.ended_at > CHECKED_WITHIN else "checking"


def _tone(remedy: Remedy) -> str:
    if remedy.ended_at is None:
        return ""
    good = {RemedyOutcome.DONE: "ok", RemedyOutcome.NOT_NEEDED: "ok", RemedyOutcome.UNKNOWN: "warn"}
    return good.get(RemedyOutcome(remedy.outcome), "bad")
