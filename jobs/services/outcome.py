"""Writes how a move ended: phases, sentences in two voices, what was verified, what was left behind."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone

from hosts.errors import GuestNotFound, HostError
from hosts.facts.codec import to_data
from hosts.facts.jobstats import JobStats
from hosts.services import inventory
from hosts.services.connections import borrowed
from jobs.engine.judgement import Judgement, Verdict
from jobs.engine.observation import Absent, Observation, Seen, Unreachable, describe
from jobs.engine.phases import Phase, can_advance
from jobs.engine.plan import Plan
from jobs.engine.volumes import describe_arrived
from jobs.models import Migration, Transition
from jobs.options import Kind, Storage
from jobs.preflight.findings import Finding
from jobs.services import tidying
from jobs.services.observing import BothHosts
from jobs.services.publishing import publish_soon

log = logging.getLogger(__name__)

# A worker of the version that planned it may come back (an upgrade in steps).
UNREADABLE_AGAIN_AFTER = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Conclusion:
    """Everything known when there is nothing more to do or to learn for now."""

    plan: Plan
    both: BothHosts
    judgement: Judgement
    error: HostError | None
    cancelled: bool
    leftovers: tuple[str, ...]
    completed: JobStats | None
    elapsed_ms: int | None


def enter(migration: Migration, judgement: Judgement, both: BothHosts) -> None:
    """Announce what is about to be done, before it is: CONFIRMING, ROLLING_BACK or UNCONFIRMED."""
    wanted = {Verdict.MOVED: Phase.CONFIRMING, Verdict.NOT_MOVED: Phase.ROLLING_BACK}.get(
        judgement.verdict, Phase.UNCONFIRMED
    )
    if migration.phase == wanted:
        return
    if not can_advance(Phase(migration.phase), wanted):
        migration.advance(Phase.UNCONFIRMED, "What both hosts say has changed; they are asked again.")
    if migration.phase != wanted:
        migration.advance(wanted, _asked(migration, both))
    publish_soon(migration)


def go_on(migration: Migration, source: Observation) -> None:
    """A move of which nothing was known for a while is seen to go on: it can be watched and cancelled again."""
    if migration.phase != Phase.UNCONFIRMED:
        return
    postcopy = isinstance(source, Seen) and source.status.reason.startswith("postcopy")
    migration.advance(
        Phase.POSTCOPY if postcopy else Phase.TRANSFERRING,
        f"{migration.source_name} answers again: the move of {migration.guest_name} is going on.",
    )
    publish_soon(migration)


def leave_unreadable(migration: Migration, why: Exception) -> None:
    """The plan was made by another version of the product: nothing is done by guesswork, a person is told."""
    sentence = (
        f"This move was planned by another version of the product ({why}), which alone can finish it. Look at "
        f"{migration.guest_name} on both hosts, {migration.source_name} and {migration.destination_name}."
    )
    if migration.phase != Phase.UNCONFIRMED:
        migration.advance(Phase.UNCONFIRMED, sentence)
    migration.write(
        verdict=Verdict.NEEDS_OPERATOR, outcome_sentence=sentence, help_desk_sentence=sentence,
        lease_until=timezone.now() + UNREADABLE_AGAIN_AFTER,
    )  # fmt: skip
    publish_soon(migration)


def conclude(migration: Migration, end: Conclusion) -> None:
    """Write the end, or that it is not known yet. Then every browser's tree is made true."""
    enter(migration, end.judgement, end.both)
    if end.judgement.verdict is Verdict.MOVED:
        _succeed(migration, end)
    elif end.judgement.verdict is Verdict.NOT_MOVED:
        _fail(migration, end)
    else:
        _leave_unconfirmed(migration, end)
    publish_soon(migration)
    refresh_inventory(migration)


def note(migration: Migration, sentence: str) -> None:
    """A line of the timeline within a phase."""
    Transition.objects.create(
        migration=migration, old=migration.phase, new=migration.phase, at=timezone.now(), sentence=sentence,
        worker=migration.worker,
    )  # fmt: skip
    log.info("%s: %s", migration, sentence)


