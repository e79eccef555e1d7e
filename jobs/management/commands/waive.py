"""`manage.py waive GUEST --source H --destination H --finding ID [--subject S] [options] --reason WHY [--days N]`
`manage.py waive … --withdraw`

Reads both hosts anew and accepts one finding of this guest on its way to this destination, as the browser does. Exit 0:
written; 1: refused, with the reason; 2: wrong use.
"""

from __future__ import annotations

import argparse
import sys
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from jobs.management import about_finding, arguments
from jobs.options import MoveOptions
from jobs.services import preflight, waivers
from jobs.services.waivers import LONGEST, USUAL, Place, WaiverRefused


class Command(BaseCommand):
    help = "Accept a finding of the preflight until a date, with a reason, or withdraw that."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        arguments.add_arguments(parser)
        about_finding.add_finding(parser)
        parser.add_argument("--reason", default="", help="Why; shown with the finding and in every record.")
        parser.add_argument(
            "--days",
            type=float,
            default=USUAL.days,
            metavar="N",
            help=f"For how long, at most {LONGEST.days} days.",
        )
        parser.add_argument("--withdraw", action="store_true", help="From now on the finding counts again.")

    def handle(self, *args: Any, **given: Any) -> None:
        try:
            guest, destination, options = arguments.read_request(given)
            found = preflight.evaluate(guest, destination, options).findings
            finding = about_finding.find_one(found, given, "could be waived")
        except arguments.WrongUse as error:
            self.stderr.write(str(error))
            sys.exit(arguments.WRONG_USE)
        try:
            self.stdout.write(_act(Place(guest, destination, finding.id, finding.subject), options, given))
        except WaiverRefused as refused:
            self.stderr.write(refused.message)
            sys.exit(1)


def _act(place: Place, options: MoveOptions, given: dict[str, Any]) -> str:
    """What was done, in words. Raises WaiverRefused."""
    if given["withdraw"]:
        waivers.withdraw_waiver(None, place)
        return f"The waiver of {place.words} is withdrawn."
    # What is absurdly long must not overflow; it is refused as too long.
    days = min(given["days"], LONGEST.days + 1)
    waiver = waivers.give_waiver(
        None, place, options, reason=given["reason"], until=timezone.now() + timedelta(days=days)
    )
    return f"{place.words} is waived until {timezone.localtime(waiver.valid_until):%Y-%m-%d %H:%M %Z}."
