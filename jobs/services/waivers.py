"""Waivers: a named person accepts one finding for one guest and destination until a date, with a reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from hosts.models import Guest, Host
from hosts.services.audit import Outcome, record_action
from hosts.services.live import publish_inventory
from jobs.models import Waiver
from jobs.options import MoveOptions
from jobs.preflight.findings import Finding
from jobs.preflight.waiving import may_be_waived
from jobs.services import preflight

USUAL: Final = timedelta(days=7)
LONGEST: Final = timedelta(days=90)
MAX_REASON_CHARACTERS: Final = 1000


@dataclass(frozen=True, slots=True)
class Place:
    """What a waiver is about: one finding of one guest on its way to one destination."""

    guest: Guest
    destination: Host
    check_id: str
    subject: str

    @property
    def words(self) -> str:
        return f"{self.check_id} ({self.subject}) of {self.guest.name} towards {self.destination.name}"


class WaiverRefused(Exception):
    """Nothing was written. `field`: what has to be corrected; "" when the waiver as such is not possible."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.field = field


def find_waivable(place: Place, options: MoveOptions) -> Finding:
    """The finding as it stands. Raises WaiverRefused when it is gone, waived already, or never waivable."""
    findings = [
        finding
        for finding in preflight.evaluate(place.guest, place.destination, options).findings
        if (finding.id, finding.subject) == (place.check_id, place.subject)
    ]
    waivable = next(filter(may_be_waived, findings), None)
    if waivable is not None:
        return waivable
    if not findings:
        raise WaiverRefused("This is not needed any more: the check no longer finds it.")
    if findings[0].waived:
        raise WaiverRefused(f"This is {findings[0].waived}")
    raise WaiverRefused(
        "This cannot be waived: it is not known well enough, or libvirt itself would refuse the move."
    )


def give_waiver(actor: Any, place: Place, options: MoveOptions, *, reason: str, until: datetime) -> Waiver:
    """Raises WaiverRefused; then nothing was written but the audit entry."""
    reason, name = reason.strip(), _name(actor)
    try:
        _check_words(reason, until)
        with transaction.atomic():
            # Two at once: the second waits here, and finds it waived.
            Guest.objects.select_for_update().get(pk=place.guest.pk)
            find_waivable(place, options)
            waiver = Waiver.objects.create(
                domain_uuid=place.guest.domain_uuid, guest_name=place.guest.name, destination=place.destination,
                check_id=place.check_id, subject=place.subject, reason=reason, waived_by=actor, waived_by_name=name,
                valid_until=until,
            )  # fmt: skip
    except WaiverRefused as refused:
        _record(actor, "give", place, f"{place.words} was not waived. {refused.message}", refused=True)
        raise
    sentence = f"{place.words} is waived until {_at(until)}: {reason}"
    _record(actor, "give", place, sentence, after={"reason": reason, "until": until.isoformat()})
    publish_inventory()
    return waiver


def find_waiver(place: Place) -> Waiver | None:
    """The one that holds now."""
    rows = Waiver.objects.valid().filter(domain_uuid=place.guest.domain_uuid, destination=place.destination)
    return rows.filter(check_id=place.check_id, subject=place.subject).first()


def withdraw_waiver(actor: Any, place: Place) -> Waiver:
    """From now on the finding counts again. Raises WaiverRefused when none holds any more."""
    waiver = find_waiver(place)
    now = timezone.now()
    withdrawn = {"withdrawn_at": now, "withdrawn_by_name": _name(actor)}
    if waiver is None or not Waiver.objects.valid().filter(pk=waiver.pk).update(**withdrawn):
        raise WaiverRefused("There is no waiver any more: it was withdrawn, or its time is over.")
    given = f"{waiver.waived_by_name} gave it until {_at(waiver.valid_until)}: {waiver.reason}"
    before = {"reason": waiver.reason, "until": waiver.valid_until.isoformat(), "by": waiver.waived_by_name}
    _record(actor, "withdraw", place, f"The waiver of {place.words} is withdrawn; {given}", before=before)
    publish_inventory()
    return waiver


def _check_words(reason: str, until: datetime) -> None:
    now = timezone.now()
    if not reason:
        raise WaiverRefused("Say why: whoever reads the record later has to understand it.", "reason")
    if len(reason) > MAX_REASON_CHARACTERS:
        raise WaiverRefused(f"At most {MAX_REASON_CHARACTERS} characters.", "reason")
    if until <= now:
        raise WaiverRefused("This time has passed already.", "until")
    # A form that was filled in carefully is a minute older than its latest date.
    if until > now + LONGEST + timedelta(minutes=5):
        raise WaiverRefused(f"At most {LONGEST.days} days from now. It can be given again then.", "until")


def _record(
    actor: Any, what: str, place: Place, sentence: str, *, refused: bool = False, **data: Any
) -> None:
    outcome: Outcome = "refused" if refused else "done"
    object_name = f"guest {place.guest.name} on {place.guest.host.name}"
    record_action(actor, f"waiver.{what}", object_name, sentence, outcome=outcome, **data)


def _name(actor: Any) -> str:
    return actor.get_username() if actor is not None else "command line"


def _at(moment: datetime) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M}"
