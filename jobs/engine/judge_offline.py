"""judge for offline moves: no memory is sent, a definition is copied. Pure."""

from __future__ import annotations

from jobs.engine.judge_parts import Pair, moved, needs_operator, not_moved, split_brain, unknown
from jobs.engine.judgement import Action, Judgement
from jobs.engine.observation import Class


def judge_offline(pair: Pair) -> Judgement:
    """Total over every pair of classes but UNCLEAR."""
    if Class.SILENT in (pair.source_class, pair.destination_class):
        return unknown(pair, "A host does not answer, so it is not known whether the definition was copied.")
    if pair.destination_class is Class.ABSENT:
        return _not_there(pair)
    if pair.source_class in (Class.RUNNING, Class.PAUSED):
        return _started_meanwhile(pair)
    if pair.source_class is Class.OFF and not pair.intent.call_made:
        return not_moved(pair, "What the destination has is the definition that it had before.")
    if pair.source_class is Class.OFF and _could_be_the_old_one(pair):
        words = "The destination had a definition of it before; whether it was replaced is not known."
        return needs_operator(pair, words + " Doing the move again is harmless.")
    return moved(pair)


def _not_there(pair: Pair) -> Judgement:
    if pair.source_class is Class.ABSENT:
        words = "Neither host knows the guest any more."
        return needs_operator(pair, words, offers=(Action.DEFINE_SOURCE,))
    return not_moved(pair)


def _started_meanwhile(pair: Pair) -> Judgement:
    if pair.source_class is Class.RUNNING and pair.destination_class is Class.RUNNING:
        return split_brain(pair)
    words = "Somebody started it at the source while its definition was moved; both hosts define it."
    return needs_operator(pair, words)


def _could_be_the_old_one(pair: Pair) -> bool:
    return pair.intent.destination_defined_before is not False and not pair.intent.call_succeeded
