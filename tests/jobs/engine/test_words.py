"""Sentences for every phase, in both voices."""

from __future__ import annotations

import pytest

from jobs.engine.phases import EXITS, Phase
from jobs.engine.words import (
    LABELS,
    Voice,
    duration_words,
    outcome_sentence,
    phase_sentence,
    transition_sentence,
)

NAMES = ("web01", "mercury", "jupiter")


@pytest.mark.parametrize("voice", Voice)
@pytest.mark.parametrize("phase", Phase)
def test_every_phase_has_a_sentence(phase, voice):
    sentence = phase_sentence(phase, *NAMES, voice)
    assert "web01" in sentence
    assert sentence.endswith(".")
    assert "{" not in sentence
    assert LABELS[phase]


def test_the_help_desk_is_spared_the_jargon():
    for phase in Phase:
        sentence = phase_sentence(phase, *NAMES, Voice.HELP_DESK).lower()
        assert not [word for word in ("libvirt", "qemu", "domain", "memory", "host") if word in sentence]


@pytest.mark.parametrize(
    ("old", "new"), [(old, new) for old, exits in EXITS.items() for new in sorted(exits)]
)
def test_every_transition_has_a_sentence(old, new):
    assert "web01" in transition_sentence(old, new, *NAMES)


def test_a_refusal_says_that_nothing_was_changed():
    for old in (Phase.QUEUED, Phase.PREPARING):
        assert "before anything was changed" in transition_sentence(old, Phase.FAILED, *NAMES)


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        (-1, "0 ms"),
        (0, "0 ms"),
        (250, "250 ms"),
        (4_200, "4.2 s"),
        (59_960, "1 min 0 s"),
        (185_000, "3 min 5 s"),
        (7_800_000, "2 h 10 min"),
    ],
)
def test_durations_are_said_as_people_say_them(milliseconds, words):
    assert duration_words(milliseconds) == words


def test_an_outcome_has_its_figures():
    moved = outcome_sentence(Phase.SUCCEEDED, *NAMES, elapsed_ms=4200, downtime_ms=180)
    assert moved.endswith("It took 4.2 s, with a pause of 180 ms.")
    assert "not measured" in outcome_sentence(Phase.SUCCEEDED, *NAMES, elapsed_ms=4200, downtime_ms=None)
    failed = outcome_sentence(Phase.FAILED, *NAMES, elapsed_ms=4200, downtime_ms=None)
    assert failed == phase_sentence(Phase.FAILED, *NAMES)
