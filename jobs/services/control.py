"""What a person may do to a move under way."""

from __future__ import annotations

import logging
from typing import Any

from django.db.models import F
from django.utils import timezone

from jobs.engine.judgement import Verdict
from jobs.engine.phases import ENDED, Phase
from jobs.models import Migration, StaleTransition
from jobs.services import live
from jobs.services.requests import MoveRefused

log = logging.getLogger(__name__)

TOO_LATE = {
    Phase.POSTCOPY: "the guest already runs at the destination while its memory still arrives; it can only go forward",
    Phase.CONFIRMING: "the switch-over is done and the outcome is being verified",
    Phase.ROLLING_BACK: "the move is already being taken back",
    Phase.UNCONFIRMED: "libvirt's call is over and it is not known yet where the guest is",
}


def request_cancel(actor: Any, migration: Migration) -> str:
    """Ask for a move to be cancelled. Returns what happens now, in words. Raises MoveRefused when it is too late."""
    name = actor.get_username() if actor is not None else "command line"
    migration.refresh_from_db()
    if migration.phase == Phase.QUEUED and _cancel_queued(migration, name):
        return f"Cancelled before it began: {migration.guest_name} was not touched."
    return _cancel_begun(migration, name)


def _cancel_queued(migration: Migration, name: str) -> bool:
    try:
        migration.advance(
            Phase.CANCELLED,
            f"{name} cancelled the move before it began; nothing was changed.",
            cancel_requested_by=name,
            cancel_requested_at=timezone.now(),
            verdict=Verdict.NOT_MOVED,
            outcome_sentence=f"Cancelled before it began. {migration.guest_name} was not touched.",
            help_desk_sentence=f"Nothing was changed. {migration.guest_name} is still on {migration.source_name}.",
        )
    except StaleTransition:
        migration.refresh_from_db()  # a worker took it this very moment
        return False
    live.publish_move(migration)
    return True


def _cancel_begun(migration: Migration, name: str) -> str:
    stoppable = Migration.objects.filter(
        pk=migration.pk, phase__in=(Phase.PREPARING, Phase.TRANSFERRING), cancel_requested_at=None
    )
    asked = stoppable.update(
        cancel_requested_at=timezone.now(), cancel_requested_by=name, version=F("version") + 1
    )
    migration.refresh_from_db()
    if asked or (migration.cancel_requested_at and migration.phase in (Phase.PREPARING, Phase.TRANSFERRING)):
        log.info("%s asked to cancel %s.", name, migration)
        live.publish_move(migration)
        return f"libvirt is asked to stop: {migration.guest_name} stays on {migration.source_name}."
    raise MoveRefused(f"{migration.guest_name} can no longer be cancelled: {_why_not(migration)}.")


def _why_not(migration: Migration) -> str:
    phase = Phase(migration.phase)
    if phase in ENDED:
        return f"the move has ended ({phase.value})"
    return TOO_LATE.get(phase, f"it is {phase.value}")
