"""Remedies as people ask for them: what is offered, one order per thing, what became of it.

Nothing that a browser says is carried out. It names a finding and a kind of remedy; the findings are made anew from
the stored readings, and the remedy that is offered then is done, if it is the very one that was confirmed.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.utils import timezone

from hosts.models import Guest, Host
from hosts.services.audit import Outcome, record_action
from hosts.services.bells import ring
from hosts.services.inventory import request_refresh
from jobs.models import Remedy, RemedyOutcome
from jobs.options import MoveOptions, dump_options, parse_options
from jobs.preflight.findings import Finding, Fix, FixKind
from jobs.services import preflight
from jobs.services.preflight import Evaluation
from jobs.services.requests import find_active

log = logging.getLogger(__name__)

# A worker takes a bell in well under a second. What nobody took is withdrawn, so that it is not done much later.
PICKED_UP_WITHIN: Final = timedelta(seconds=20)
# The task's own time limit, and a little for the last words.
TASK_LIMIT_S: Final = 60
DONE_WITHIN: Final = timedelta(seconds=TASK_LIMIT_S + 10)
ON_GUESTS: Final = frozenset({FixKind.EJECT_MEDIA, FixKind.CACHE_NONE})
ON_POOLS: Final = frozenset({FixKind.START_POOL, FixKind.CREATE_POOL, FixKind.CREATE_VOLUME})
_AUDITED: Final[dict[str, Outcome]] = {
    RemedyOutcome.DONE: "done",
    RemedyOutcome.NOT_NEEDED: "refused",
    RemedyOutcome.REFUSED: "refused",
    RemedyOutcome.FAILED: "failed",
    RemedyOutcome.UNKNOWN: "unknown",
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What a browser names. `digest` "": nothing was confirmed yet."""

    check_id: str
    subject: str
    kind: str
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    finding: Finding
    fix: Fix

    @property
    def digest(self) -> str:
        return digest_fix(self.fix)