def fail_untouched(
    migration: Migration, message: str, *, remedy: str = "", libvirt_text: str = "", help_desk: str = ""
) -> None:
    """Ended before libvirt was asked to move anything: refused, nothing was changed."""
    migration.advance(
        Phase.FAILED,
        f"{message} Nothing was changed.",
        error_text=libvirt_text or message,
        error_meaning=message if libvirt_text else "",
        error_remedy=remedy,
        verdict=Verdict.NOT_MOVED,
        outcome_sentence=f"{message} Nothing was changed: {migration.guest_name} was not touched.",
        help_desk_sentence=help_desk or _unchanged(migration),
    )
    log.info("%s: refused. %s", migration, message)
    publish_soon(migration)


def fail_untouched_by(migration: Migration, error: HostError) -> None:
    gone = f"Nothing was changed, but {migration.guest_name} was not found on {migration.source_name}."
    fail_untouched(
        migration, error.message, remedy=error.remedy, libvirt_text=error.libvirt_text,
        help_desk=gone if isinstance(error, GuestNotFound) else "",
    )  # fmt: skip
    refresh_inventory(migration)


def fail_blocked(migration: Migration, findings: tuple[Finding, ...], blockers: list[Finding]) -> None:
    """Something changed between the request and now: the check at run time found a blocker."""
    migration.write(findings_data=to_data(list(findings)))
    count = "A blocker was" if len(blockers) == 1 else f"{len(blockers)} blockers were"
    fail_untouched(
        migration,
        f"{count} found when both hosts were checked again: {blockers[0].message}",
        remedy=blockers[0].remedy,
    )
    refresh_inventory(migration)


def cancel_untouched(migration: Migration) -> None:
    migration.advance(
        Phase.CANCELLED,
        f"Cancelled by {migration.cancel_requested_by} before libvirt was asked; nothing was changed.",
        verdict=Verdict.NOT_MOVED,
        outcome_sentence=f"Cancelled before the move began. {migration.guest_name} was not touched.",
        help_desk_sentence=_unchanged(migration),
    )
    publish_soon(migration)


def sentence_of_start(migration: Migration, plan: Plan) -> str:
    words = {"live": "live", "non-live": "paused during the move", "offline": "definition only"}
    if plan.options.kind is Kind.OFFLINE and plan.options.storage is not Storage.SHARED:
        return (
            f"The files of {migration.guest_name} are copied from {migration.source_name} to "
            f"{migration.destination_name}, then libvirt moves its definition."
        )
    way = f"{words[plan.options.kind]}, {plan.options.control.value}"
    return f"libvirt moves {migration.guest_name} from {migration.source_name} to {migration.destination_name} ({way})."


def error_fields(error: HostError) -> dict[str, Any]:
    """libvirt's own words, what they mean, what to do."""
    return {
        "error_text": error.libvirt_text or error.message,
        "error_meaning": error.message if error.libvirt_text else "",
        "error_remedy": error.remedy,
    }


def refresh_inventory(migration: Migration) -> None:
    """Read this guest on both hosts again, so that every tree shows at once where it is."""
    for host in (migration.source, migration.destination):
        if host is None:
            continue
        try:
            with borrowed(host) as connection:
                inventory.refresh_guest(host, connection, str(migration.domain_uuid))
        except HostError as error:
            log.info("%s could not be read after the move: %s", host.name, error.message)


def _succeed(migration: Migration, end: Conclusion) -> None:
    leftovers = [*end.leftovers, *_left_at_silent_source(migration, end)]
    if migration.source_autostart and end.plan.options.persistent:
        leftovers += _carry_autostart(migration)
    migration.advance(
        Phase.SUCCEEDED,
        end.judgement.sentence,
        **_common(migration, end, leftovers),
        **(error_fields(end.error) if end.error else {}),
    )
    log.info("%s", end.judgement.sentence)


def _left_at_silent_source(migration: Migration, end: Conclusion) -> list[str]:
    """Nobody comes back to a move that has ended: what could not be removed is told to a person."""
    if not isinstance(end.both.source.observation, Unreachable) or not end.plan.undefine_source:
        return []
    sentence = (
        f"{migration.source_name} did not answer at the end: it still defines {migration.guest_name}. Do not start "
        f"it there; when the host answers: virsh undefine {migration.domain_uuid}"
    )
    return [sentence]


