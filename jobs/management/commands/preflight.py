"""`manage.py preflight GUEST --source H --destination H [options] [--json]`

Reads both hosts anew, runs every check and prints all findings. Exit 0 ready (warnings do not stop), 1 blocked,
2 wrong use. JSON: {"verdict", "findings": [{"id", "severity", "subject", "message", "evidence", "remedy"}]}.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from django.core.management.base import BaseCommand

from jobs.management import arguments
from jobs.management.output import findings_data, print_findings
from jobs.preflight.findings import Verdict
from jobs.services.preflight import evaluate


class Command(BaseCommand):
    help = "Check whether and how a guest can move, without touching it."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        arguments.add_arguments(parser)

    def handle(self, *args: Any, **given: Any) -> None:
        try:
            guest, destination, options = arguments.read_request(given)
        except arguments.WrongUse as error:
            self.stderr.write(str(error))
            sys.exit(arguments.WRONG_USE)
        evaluation = evaluate(guest, destination, options)
        if given["json"]:
            self.stdout.write(json.dumps({
                "verdict": evaluation.verdict.value, "findings": findings_data(evaluation.findings),
            }))  # fmt: skip
        else:
            print_findings(self.stdout, guest, destination, evaluation)
        sys.exit(1 if evaluation.verdict is Verdict.BLOCKED else 0)
