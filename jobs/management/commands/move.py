"""`manage.py move GUEST --source H --destination H [options] [--wait] [--json]`

The same services as the browser: queued here, done by a worker. With --wait, exit 0 only when the guest moved and
both hosts were asked; 1 otherwise, with the reason. Without --wait, 0 means: accepted and queued. 2: wrong use.
JSON keys: id, phase, verdict, source_state, destination_state, duration_ms, downtime_ms, findings, error.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from django.core.management.base import BaseCommand

from jobs.engine.phases import Phase
from jobs.management import arguments
from jobs.management.output import findings_data, migration_data, print_findings
from jobs.models import Migration
from jobs.services.preflight import evaluate
from jobs.services.requests import MoveRefused, request_move
from jobs.services.waiting import NotPickedUp, wait_until_ended


class Command(BaseCommand):
    help = "Move a guest through the product's queue and workers."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        arguments.add_arguments(parser)
        parser.add_argument("--reason", default="", help="Why; shown in the history.")
        parser.add_argument(
            "--wait", action="store_true", help="Wait for the outcome that both hosts confirm."
        )

    def handle(self, *args: Any, **given: Any) -> None:
        try:
            guest, destination, options = arguments.read_request(given)
        except arguments.WrongUse as error:
            self.stderr.write(str(error))
            sys.exit(arguments.WRONG_USE)
        try:
            migration = request_move(None, guest, destination, options, given["reason"])
        except MoveRefused as refused:
            self._refuse(refused, guest, destination, options, given["json"])
        self._finish(migration, wait=given["wait"], as_json=given["json"])

    def _refuse(
        self, refused: MoveRefused, guest: Any, destination: Any, options: Any, as_json: bool
    ) -> None:
        if as_json:
            self.stdout.write(json.dumps({
                "id": None, "phase": None, "verdict": None, "source_state": guest.state, "destination_state": None,
                "duration_ms": None, "downtime_ms": None, "findings": findings_data(refused.findings),
                "error": refused.message,
            }))  # fmt: skip
        elif refused.findings:
            print_findings(self.stdout, guest, destination, evaluate(guest, destination, options))
        self.stderr.write(f"{refused.message} {refused.remedy}".strip())
        sys.exit(1)

    def _finish(self, migration: Migration, *, wait: bool, as_json: bool) -> None:
        if wait:
            try:
                migration = wait_until_ended(migration)
            except NotPickedUp as error:
                self.stderr.write(str(error))
        if as_json:
            self.stdout.write(json.dumps(migration_data(migration)))
        else:
            self.stdout.write(
                f"{migration} (move {migration.pk}): {migration.phase}. {migration.outcome_sentence}"
            )
            if migration.error_text:
                self.stderr.write(
                    f"{migration.error_text}\n{migration.error_meaning}\n{migration.error_remedy}".strip()
                )
        sys.exit(0 if not wait or migration.phase == Phase.SUCCEEDED else 1)
