"""Sentences for phases, transitions and outcomes, in two voices: the operator's and the help desk's. Pure."""

from __future__ import annotations

import enum
from typing import Final

from jobs.engine.phases import Phase


class Voice(enum.StrEnum):
    OPERATOR = "operator"  # says what happened and what it is called
    HELP_DESK = "help-desk"  # says what it means for the guest's users


# Short, for badges, the stepper and lists.
LABELS: Final[dict[Phase, str]] = {
    Phase.QUEUED: "Waiting",
    Phase.PREPARING: "Checking",
    Phase.TRANSFERRING: "Moving",
    Phase.POSTCOPY: "Running there, fetching the rest",
    Phase.CONFIRMING: "Confirming",
    Phase.ROLLING_BACK: "Going back",
    Phase.UNCONFIRMED: "Not known",
    Phase.SUCCEEDED: "Moved",
    Phase.FAILED: "Not moved",
    Phase.CANCELLED: "Cancelled",
}

_OPERATOR: Final[dict[Phase, str]] = {
    Phase.QUEUED: "The move of {guest} from {source} to {destination} waits for its turn.",
    Phase.PREPARING: "Both hosts are checked once more for {guest}.",
    Phase.TRANSFERRING: "{source} sends {guest} to {destination}.",
    Phase.POSTCOPY: "{guest} runs on {destination} and fetches the rest of its memory; it cannot go back.",
    Phase.CONFIRMING: "Both hosts are asked where {guest} is.",
    Phase.ROLLING_BACK: "{guest} stays on {source}; what the move made on {destination} is removed.",
    Phase.UNCONFIRMED: "It is not known where {guest} is; nothing is changed until both hosts agree.",
    Phase.SUCCEEDED: "{guest} was moved from {source} to {destination}; both hosts confirm it.",
    Phase.FAILED: "{guest} was not moved; it is on {source}.",
    Phase.CANCELLED: "The move of {guest} was cancelled; it is on {source}.",
}

_HELP_DESK: Final[dict[Phase, str]] = {
    Phase.QUEUED: "The guest {guest} will be moved soon. It works as always.",
    Phase.PREPARING: "The guest {guest} is about to be moved. It works as always.",
    Phase.TRANSFERRING: "The guest {guest} is being moved. It may answer slowly and pause for a moment.",
    Phase.POSTCOPY: "The guest {guest} is being moved. It may answer slowly until the move ends.",
    Phase.CONFIRMING: "The guest {guest} was moved; this is being confirmed.",
    Phase.ROLLING_BACK: "The guest {guest} stays where it was. Its users need do nothing.",
    Phase.UNCONFIRMED: "It is not known where {guest} is. Nobody should start it; tell the operators.",
    Phase.SUCCEEDED: "The guest {guest} was moved to {destination}. Its users need do nothing.",
    Phase.FAILED: "The guest {guest} was not moved. It is still on {source}.",
    Phase.CANCELLED: "The move of {guest} was cancelled. It is still on {source}.",
}

_VOICES: Final = {Voice.OPERATOR: _OPERATOR, Voice.HELP_DESK: _HELP_DESK}


def phase_sentence(
    phase: Phase, guest: str, source: str, destination: str, voice: Voice = Voice.OPERATOR
) -> str:
    """One sentence for the timeline, the log line and the page."""
    return _VOICES[voice][phase].format(guest=guest, source=source, destination=destination)


def transition_sentence(old: Phase, new: Phase, guest: str, source: str, destination: str) -> str:
    """What changed, for the timeline; where the way back matters, it is said."""
    if old is Phase.UNCONFIRMED:
        return f"Both hosts answer again. {phase_sentence(new, guest, source, destination)}"
    if old is Phase.QUEUED and new is Phase.CANCELLED:
        return f"The move of {guest} was cancelled before anything was changed."
    if old in {Phase.QUEUED, Phase.PREPARING} and new is Phase.FAILED:
        return f"The move of {guest} was refused before anything was changed; it is on {source}."
    return phase_sentence(new, guest, source, destination)


def duration_words(milliseconds: int) -> str:
    """250 ms, 4.2 s, 3 min 5 s, 2 h 10 min."""
    if milliseconds < 1000:
        return f"{max(milliseconds, 0)} ms"
    seconds = milliseconds / 1000
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def outcome_sentence(
    phase: Phase, guest: str, source: str, destination: str, *, elapsed_ms: int, downtime_ms: int | None
) -> str:
    """The end of a move with its figures, for operators. `downtime_ms` None: not measured."""
    sentence = phase_sentence(phase, guest, source, destination)
    if phase is not Phase.SUCCEEDED:
        return sentence
    pause = f"a pause of {duration_words(downtime_ms)}" if downtime_ms is not None else "a pause not measured"
    return f"{sentence} It took {duration_words(elapsed_ms)}, with {pause}."
