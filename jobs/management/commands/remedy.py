"""`manage.py remedy GUEST --source H --destination H --finding ID [--subject S] [options] --yes [--json]`

Reads both hosts anew and does the remedy that the finding offers, by the same order and workers as the browser. Without
--yes it only says what would change. Exit 0: done, or found done already; 1: not done, with the reason; 2: wrong use.
JSON: {"id", "outcome", "sentence", "advice", "still_found"}; null: nothing was ordered, or it is not known.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any, NoReturn

from django.core.management.base import BaseCommand

from jobs.management import about_finding, arguments
from jobs.models import Remedy, RemedyOutcome
from jobs.services import preflight, remedies
from jobs.services.remedies import RemedyRefused, Wish
from jobs.services.remedy_view import view_remedy
from jobs.services.remedy_waiting import wait_until_over

GOOD = (RemedyOutcome.DONE, RemedyOutcome.NOT_NEEDED)


class Command(BaseCommand):
    help = "Do the remedy that a finding of the preflight offers."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        arguments.add_arguments(parser)
        about_finding.add_finding(parser)
        parser.add_argument(
            "--yes", action="store_true", help="Do it; without this, only say what would change."
        )

    def handle(self, *args: Any, **given: Any) -> None:
        try:
            guest, destination, options = arguments.read_request(given)
            found = preflight.evaluate(guest, destination, options).findings
            offered = {finding: finding.fix for finding in found if finding.fix is not None}
            finding = about_finding.find_one(offered, given, "offers a remedy")
        except arguments.WrongUse as error:
            self.stderr.write(str(error))
            sys.exit(arguments.WRONG_USE)
        fix = offered[finding]
        if not given["yes"]:
            self._end(given, f"{fix.says} Nothing was changed: add --yes to do it.")
        wish = Wish(finding.id, finding.subject, fix.kind, remedies.digest_fix(fix))
        try:
            order = remedies.request_remedy(None, guest, destination, options, wish)
        except RemedyRefused as refused:
            self._end(given, refused.message, refused.advice)
        order = wait_until_over(order)
        self._end(given, order.sentence, order.advice, order)

    def _end(
        self, given: dict[str, Any], sentence: str, advice: str = "", order: Remedy | None = None
    ) -> NoReturn:
        view = view_remedy(order) if order is not None else None
        checked = view is not None and view.evaluation is not None
        if given["json"]:
            self.stdout.write(json.dumps({
                "id": order.pk if order else None, "outcome": order.outcome if order else None, "sentence": sentence,
                "advice": advice, "still_found": view.still is not None if view and checked else None,
            }))  # fmt: skip
        else:
            self.stdout.write(f"{sentence} {advice}".strip())
            if view is not None and view.still is not None:
                self.stdout.write(f"Checked again, it is still found: {view.still.message}")
        sys.exit(0 if order is not None and order.outcome in GOOD else 1)
