"""Arguments that name one finding of a preflight."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

from jobs.management.arguments import WrongUse
from jobs.preflight.findings import Finding


def add_finding(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--finding", required=True, metavar="ID", help="Such as disk.removable-media.")
    parser.add_argument("--subject", default="", help="Which one, where the check found several: drive sda.")


def find_one(findings: Iterable[Finding], given: dict[str, Any], what: str) -> Finding:
    """The one finding that is meant. `what` completes "there is no finding … that". Raises WrongUse."""
    named = [finding for finding in findings if finding.id == given["finding"]]
    meant = [finding for finding in named if given["subject"] in ("", finding.subject)]
    if not meant:
        others = ", ".join(f'"{finding.subject}"' for finding in named)
        raise WrongUse(
            f"There is no finding {given['finding']} {given['subject']}".rstrip()
            + f" that {what}."
            + (f" There are: {others}." if others else "")
        )
    if len({finding.subject for finding in meant}) > 1:
        subjects = ", ".join(f'"{finding.subject}"' for finding in meant)
        raise WrongUse(f"{given['finding']} was found several times; choose one with --subject: {subjects}.")
    return meant[0]
