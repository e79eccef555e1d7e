"""From "please move this guest" to a queued migration. The same door for browser and command line."""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from hosts.facts.codec import to_data
from hosts.models import Guest, Host
from jobs.engine.phases import Phase
from jobs.models import Migration, Transition
from jobs.options import MoveOptions, dump_options
from jobs.preflight.findings import Finding
from jobs.services import live
from jobs.services.preflight import Evaluation, evaluate
from jobs.services.reconcile import ring_run

log = logging.getLogger(__name__)


class MoveRefused(Exception):
    """Nothing was changed. `message`: what and where; `remedy`: what next; `findings`: the blockers, if any."""

    def __init__(self, message: str, remedy: str = "", findings: tuple[Finding, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.findings = findings


def request_move(
    actor: Any, guest: Guest, destination: Host, options: MoveOptions, reason: str = ""
) -> Migration:
    """Queue a move. Raises MoveRefused when it may not start; then no trace of it is left."""
    guest.refresh_from_db()
    _refuse_impossible(guest, destination)
    evaluation = evaluate(guest, destination, options)
    _refuse_blocked(guest, destination, evaluation)
    migration = _create(actor, guest, destination, options, reason, evaluation)
    log.info("%s asked for %s (%s).", migration.requested_by_name, migration, options.kind)
    return migration


def find_active(domain_uuid: UUID | str) -> Migration | None:
    return Migration.objects.active().filter(domain_uuid=domain_uuid).first()


def _refuse_impossible(guest: Guest, destination: Host) -> None:
    _refuse_moving(guest)
    if guest.gone_at is not None:
        raise MoveRefused(
            f"{guest.name} is no longer on {guest.host.name}.",
            "Open the guest where it is now and move it from there.",
        )
    if guest.host_id == destination.pk:
        raise MoveRefused(f"{guest.name} already is on {destination.name}.", "Choose another destination.")
    for host in (guest.host, destination):
        if not host.enabled:
            raise MoveRefused(
                f"{host.name} is disabled.", "Enable the host on its page, then move the guest."
            )


def _refuse_moving(guest: Guest) -> None:
    other = find_active(guest.domain_uuid)
    if other is not None:
        raise MoveRefused(
            f"{guest.name} is being moved already: {other.requested_by_name} started it at "
            f"{timezone.localtime(other.requested_at):%H:%M:%S} ({other.source_name} → {other.destination_name}).",
            "Watch that move, or cancel it first.",
        )


def _refuse_blocked(guest: Guest, destination: Host, evaluation: Evaluation) -> None:
    blockers = evaluation.blockers
    if blockers:
        count = "1 blocker" if len(blockers) == 1 else f"{len(blockers)} blockers"
        raise MoveRefused(
            f"{guest.name} cannot move to {destination.name}: {count}. {blockers[0].message}",
            blockers[0].remedy,
            blockers,
        )


def _create(
    actor: Any, guest: Guest, destination: Host, options: MoveOptions, reason: str, evaluation: Evaluation
) -> Migration:
    name = actor.get_username() if actor is not None else "command line"
    try:
        with transaction.atomic():
            migration = Migration.objects.create(
                domain_uuid=guest.domain_uuid, guest_name=guest.name, source=guest.host, destination=destination,
                source_name=guest.host.name, destination_name=destination.name, requested_by=actor,
                requested_by_name=name, reason=reason, kind=options.kind, options_data=dump_options(options),
                virsh_line=evaluation.virsh_line, findings_data=to_data(list(evaluation.findings)),
            )  # fmt: skip
            sentence = f"{name} asked to move {guest.name} from {guest.host.name} to {destination.name}."
            Transition.objects.create(
                migration=migration, old="", new=Phase.QUEUED, at=migration.requested_at, sentence=sentence
            )
            transaction.on_commit(lambda: announce(migration))
    except IntegrityError as error:
        # Two people in the same second: the database let one in. Tell the other who it was.
        _refuse_moving(guest)
        raise MoveRefused(f"{guest.name} could not be queued: {error}", "Try again.") from error
    return migration


def announce(migration: Migration) -> None:
    """Ring the workers' bell and show the move in every browser. A bell nobody hears is rung again by reconcile."""
    ring_run(migration.pk)
    live.publish_move(migration)