class RemedyRefused(Exception):
    """Nothing was changed. `under_way`: somebody's order for the same thing."""

    def __init__(self, message: str, advice: str = "", under_way: Remedy | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice
        self.under_way = under_way


def digest_fix(fix: Fix) -> str:
    """What is confirmed is this and nothing else."""
    parts = (fix.kind.value, fix.host, fix.says, sorted(fix.arguments))
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def find_offer(evaluation: Evaluation, wish: Wish) -> Offer | None:
    """The remedy of this finding that is offered now; with a digest only the very one that was confirmed."""
    offers = (
        Offer(finding, finding.fix)
        for finding in evaluation.findings
        if finding.fix is not None
        and (finding.id, finding.subject, finding.fix.kind) == (wish.check_id, wish.subject, wish.kind)
    )
    return next((offer for offer in offers if wish.digest in ("", offer.digest)), None)


def request_remedy(actor: Any, guest: Guest, destination: Host, options: MoveOptions, wish: Wish) -> Remedy:
    """Queue what was confirmed. Raises RemedyRefused, which is in the audit, too."""
    try:
        offer = _confirmed(preflight.evaluate(guest, destination, options), wish)
        _refuse_impossible(guest, offer.fix)
        return _create(actor, guest, destination, options, offer)
    except RemedyRefused as refused:
        object_name = f"guest {guest.name} on {guest.host.name}"
        action = f"remedy.{wish.kind}" if wish.kind in list(FixKind) else "remedy"
        record_action(
            actor, action, object_name, refused.message, outcome="refused", before={"finding": wish.check_id}
        )
        raise


def expire_lapsed() -> None:
    """End what nobody took, and what was taken and never ended. Both are said."""
    now = timezone.now()
    under_way = Remedy.objects.filter(ended_at=None).select_related("host", "guest", "asked_by")
    for remedy in under_way.filter(claimed_at=None, asked_at__lt=now - PICKED_UP_WITHIN):
        # Claimed first, so that a worker that comes this very moment finds it taken.
        withdrawn = {"claimed_at": now, "checked_at": now}
        if Remedy.objects.filter(pk=remedy.pk, claimed_at=None, ended_at=None).update(**withdrawn):
            end_remedy(
                remedy,
                RemedyOutcome.REFUSED,
                f"No worker took it within {PICKED_UP_WITHIN.seconds} s. It is withdrawn: nothing was changed.",
                "Check that the worker processes run, then try again.",
            )
    for remedy in under_way.filter(claimed_at__lt=now - DONE_WITHIN):
        request_refresh([remedy.host_id, remedy.destination_id])
        end_remedy(
            remedy,
            RemedyOutcome.UNKNOWN,
            f"The worker ended before it said what became of it on {remedy.host.name}.",
            f"{remedy.host.name} is read again. If the finding is still there, try again.",
        )


def end_remedy(
    remedy: Remedy, outcome: RemedyOutcome, sentence: str, advice: str = "", *,
    before: Any = None, after: Any = None,
) -> bool:  # fmt: skip
    """Write the outcome once, and the audit entry with it. False: somebody else has ended it already."""
    now = timezone.now()
    ended = {"ended_at": now, "outcome": outcome, "sentence": sentence, "advice": advice}
    if not Remedy.objects.filter(pk=remedy.pk, ended_at=None).update(**ended):
        return False
    for name, value in ended.items():
        setattr(remedy, name, value)
    record_action(
        remedy.asked_by, f"remedy.{remedy.fix_kind}", _object_name(remedy), f"{remedy.label}. {sentence}",
        outcome=_AUDITED[outcome], before=before, after=after,
    )  # fmt: skip
    return True


def read_options(remedy: Remedy) -> MoveOptions:
    return parse_options(remedy.options_data)


def find_again(remedy: Remedy) -> tuple[Evaluation, Finding | None]:
    """What the checks say now, and the same finding if it is still there."""
    evaluation = preflight.evaluate(remedy.guest, remedy.destination, read_options(remedy))
    same = (
        finding
        for finding in evaluation.findings
        if (finding.id, finding.subject) == (remedy.check_id, remedy.subject)
    )
    return evaluation, next(same, None)


def _confirmed(evaluation: Evaluation, wish: Wish) -> Offer:
    offer = find_offer(evaluation, wish) if wish.digest else None
    if offer is not None:
        return offer
    if find_offer(evaluation, Wish(wish.check_id, wish.subject, wish.kind)) is not None:
        raise RemedyRefused(
            "What would be changed is not what you have confirmed: things have changed meanwhile. Nothing was done.",
            "Read it again, then confirm.",
        )
    raise RemedyRefused("This is not needed any more: the check no longer asks for it. Nothing was changed.")


def _refuse_impossible(guest: Guest, fix: Fix) -> None:
    if guest.gone_at is not None:
        raise RemedyRefused(
            f"{guest.name} is no longer on {guest.host.name}. Nothing was changed.",
            "Open the guest where it is now.",
        )
    move = find_active(guest.domain_uuid) if fix.kind in ON_GUESTS else None
    if move is not None:
        raise RemedyRefused(
            f"{guest.name} is being moved: {move.requested_by_name} started it. Nothing was changed.",
            "Wait until the move has ended.",
        )


def _create(actor: Any, guest: Guest, destination: Host, options: MoveOptions, offer: Offer) -> Remedy:
    host, fix = _host_of(guest, destination, offer.fix), offer.fix
    expire_lapsed()
    try:
        with transaction.atomic():
            remedy = Remedy.objects.create(
                guest=guest, destination=destination, host=host, check_id=offer.finding.id,
                subject=offer.finding.subject, fix_kind=fix.kind, fix_digest=offer.digest, label=fix.label[:300],
                says=fix.says, target=_target(guest, host, fix), options_data=dump_options(options), asked_by=actor,
                asked_by_name=actor.get_username() if actor is not None else "command line",
            )  # fmt: skip
    except IntegrityError as error:
        raise _under_way(_target(guest, host, fix)) from error
    log.info("%s confirmed: %s, on %s.", remedy.asked_by_name, fix.label, host.name)
    transaction.on_commit(lambda: _ring(remedy))
    return remedy


def _ring(remedy: Remedy) -> None:
    if not ring("jobs.tasks.run_remedy", remedy.pk):
        words = "The workers could not be called. Nothing was changed."
        Remedy.objects.filter(pk=remedy.pk).update(claimed_at=timezone.now(), checked_at=timezone.now())
        end_remedy(
            remedy, RemedyOutcome.REFUSED, words, "See whether Redis and the workers run, then try again."
        )


def _under_way(target: str) -> RemedyRefused:
    other = Remedy.objects.filter(target=target, ended_at=None).select_related("host").first()
    if other is None:
        return RemedyRefused("Somebody else was just doing this.", "Check again.")
    at = timezone.localtime(other.asked_at)
    return RemedyRefused(
        f"{other.asked_by_name} asked for this at {at:%H:%M:%S} already: {other.label}, on {other.host.name}.",
        "You see how it goes on.",
        other,
    )


def _host_of(guest: Guest, destination: Host, fix: Fix) -> Host:
    host = next((host for host in (guest.host, destination) if host.name == fix.host), None)
    if host is None:
        raise RemedyRefused(f"{fix.host} is neither the source nor the destination. Nothing was changed.")
    if not host.enabled:
        raise RemedyRefused(
            f"{host.name} is disabled. Nothing was changed.", "Enable the host on its page first."
        )
    return host


def _target(guest: Guest, host: Host, fix: Fix) -> str:
    """The thing that changes: two remedies for the same pool or guest wait for each other."""
    arguments = dict(fix.arguments)
    if fix.kind in ON_GUESTS:
        thing = f"guest {guest.domain_uuid}"
    elif fix.kind in ON_POOLS:
        thing = f"pool {arguments.get('pool', '')}"
    else:
        thing = f"{fix.kind} {json.dumps(sorted(arguments.items()))}"
    return hashlib.sha256(f"{host.pk} {thing}".encode()).hexdigest()


def _object_name(remedy: Remedy) -> str:
    if remedy.fix_kind in ON_GUESTS:
        return f"guest {remedy.guest.name} on {remedy.host.name}"
    return f"host {remedy.host.name}"
