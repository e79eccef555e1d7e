"""Where is the guest? Total over every pair of observations; an exception from libvirt plays no part.

The table is that of the measured faults: killed clients and daemons, cut links at every step, post-copy, name
clashes. Three rules stand above it: the source is resumed only when the destination answered and has no such
domain; nothing is destroyed or undefined while the verdict is UNKNOWN; a guest that runs on both hosts is
never decided by a program.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from jobs.engine.judge_offline import judge_offline
from jobs.engine.judge_parts import (
    Pair,
    finished_paused,
    moved,
    needs_operator,
    not_moved,
    running_there,
    split_brain,
    still_moving,
    unknown,
)
from jobs.engine.judgement import Action, Judgement
from jobs.engine.observation import Class, Intent, Observation
from jobs.options import Kind

SWITCHING: Final = frozenset({"migration", "migrated"})
POSTCOPY: Final = frozenset({"postcopy", "postcopy-failed"})
CRASHES: Final = frozenset({"crashed", "failed"})
# A paused copy with one of these reasons is still taking memory in: its processors never ran.
ARRIVING: Final = frozenset({"migration", "starting-up"})
UNFINISHED: Final = "An unfinished copy is left at the destination."


def judge(source: Observation, destination: Observation, intent: Intent) -> Judgement:
    """The truth about one guest from what both hosts say of its UUID. Never raises."""
    pair = Pair(source, destination, intent)
    if Class.UNCLEAR in (pair.source_class, pair.destination_class):
        return unknown(pair, "A host reports no usable state.")
    if intent.kind is Kind.OFFLINE:
        return judge_offline(pair)
    return _ROWS[pair.source_class](pair)


def _source_silent(pair: Pair) -> Judgement:
    there = pair.destination_class is Class.RUNNING or finished_paused(pair)
    if there and pair.intent.call_succeeded and not pair.destination_busy:
        return moved(pair, "What stays behind on the source could not be put in order: it does not answer.")
    return unknown(pair, "The source does not answer, so it is not known whether it has let the guest go.")


def _source_absent(pair: Pair) -> Judgement:
    match pair.destination_class:
        case Class.SILENT:
            return unknown(pair, "The source no longer has the guest and the destination does not answer.")
        case Class.ABSENT:
            offers = (Action.DEFINE_SOURCE,)
            return needs_operator(pair, "Neither host knows the guest any more.", offers=offers)
        case Class.RUNNING:
            return running_there(pair)
        case Class.PAUSED:
            return _paused_there(pair)
    return _off_there(pair)


def _source_running(pair: Pair) -> Judgement:
    if pair.destination_class is Class.RUNNING:
        return still_moving(pair) if pair.destination_job == "incoming" else split_brain(pair)
    if pair.source_job or pair.destination_job:
        return still_moving(pair)
    match pair.destination_class:
        case Class.SILENT:
            return unknown(pair, "The destination does not answer, so it may run the guest as well.")
        case Class.PAUSED if _never_ran_there(pair):
            return not_moved(pair, UNFINISHED, (Action.DESTROY_DESTINATION,))
        case Class.PAUSED:
            words = "The copy at the destination may have run and been paused since."
            return needs_operator(pair, words, offers=(Action.DESTROY_DESTINATION,))
    return not_moved(pair)


def _never_ran_there(pair: Pair) -> bool:
    """A copy still marked as arriving never ran; one paused by its arrival order neither, for only we resume
    it."""
    arrived_paused = pair.intent.arrive_paused or pair.intent.expected == "paused"
    return pair.destination_reason in ARRIVING or (arrived_paused and pair.destination_reason == "user")


def _source_paused(pair: Pair) -> Judgement:
    if pair.source_reason in POSTCOPY:
        return _source_in_postcopy(pair)
    if pair.source_reason in SWITCHING:
        return _source_switching(pair)
    return _source_paused_otherwise(pair)


def _source_switching(pair: Pair) -> Judgement:
    """PAUSED/MIGRATION: libvirt stopped the source for the switch-over, or for all of a paused move."""
    if pair.destination_class is Class.RUNNING:
        return _switched_over(pair)
    if pair.source_job or pair.destination_job:
        return still_moving(pair)
    match pair.destination_class:
        case Class.SILENT:
            return unknown(pair, "The source waits for the destination, which does not answer.")
        case Class.ABSENT:
            return not_moved(pair, "It is stopped there by the move and is resumed.", (Action.RESUME_SOURCE,))
        case Class.PAUSED:
            return _paused_on_both(pair)
    words = "The source is stopped by the move and the guest may have run at the destination."
    return needs_operator(pair, words, offers=(Action.START_DESTINATION,))


def _paused_on_both(pair: Pair) -> Judgement:
    if finished_paused(pair):
        return moved(pair, first=(Action.DESTROY_SOURCE,))
    if pair.destination_reason in ARRIVING:
        return not_moved(pair, UNFINISHED, (Action.DESTROY_DESTINATION,))
    words = "It is stopped by the move at the source and paused at the destination, where it may have run."
    return needs_operator(pair, words, offers=(Action.DESTROY_SOURCE, Action.DESTROY_DESTINATION))


def _switched_over(pair: Pair) -> Judgement:
    """The destination runs it. Seen twice, 3 s apart, this is the lost reply after which libvirt would
    restart the source (measured: after 30 s of keepalive): the source is destroyed first."""
    if pair.destination_busy or pair.destination_reason in POSTCOPY:
        return still_moving(pair)
    return moved(pair, first=(Action.DESTROY_SOURCE,), settle_s=3)


def _source_in_postcopy(pair: Pair) -> Judgement:
    match pair.destination_class:
        case Class.SILENT:
            return unknown(pair, "The guest runs at the destination, which does not answer.")
        case Class.ABSENT | Class.OFF:
            return needs_operator(
                pair,
                "The destination lost the guest while part of its memory was still here: its memory is lost.",
                offers=(Action.DESTROY_SOURCE,),
            )
        case Class.RUNNING if pair.destination_reason not in POSTCOPY and not pair.busy:
            return _postcopy_ended(pair)
    return _postcopy_goes_on(pair)


def _postcopy_ended(pair: Pair) -> Judgement:
    """All memory has arrived; a source that only watched ("failed") ends by itself."""
    if pair.source_reason == "postcopy-failed":
        return still_moving(pair)
    return moved(pair, first=(Action.DESTROY_SOURCE,))


def _postcopy_goes_on(pair: Pair) -> Judgement:
    broken = "postcopy-failed" in (pair.source_reason, pair.destination_reason)
    if broken and pair.memory_arriving is False:
        return still_moving(pair, "The connection broke and no memory arrives.", (Action.RECOVER_POSTCOPY,))
    return still_moving(pair, "It runs at the destination while the rest of its memory arrives.")


def _source_paused_otherwise(pair: Pair) -> Judgement:
    """Paused by a person, before or during the move, or by a fault of its own."""
    if pair.source_job or pair.destination_job:
        return still_moving(pair)
    match pair.destination_class:
        case Class.SILENT:
            return unknown(pair, "The destination does not answer, so it may run the guest as well.")
        case Class.RUNNING:
            words = "The guest runs at the destination and a paused one is left at the source."
            return needs_operator(pair, words, offers=(Action.DESTROY_SOURCE,))
        case Class.PAUSED if pair.destination_reason in ARRIVING:
            return not_moved(pair, UNFINISHED, (Action.DESTROY_DESTINATION,))
        case Class.PAUSED:
            offers = (Action.DESTROY_SOURCE, Action.DESTROY_DESTINATION)
            return needs_operator(pair, "The guest is paused on both hosts.", offers=offers)
    return not_moved(pair)


def _source_off(pair: Pair) -> Judgement:
    match pair.destination_class:
        case Class.SILENT:
            return unknown(pair, "The source has let the guest go; the destination does not answer.")
        case Class.RUNNING:
            return running_there(pair)
        case Class.PAUSED:
            return _paused_there(pair)
        case Class.ABSENT if pair.source_reason == "migrated":
            words = "The source says the guest was moved, but the destination does not have it."
            return needs_operator(pair, words, offers=(Action.START_SOURCE,))
        case Class.ABSENT:
            return not_moved(pair, offers=(Action.START_SOURCE,))
    return _off_there(pair)


def _paused_there(pair: Pair) -> Judgement:
    """The source does not run it. Paused there as meant, still arriving, or with a fault."""
    if pair.destination_job:
        return still_moving(pair)
    if finished_paused(pair):
        return moved(pair)
    if pair.destination_reason in ARRIVING:
        words = "The copy at the destination is incomplete and the source has stopped."
        return needs_operator(pair, words, offers=(Action.DESTROY_DESTINATION, Action.START_SOURCE))
    if pair.destination_reason == "user" and pair.proven_gone:
        return moved(pair, "Somebody has paused it there since.")
    why = pair.destination_reason or "no reason given"
    return needs_operator(pair, f"It is paused at the destination ({why}).")


def _off_there(pair: Pair) -> Judgement:
    """Nothing runs anywhere, and the destination has a definition."""
    if pair.destination_reason not in CRASHES and pair.proven_gone:
        return moved(pair, "It has been shut off there since.")
    if pair.source_class is Class.OFF and pair.intent.destination_defined_before is True:
        return not_moved(pair, offers=(Action.START_SOURCE,))
    where = " on both hosts" if pair.source_class is Class.OFF else ""
    return needs_operator(pair, f"The guest is shut off{where}.", offers=(Action.START_DESTINATION,))


_ROWS: Final[dict[Class, Callable[[Pair], Judgement]]] = {
    Class.SILENT: _source_silent,
    Class.ABSENT: _source_absent,
    Class.RUNNING: _source_running,
    Class.PAUSED: _source_paused,
    Class.OFF: _source_off,
}
