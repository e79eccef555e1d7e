"""After the call: ask both hosts, judge, put things in order one action at a time, and say what is true.

An exception from libvirt is never the outcome. Nothing is removed while the outcome is unknown.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Protocol

from hosts.errors import HostError
from hosts.facts.jobstats import JobStats
from hosts.models import Host
from hosts.services.connections import borrowed
from jobs.engine.judge import judge
from jobs.engine.judgement import Action, Judgement, Verdict
from jobs.engine.observation import Intent, Seen, build_intent
from jobs.engine.perform import TransferEnd
from jobs.engine.phases import Phase
from jobs.engine.plan import Plan
from jobs.models import Migration
from jobs.services import outcome, tidying, volumes
from jobs.services.observing import BothHosts, observe_both
from jobs.services.offline_copy_places import may_have_asked

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.25
# libvirt itself gives up on a lost switch-over after its keepalive (30 s); a host that is silent longer is left
# to the next round, so that the worker is free.
UNKNOWN_WITHIN_S = 35.0
# A job that runs is watched for as long as it runs; "still moving" without a job may not last longer than this.
MOVING_WITHOUT_JOB_S = 60.0
MOST_ACTIONS = 6  # the longest way in the judge's table is three


class Watcher(Protocol):
    def on_stats(self, stats: JobStats, elapsed_ms: int, *, switching: bool = False) -> None: ...
    def on_note(self, sentence: str) -> None: ...
    def cancel_wanted(self) -> bool: ...
    def keep_lease(self) -> None: ...


@dataclass
class Settling:
    """One settlement in progress."""

    migration: Migration
    source: Host
    destination: Host
    plan: Plan
    intent: Intent
    watcher: Watcher
    started: float = field(default_factory=time.monotonic)
    last_moving: float = field(default_factory=time.monotonic)
    abort_sent: bool = False
    done: list[Action] = field(default_factory=list)
    failed: set[Action] = field(default_factory=set)
    leftovers: list[str] = field(default_factory=list)
    remaining_bytes: int | None = None
    completed: JobStats | None = None


def settle(
    migration: Migration,
    source: Host,
    destination: Host,
    plan: Plan,
    end: TransferEnd | None,
    watcher: Watcher,
) -> None:
    """`end` None: another worker made the call, nothing is known of how it ended. Raises StaleTransition."""
    succeeded, made = end is not None and end.error is None, may_have_asked(plan, migration.volumes_data)
    intent = build_intent(plan, call_succeeded=succeeded, call_made=made)
    settling = Settling(migration, source, destination, plan, intent, watcher)
    both, judgement = _settle(settling)
    # A person may have asked for the cancel after this worker read the row.
    migration.refresh_from_db(fields=["cancel_requested_at", "cancel_requested_by"])
    asked = end.cancelled if end else migration.cancel_requested_at is not None
    outcome.conclude(settling.migration, outcome.Conclusion(
        plan=plan, both=both, judgement=judgement, error=end.error if end else None,
        cancelled=asked or settling.abort_sent,
        leftovers=(*settling.leftovers, *_settle_volumes(settling, both, judgement)), completed=settling.completed,
        elapsed_ms=end.elapsed_ms if end else None,
    ))  # fmt: skip


def _settle_volumes(settling: Settling, both: BothHosts, judgement: Judgement) -> tuple[str, ...]:
    """Leftovers among the volumes. Nothing is touched unless it is known where the guest is."""
    if judgement.verdict is Verdict.NOT_MOVED:
        return volumes.remove_created(settling.migration, settling.destination)
    wanted = settling.plan.options.remove_source_disks and isinstance(both.destination.observation, Seen)
    if judgement.verdict is Verdict.MOVED and wanted:
        return volumes.remove_source(settling.migration, settling.plan, settling.source)
    return ()


def _settle(settling: Settling) -> tuple[BothHosts, Judgement]:
    """Look, act, look again, until there is nothing left to do or nothing more can be known now."""
    while True:
        both, judgement = _look(settling)
        if judgement.verdict in (Verdict.STILL_MOVING, Verdict.UNKNOWN):
            if not _wait(settling, both, judgement):
                return both, judgement
            continue
        outcome.enter(settling.migration, judgement, both)
        action = _next_action(settling, judgement)
        if action is None:
            return both, judgement
        if judgement.second_reading_after_s and not _confirmed(settling, judgement):
            continue
        _act(settling, action)


def _look(settling: Settling) -> tuple[BothHosts, Judgement]:
    both = observe_both(settling.source, settling.destination, str(settling.migration.domain_uuid))
    # The record vanishes with the source's definition, so the first reading that has it is kept.
    settling.completed = settling.completed or both.source.completed or both.destination.completed
    source = both.source.observation
    if isinstance(source, Seen) and both.source.job is not None:
        source = dataclasses.replace(source, memory_arriving=_arriving(settling, both.source.job))
    return both, judge(source, both.destination.observation, settling.intent)


def _arriving(settling: Settling, job: JobStats) -> bool | None:
    """Whether memory still flows, from two readings; None after the first."""
    before, settling.remaining_bytes = settling.remaining_bytes, job.memory_remaining_bytes
    if before is None or settling.remaining_bytes is None:
        return None
    return settling.remaining_bytes < before


def _wait(settling: Settling, both: BothHosts, judgement: Judgement) -> bool:
    """Watch on for one look. False when it has lasted too long and is left to the next round."""
    settling.watcher.keep_lease()
    now = time.monotonic()
    job = both.source.job
    if judgement.verdict is Verdict.STILL_MOVING and job is not None:
        settling.last_moving = now
        outcome.go_on(settling.migration, both.source.observation)
        settling.watcher.on_stats(job, job.time_elapsed_ms or 0)
        _cancel_if_wanted(settling)
    if Action.RECOVER_POSTCOPY in judgement.actions and Action.RECOVER_POSTCOPY not in settling.failed:
        _act(settling, Action.RECOVER_POSTCOPY)
    limit = UNKNOWN_WITHIN_S if judgement.verdict is Verdict.UNKNOWN else MOVING_WITHOUT_JOB_S
    time.sleep(LOOK_EVERY_S)
    return now - settling.last_moving < _first_round_only(settling, limit)


def _first_round_only(settling: Settling, limit: float) -> float:
    """A move that already is UNCONFIRMED is looked at shortly in each round; nobody waits for it."""
    return 2.0 if settling.migration.phase == Phase.UNCONFIRMED else limit


def _cancel_if_wanted(settling: Settling) -> None:
    if (
        settling.abort_sent
        or settling.migration.phase != Phase.TRANSFERRING
        or not settling.watcher.cancel_wanted()
    ):
        return
    try:
        with borrowed(settling.source) as connection:
            tidying.get_guest(connection, settling.migration, settling.source).abort_job()
    except HostError as error:
        log.warning("%s could not be cancelled yet: %s", settling.migration, error.message)
        return
    settling.abort_sent = True
    settling.watcher.on_note("Asked libvirt to abort the move.")


def _next_action(settling: Settling, judgement: Judgement) -> Action | None:
    if len(settling.done) >= MOST_ACTIONS:
        return None
    open_actions = [
        action for action in judgement.actions if action not in settling.failed and action is not Action.WAIT
    ]
    return open_actions[0] if open_actions else None


def _confirmed(settling: Settling, judgement: Judgement) -> bool:
    """What cannot be taken back is done only when a second reading says the same."""
    until = time.monotonic() + judgement.second_reading_after_s
    while time.monotonic() < until:
        settling.watcher.keep_lease()
        time.sleep(LOOK_EVERY_S)
    _, again = _look(settling)
    return (again.verdict, again.actions) == (judgement.verdict, judgement.actions)


def _do(settling: Settling, action: Action) -> str:
    """The action, with the lease renewed beside it: taking up a broken post-copy lasts as long as the rest does."""
    words = (settling.migration, settling.source, settling.destination, settling.plan, action)
    if action is not Action.RECOVER_POSTCOPY:
        return tidying.act(*words)
    with ThreadPoolExecutor(max_workers=1) as pool:
        deed = pool.submit(tidying.act, *words)
        while not deed.done():
            settling.watcher.keep_lease()
            wait([deed], timeout=LOOK_EVERY_S)
        return deed.result()


def _act(settling: Settling, action: Action) -> None:
    try:
        sentence = _do(settling, action)
    except HostError as error:
        settling.failed.add(action)
        settling.leftovers.append(
            f"{action.value.replace('-', ' ')} failed: {error.message} {error.remedy}".strip()
        )
        settling.watcher.on_note(f"Could not {action.value.replace('-', ' ')}: {error.message}")
        return
    settling.done.append(action)
    settling.watcher.on_note(sentence)
