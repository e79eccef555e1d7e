"""judge: the measured fault table row by row, and what must hold for every pair of observations."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hosts.facts.domain import ACTIVE_STATES, DomainState, DomainStatus
from jobs.engine.judge import judge
from jobs.engine.judgement import Action, Judgement, Verdict
from jobs.engine.observation import Absent, Intent, Observation, Seen, Unreachable
from jobs.engine.plan import Expected
from jobs.options import Kind

INTENT = Intent(guest="web01", source="mercury", destination="jupiter")
PAUSED_ARRIVAL = dataclasses.replace(INTENT, arrive_paused=True)
OFFLINE = dataclasses.replace(INTENT, kind=Kind.OFFLINE, expected=Expected.SHUT_OFF)
KEPT = dataclasses.replace(INTENT, undefine_source=False)
STAYS_PAUSED = dataclasses.replace(INTENT, expected=Expected.PAUSED, was_paused=True)

ABSENT, SILENT = Absent(), Unreachable("no route")


def seen(words: str, job: str = "", *, persistent: bool = True, arriving: bool | None = None) -> Seen:
    """ "paused/migration" → an observation."""
    state, _, reason = words.partition("/")
    return Seen(DomainStatus(DomainState(state), reason, persistent, job), arriving)


RUNS = seen("running/booted")
RUNS_MOVING = seen("running/booted", "unbounded")
CANCELED = seen("running/migration-canceled")
SWITCHING = seen("paused/migration", "unbounded")
STOPPED = seen("paused/migration")
INCOMING = seen("paused/migration", "incoming")
TOOK_OVER = seen("running/migrated")
WAITS = seen("paused/user")
HANDED_OVER = seen("shut off/migrated")
MOVED, NOT_MOVED, MOVING, UNKNOWN, OPERATOR = (
    Verdict.MOVED,
    Verdict.NOT_MOVED,
    Verdict.STILL_MOVING,
    Verdict.UNKNOWN,
    Verdict.NEEDS_OPERATOR,
)

ROWS: list[tuple[str, Observation, Observation, Intent, Verdict, tuple[Action, ...]]] = [
    ("memory is being sent", RUNS_MOVING, INCOMING, INTENT, MOVING, (Action.WAIT,)),
    ("connecting", RUNS_MOVING, ABSENT, INTENT, MOVING, (Action.WAIT,)),
    ("job, destination silent", RUNS_MOVING, SILENT, INTENT, MOVING, (Action.WAIT,)),
    ("never started", RUNS, ABSENT, INTENT, NOT_MOVED, ()),
    ("failed, a definition there", RUNS, seen("shut off/crashed"), INTENT, NOT_MOVED, ()),
    (
        "stale incoming copy",
        CANCELED,
        seen("paused/migration"),
        INTENT,
        NOT_MOVED,
        (Action.DESTROY_DESTINATION,),
    ),
    ("two-step, link cut", CANCELED, WAITS, PAUSED_ARRIVAL, NOT_MOVED, (Action.DESTROY_DESTINATION,)),
    ("paused there by a person?", CANCELED, WAITS, INTENT, OPERATOR, ()),
    ("split brain", CANCELED, TOOK_OVER, INTENT, OPERATOR, (Action.SUSPEND_SOURCE_ALARM,)),
    ("split brain with a job", RUNS_MOVING, TOOK_OVER, INTENT, OPERATOR, (Action.SUSPEND_SOURCE_ALARM,)),
    ("runs here, other silent", RUNS, SILENT, INTENT, UNKNOWN, (Action.WAIT,)),
    ("switch-over", SWITCHING, INCOMING, INTENT, MOVING, (Action.WAIT,)),
    ("non-live, nothing there yet", SWITCHING, ABSENT, INTENT, MOVING, (Action.WAIT,)),
    (
        "finish reply lost",
        SWITCHING,
        TOOK_OVER,
        INTENT,
        MOVED,
        (Action.DESTROY_SOURCE, Action.UNDEFINE_SOURCE),
    ),
    ("confirm lost", STOPPED, TOOK_OVER, INTENT, MOVED, (Action.DESTROY_SOURCE, Action.UNDEFINE_SOURCE)),
    ("confirm lost, definition stays", STOPPED, TOOK_OVER, KEPT, MOVED, (Action.DESTROY_SOURCE,)),
    (
        "two-step, confirm lost",
        STOPPED,
        WAITS,
        PAUSED_ARRIVAL,
        MOVED,
        (Action.DESTROY_SOURCE, Action.RESUME_DESTINATION, Action.UNDEFINE_SOURCE),
    ),
    (
        "asked to stay paused, confirm lost",
        STOPPED,
        WAITS,
        dataclasses.replace(INTENT, expected=Expected.PAUSED),
        MOVED,
        (Action.DESTROY_SOURCE, Action.UNDEFINE_SOURCE),
    ),
    ("client died after perform", STOPPED, ABSENT, INTENT, NOT_MOVED, (Action.RESUME_SOURCE,)),
    ("undecidable", STOPPED, SILENT, INTENT, UNKNOWN, (Action.WAIT,)),
    (
        "destination died incoming",
        STOPPED,
        seen("paused/migration"),
        INTENT,
        NOT_MOVED,
        (Action.DESTROY_DESTINATION,),
    ),
    ("may have run there", STOPPED, seen("shut off/shutdown"), INTENT, OPERATOR, ()),
    (
        "post-copy runs",
        seen("paused/postcopy", "unbounded"),
        seen("running/postcopy"),
        INTENT,
        MOVING,
        (Action.WAIT,),
    ),
    (
        "post-copy broken",
        seen("paused/postcopy-failed", "unbounded", arriving=False),
        seen("running/postcopy"),
        INTENT,
        MOVING,
        (Action.RECOVER_POSTCOPY,),
    ),
    (
        "post-copy unattended",
        seen("paused/postcopy-failed", arriving=True),
        seen("running/postcopy"),
        INTENT,
        MOVING,
        (Action.WAIT,),
    ),
    ("post-copy, memory lost", seen("paused/postcopy-failed"), ABSENT, INTENT, OPERATOR, ()),
    (
        "post-copy, source died",
        seen("shut off/crashed"),
        seen("running/postcopy-failed"),
        INTENT,
        OPERATOR,
        (),
    ),
    ("the proof", HANDED_OVER, TOOK_OVER, INTENT, MOVED, (Action.UNDEFINE_SOURCE,)),
    ("the proof, definition stays", HANDED_OVER, TOOK_OVER, KEPT, MOVED, ()),
    (
        "two-step, to be resumed",
        HANDED_OVER,
        WAITS,
        PAUSED_ARRIVAL,
        MOVED,
        (Action.RESUME_DESTINATION, Action.UNDEFINE_SOURCE),
    ),
    ("stays paused", HANDED_OVER, WAITS, STAYS_PAUSED, MOVED, (Action.UNDEFINE_SOURCE,)),
    ("guard acted", seen("shut off/destroyed"), TOOK_OVER, INTENT, MOVED, (Action.UNDEFINE_SOURCE,)),
    ("undefined already", ABSENT, TOOK_OVER, INTENT, MOVED, ()),
    (
        "not persistent there",
        ABSENT,
        seen("running/migrated", persistent=False),
        INTENT,
        MOVED,
        (Action.DEFINE_DESTINATION,),
    ),
    (
        "not persistent there, source still defined",
        HANDED_OVER,
        seen("running/migrated", persistent=False),
        INTENT,
        MOVED,
        (Action.DEFINE_DESTINATION,),
    ),
    ("crashed on the way", seen("shut off/crashed"), ABSENT, INTENT, NOT_MOVED, ()),
    ("stopped by someone", seen("shut off/destroyed"), ABSENT, INTENT, NOT_MOVED, ()),
    ("lost definition", ABSENT, ABSENT, INTENT, OPERATOR, ()),
    ("moved, then gone", HANDED_OVER, ABSENT, INTENT, OPERATOR, ()),
    (
        "moved, then shut off",
        HANDED_OVER,
        seen("shut off/shutdown"),
        INTENT,
        MOVED,
        (Action.UNDEFINE_SOURCE,),
    ),
    ("moved, then crashed", HANDED_OVER, seen("shut off/crashed"), INTENT, OPERATOR, ()),
    ("moved, then paused by a disk error", HANDED_OVER, seen("paused/ioerror"), INTENT, OPERATOR, ()),
    ("took over, source silent", SILENT, TOOK_OVER, INTENT, UNKNOWN, (Action.WAIT,)),
    (
        "took over, source silent, libvirt said so",
        SILENT,
        TOOK_OVER,
        dataclasses.replace(INTENT, call_succeeded=True),
        MOVED,
        (),
    ),
    (
        "two-step, source silent, libvirt said so",
        SILENT,
        WAITS,
        dataclasses.replace(PAUSED_ARRIVAL, call_succeeded=True),
        MOVED,
        (Action.RESUME_DESTINATION,),
    ),
    ("both silent", SILENT, SILENT, INTENT, UNKNOWN, (Action.WAIT,)),
    ("paused before, failed", seen("paused/user"), ABSENT, STAYS_PAUSED, NOT_MOVED, ()),
    ("paused on both", seen("paused/user"), WAITS, STAYS_PAUSED, OPERATOR, ()),
    ("paused here, runs there", seen("paused/user"), TOOK_OVER, INTENT, OPERATOR, ()),
    (
        "offline, copied",
        seen("shut off/shutdown"),
        seen("shut off/"),
        OFFLINE,
        MOVED,
        (Action.UNDEFINE_SOURCE,),
    ),
    ("offline, not copied", seen("shut off/shutdown"), ABSENT, OFFLINE, NOT_MOVED, ()),
    (
        "offline, overwritten?",
        seen("shut off/shutdown"),
        seen("shut off/"),
        dataclasses.replace(OFFLINE, destination_defined_before=True),
        OPERATOR,
        (),
    ),
    (
        "offline, overwritten",
        seen("shut off/shutdown"),
        seen("shut off/"),
        dataclasses.replace(OFFLINE, destination_defined_before=True, call_succeeded=True),
        MOVED,
        (Action.UNDEFINE_SOURCE,),
    ),
    (
        "offline, its files were not all copied",
        seen("shut off/shutdown"),
        seen("shut off/"),
        dataclasses.replace(OFFLINE, destination_defined_before=True, call_made=False),
        NOT_MOVED,
        (),
    ),
    ("offline, lost", ABSENT, ABSENT, OFFLINE, OPERATOR, ()),
    ("offline, silent", seen("shut off/"), SILENT, OFFLINE, UNKNOWN, (Action.WAIT,)),
    ("offline, started meanwhile", RUNS, seen("shut off/"), OFFLINE, OPERATOR, ()),
    ("name overwritten, failed", RUNS, seen("shut off/crashed"), INTENT, NOT_MOVED, ()),
    (
        "died on the way, old definition there",
        seen("shut off/crashed"),
        seen("shut off/crashed"),
        dataclasses.replace(INTENT, destination_defined_before=True),
        NOT_MOVED,
        (),
    ),
]


@pytest.mark.parametrize(
    ("source", "destination", "intent", "verdict", "actions"),
    [row[1:] for row in ROWS],
    ids=[row[0] for row in ROWS],
)
def test_measured_fault_is_judged(source, destination, intent, verdict, actions):
    judgement = judge(source, destination, intent)
    assert (judgement.verdict, judgement.actions) == (verdict, actions), judgement.sentence


REASONS = st.sampled_from(
    [
        "booted",
        "migrated",
        "migration",
        "migration-canceled",
        "unpaused",
        "user",
        "postcopy",
        "postcopy-failed",
        "ioerror",
        "starting-up",
        "shutdown",
        "destroyed",
        "crashed",
        "saved",
        "failed",
        "daemon",
        "wakeup",
        "watchdog",
    ]
) | st.just("")
STATUSES = st.builds(
    DomainStatus,
    state=st.sampled_from(DomainState),
    reason=REASONS,
    persistent=st.booleans(),
    job=st.sampled_from(["", "unbounded", "bounded", "incoming"]),
)
OBSERVATIONS = (
    st.builds(Seen, status=STATUSES, memory_arriving=st.sampled_from([None, True, False]))
    | st.just(ABSENT)
    | st.just(SILENT)
)
INTENTS = st.builds(
    Intent,
    guest=st.just("web01"),
    source=st.just("mercury"),
    destination=st.just("jupiter"),
    kind=st.sampled_from(Kind),
    expected=st.sampled_from(Expected),
    persistent=st.booleans(),
    undefine_source=st.booleans(),
    arrive_paused=st.booleans(),
    was_paused=st.booleans(),
    destination_defined_before=st.sampled_from([None, True, False]),
    call_succeeded=st.booleans(),
    call_made=st.booleans(),
)
CHANGING = frozenset(Action) - {Action.WAIT}


def may_run(observation: Observation) -> bool:
    """Cannot be excluded to run."""
    if isinstance(observation, Seen):
        return observation.status.state in ACTIVE_STATES | {DomainState.NO_STATE}
    return isinstance(observation, Unreachable)


def check_safety(source: Observation, destination: Observation, intent: Intent, found: Judgement) -> None:
    assert found.sentence
    assert found.help_desk
    check_verdict(source, destination, found)
    check_source_actions(source, destination, intent, found)
    check_destination_actions(source, destination, intent, found)
    if CHANGING & set(found.actions) and not intent.call_succeeded:
        assert found.second_reading_after_s > 0


def check_verdict(source: Observation, destination: Observation, found: Judgement) -> None:
    if found.verdict is Verdict.UNKNOWN:
        assert (found.actions, found.offers) == ((Action.WAIT,), ())
    if found.verdict is Verdict.MOVED:
        assert isinstance(destination, Seen)
    if found.verdict is Verdict.NOT_MOVED:
        assert isinstance(source, Seen)
    if runs(source) and runs(destination):
        assert found.verdict in {Verdict.NEEDS_OPERATOR, Verdict.STILL_MOVING}
        assert not {Action.DESTROY_SOURCE, Action.DESTROY_DESTINATION} & set(found.actions)


def runs(observation: Observation) -> bool:
    return isinstance(observation, Seen) and observation.status.state is DomainState.RUNNING


def is_paused(observation: Observation) -> bool:
    return isinstance(observation, Seen) and observation.status.state is DomainState.PAUSED


def check_source_actions(
    source: Observation, destination: Observation, intent: Intent, found: Judgement
) -> None:
    if Action.RESUME_SOURCE in found.actions + found.offers:
        assert isinstance(destination, Absent)
    if Action.DESTROY_SOURCE in found.actions:
        assert is_paused(source)
        assert isinstance(destination, Seen)
    if Action.UNDEFINE_SOURCE in found.actions + found.offers:
        assert found.verdict is Verdict.MOVED
        assert isinstance(destination, Seen)
        assert destination.status.persistent or not intent.persistent
        assert not may_run(source) or Action.DESTROY_SOURCE in found.actions


def check_destination_actions(
    source: Observation, destination: Observation, intent: Intent, found: Judgement
) -> None:
    actions = list(found.actions)
    if Action.RESUME_DESTINATION in actions and may_run(source) and not intent.call_succeeded:
        assert actions.index(Action.DESTROY_SOURCE) < actions.index(Action.RESUME_DESTINATION)
    if Action.DESTROY_DESTINATION in actions:
        assert is_paused(destination)
        assert isinstance(source, Seen)
        assert may_run(source)


@settings(max_examples=3000, deadline=None)
@given(OBSERVATIONS, OBSERVATIONS, INTENTS)
def test_judge_is_total_and_never_dangerous(source, destination, intent):
    check_safety(source, destination, intent, judge(source, destination, intent))


def test_every_pair_of_measured_observations_is_safe():
    """The rows' observations with each other, which random pairs seldom meet."""
    sides = list(dict.fromkeys(side for row in ROWS for side in row[1:3]))
    intents = list(dict.fromkeys(row[3] for row in ROWS))
    for source in sides:
        for destination in sides:
            for intent in intents:
                check_safety(source, destination, intent, judge(source, destination, intent))