def _carry_autostart(migration: Migration) -> list[str]:
    """Leftovers, if any."""
    leftovers = []
    try:
        if migration.destination is not None:
            note(migration, tidying.carry_autostart(migration, migration.destination))
    except HostError as error:
        leftovers.append(
            f"Autostart could not be switched on at {migration.destination_name}: {error.message}"
        )
    try:
        if migration.source is not None and (sentence := tidying.end_autostart(migration, migration.source)):
            note(migration, sentence)
    except HostError as error:
        leftovers.append(
            f"{migration.source_name} may start {migration.guest_name} at its next boot, a second time: switch "
            f"autostart off there. {error.message}"
        )
    return leftovers


def _fail(migration: Migration, end: Conclusion) -> None:
    phase = Phase.CANCELLED if end.cancelled else Phase.FAILED
    lead = (
        f"Cancelled by {migration.cancel_requested_by}. "
        if end.cancelled and migration.cancel_requested_by
        else ""
    )
    errors = error_fields(end.error) if end.error is not None and not end.cancelled else {}
    migration.advance(
        phase, lead + end.judgement.sentence, **_common(migration, end, list(end.leftovers)), **errors
    )
    log.info("%s%s", lead, end.judgement.sentence)


def _leave_unconfirmed(migration: Migration, end: Conclusion) -> None:
    """Not the end: the scheduler's rounds ask both hosts again until they say enough."""
    errors = error_fields(end.error) if end.error is not None else {}
    migration.write(**_common(migration, end, list(end.leftovers)), **errors, lease_until=None)
    log.warning("%s", end.judgement.sentence)


def _common(migration: Migration, end: Conclusion, leftovers: list[str]) -> dict[str, Any]:
    # An offline move makes no record: what is found then belongs to an earlier move of this guest.
    measured = end.judgement.verdict is Verdict.MOVED and end.plan.options.kind is not Kind.OFFLINE
    completed = end.completed if measured else None
    elapsed = completed.time_elapsed_ms if completed is not None else None
    return {
        "verdict": end.judgement.verdict,
        "outcome_sentence": end.judgement.sentence,
        "help_desk_sentence": end.judgement.help_desk,
        "source_state": describe(end.both.source.observation),
        "destination_state": describe(end.both.destination.observation),
        "verified_data": [
            _verify(migration.source_name, end.both.source.observation),
            _verify(migration.destination_name, end.both.destination.observation),
            *_disks_there(migration, end),
        ],
        "leftovers_data": leftovers,
        "duration_ms": elapsed if elapsed is not None else end.elapsed_ms or migration.duration_ms,
        "downtime_ms": completed.downtime_ms if completed is not None else migration.downtime_ms,
        "statistics_data": to_data(completed) if completed is not None else migration.statistics_data,
    }


def _disks_there(migration: Migration, end: Conclusion) -> tuple[str, ...]:
    if end.judgement.verdict is not Verdict.MOVED:
        return ()
    return describe_arrived(
        migration.volumes_data, migration.source_name, migration.destination_name,
        removed=end.plan.options.remove_source_disks,
    )  # fmt: skip


def _asked(migration: Migration, both: BothHosts) -> str:
    source, destination = describe(both.source.observation), describe(both.destination.observation)
    return f"Both hosts were asked. {migration.source_name}: {source}; {migration.destination_name}: {destination}."


def _verify(host: str, observation: Observation) -> str:
    if isinstance(observation, Absent):
        return f"{host}: asked, has no such guest."
    if isinstance(observation, Seen):
        kept = (
            "its definition is kept there"
            if observation.status.persistent
            else "without a definition kept there"
        )
        return f"{host}: asked, {describe(observation)}, {kept}."
    return f"{host}: {describe(observation)}."


def _unchanged(migration: Migration) -> str:
    return f"Nothing was changed. {migration.guest_name} is still on {migration.source_name}."
