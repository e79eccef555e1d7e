"""Parts of judge: the pair of observations, and the judgements with their sentences. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from jobs.engine.judgement import Action, Judgement, Verdict
from jobs.engine.observation import Class, Intent, Observation, Seen, classify, describe
from jobs.engine.plan import Expected

# Between the two readings that must agree before anything is changed.
SETTLE_S: Final = 5

_LOST_PARTS: Final = frozenset({"postcopy", "postcopy-failed"})


@dataclass(frozen=True, slots=True)
class Pair:
    source: Observation
    destination: Observation
    intent: Intent

    @property
    def source_class(self) -> Class:
        return classify(self.source)

    @property
    def destination_class(self) -> Class:
        return classify(self.destination)

    @property
    def source_reason(self) -> str:
        return self.source.status.reason if isinstance(self.source, Seen) else ""

    @property
    def destination_reason(self) -> str:
        return self.destination.status.reason if isinstance(self.destination, Seen) else ""

    @property
    def source_job(self) -> str:
        return self.source.status.job if isinstance(self.source, Seen) else ""

    @property
    def destination_job(self) -> str:
        return self.destination.status.job if isinstance(self.destination, Seen) else ""

    @property
    def destination_busy(self) -> bool:
        return self.destination_job == "incoming"

    @property
    def busy(self) -> bool:
        return bool(self.source_job or self.destination_job)

    @property
    def memory_arriving(self) -> bool | None:
        return self.source.memory_arriving if isinstance(self.source, Seen) else None

    @property
    def proven_gone(self) -> bool:
        """The source itself, or libvirt's success, says that the guest was handed over."""
        return self.intent.call_succeeded or (
            self.source_class is Class.OFF and self.source_reason == "migrated"
        )

    @property
    def both(self) -> str:
        source = f"{self.intent.source}: {describe(self.source)}"
        return f"{source}; {self.intent.destination}: {describe(self.destination)}."


def finished_paused(pair: Pair) -> bool:
    """Its memory has arrived completely and it waits paused, as the order said: for us to resume it, or for
    good."""
    meant = pair.intent.arrive_paused or pair.intent.expected is Expected.PAUSED
    return meant and pair.destination_reason == "user" and not pair.destination_job


def running_there(pair: Pair) -> Judgement:
    """The destination runs it and the source does not."""
    if pair.destination_busy:
        return still_moving(pair)
    if pair.destination_reason in _LOST_PARTS:
        return _running_without_memory(pair)
    return moved(pair)


def _running_without_memory(pair: Pair) -> Judgement:
    """Post-copy, but the source has ended: either this very moment, or part of the memory is lost."""
    if pair.destination_reason == "postcopy" and pair.source_reason == "migrated":
        return still_moving(pair)
    words = "Part of its memory never left the source, which has ended: the guest cannot go on."
    return needs_operator(pair, words, offers=(Action.DESTROY_DESTINATION,))


def moved(
    pair: Pair, more: str = "", *, first: tuple[Action, ...] = (), settle_s: int = SETTLE_S
) -> Judgement:
    """`first` is done before what every move ends with: resume, keep the definition, remove the old one.

    libvirt's success is proof enough; without it the readings must agree twice."""
    actions = first + _finishing(pair, destroys_source=Action.DESTROY_SOURCE in first)
    state = _arrival_words(pair)
    return Judgement(
        Verdict.MOVED,
        _join(f"{pair.intent.guest} was moved to {pair.intent.destination} {state}.", more, pair.both),
        _join(f"The guest {pair.intent.guest} is on {pair.intent.destination} {state}.", more),
        actions,
        second_reading_after_s=settle_s if actions and not pair.intent.call_succeeded else 0,
    )


def _arrival_words(pair: Pair) -> str:
    if pair.destination_class is Class.RUNNING:
        return "and runs there"
    if pair.destination_class is Class.PAUSED:
        return "and is resumed there" if _resumes(pair) else "and is paused there"
    return "and is shut off there"


def _resumes(pair: Pair) -> bool:
    return (
        pair.destination_class is Class.PAUSED
        and finished_paused(pair)
        and pair.intent.expected is Expected.RUNNING
    )


def _finishing(pair: Pair, *, destroys_source: bool) -> tuple[Action, ...]:
    """UNDEFINE_SOURCE comes last, and only once the destination keeps a definition of its own where it
    should."""
    actions: list[Action] = []
    kept = isinstance(pair.destination, Seen) and pair.destination.status.persistent
    if _resumes(pair):
        actions.append(Action.RESUME_DESTINATION)
    if pair.intent.persistent and not kept:
        return (*actions, Action.DEFINE_DESTINATION)
    removable = pair.source_class is Class.OFF or destroys_source
    if pair.intent.undefine_source and removable:
        actions.append(Action.UNDEFINE_SOURCE)
    return tuple(actions)


def not_moved(
    pair: Pair, more: str = "", actions: tuple[Action, ...] = (), *, offers: tuple[Action, ...] = ()
) -> Judgement:
    state = _stay_words(pair)
    return Judgement(
        Verdict.NOT_MOVED,
        _join(f"{pair.intent.guest} was not moved: it {state} on {pair.intent.source}.", more, pair.both),
        _join(f"The guest {pair.intent.guest} was not moved; it {state} on {pair.intent.source}.", more),
        actions,
        offers,
        SETTLE_S if actions else 0,
    )


def _stay_words(pair: Pair) -> str:
    words = {Class.RUNNING: "still runs", Class.PAUSED: "is paused", Class.OFF: "is shut off"}
    return words.get(pair.source_class, "was")


def still_moving(
    pair: Pair,
    more: str = "libvirt is still at work.",
    actions: tuple[Action, ...] = (Action.WAIT,),
) -> Judgement:
    settle_s = 0 if actions == (Action.WAIT,) else SETTLE_S
    words = f"{pair.intent.guest} is on its way from {pair.intent.source} to {pair.intent.destination}."
    return Judgement(
        Verdict.STILL_MOVING, _join(words, more, pair.both), words, actions, second_reading_after_s=settle_s
    )


def unknown(pair: Pair, why: str) -> Judgement:
    words = f"It is not known where {pair.intent.guest} is."
    return Judgement(
        Verdict.UNKNOWN,
        _join(words, why, pair.both, "Nothing is changed until both hosts answer. Do not start it by hand."),
        _join(words, "It may be running. Nobody should start it by hand; tell the operators."),
        (Action.WAIT,),
    )


def needs_operator(pair: Pair, why: str, *, offers: tuple[Action, ...] = ()) -> Judgement:
    return Judgement(
        Verdict.NEEDS_OPERATOR,
        _join(f"{pair.intent.guest} needs a decision.", why, pair.both),
        f"The guest {pair.intent.guest} may be down after a move that went wrong. Tell the operators now.",
        offers=offers,
    )


def split_brain(pair: Pair) -> Judgement:
    return Judgement(
        Verdict.NEEDS_OPERATOR,
        _join(
            f"ALARM: {pair.intent.guest} runs on both {pair.intent.source} and {pair.intent.destination}.",
            "The one at the source is paused so that no more is written twice; decide which one to keep.",
            pair.both,
        ),
        f"The guest {pair.intent.guest} runs twice. Its users should stop working; tell the operators now.",
        (Action.SUSPEND_SOURCE_ALARM,),
        (Action.DESTROY_SOURCE, Action.DESTROY_DESTINATION),
        SETTLE_S,
    )


def _join(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)
