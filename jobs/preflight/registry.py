"""The register of preflight checks, and the one function that runs them all. Pure.

A check is a function from the context to what it has to say; it does no I/O. All findings are reported at
once. A check that raises or lacks a fact yields a finding of its own, never a pass.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from jobs.preflight.context import PreflightContext
from jobs.preflight.findings import Finding, Severity

NOT_EVALUATED: Final = "preflight.not-evaluated"
CRASHED: Final = "preflight.check-crashed"


class NotEvaluated(Exception):
    """A fact is missing. `what` is not known, `how` it can be made known. Raised, or yielded to go on with
    the rest."""

    def __init__(self, what: str, how: str) -> None:
        super().__init__(what)
        self.what = what
        self.how = how


Said = Finding | NotEvaluated
CheckFunction = Callable[[PreflightContext], Iterable[Said]]


@dataclass(frozen=True, slots=True)
class Check:
    """A registered check. `unevaluated`: how bad it is when a fact is missing. `severities`: what it may
    say."""

    id: str
    title: str
    source: str
    waivable: bool
    severities: tuple[Severity, ...]
    unevaluated: Severity
    function: CheckFunction


_CHECKS: dict[str, Check] = {}
_RANK: Final = {Severity.BLOCKER: 0, Severity.WARNING: 1, Severity.INFO: 2}


def check(
    id: str,  # noqa: A002 — the word of the catalogue
    *,
    title: str,
    source: str,
    waivable: bool,
    severities: tuple[Severity, ...] = (Severity.BLOCKER,),
    unevaluated: Severity = Severity.BLOCKER,
) -> Callable[[CheckFunction], CheckFunction]:
    """Register a check. `title` says what must hold. Its findings carry no id; they get this one."""

    def register(function: CheckFunction) -> CheckFunction:
        if id in _CHECKS:
            raise ValueError(f"Two checks are named {id}.")
        _CHECKS[id] = Check(id, title, source, waivable, severities, unevaluated, function)
        return function

    return register


@cache
def list_checks() -> tuple[Check, ...]:
    """All checks, by id. A module in jobs.preflight.checks is found by itself."""
    package = importlib.import_module("jobs.preflight.checks")
    for module in sorted(info.name for info in pkgutil.iter_modules(package.__path__)):
        importlib.import_module(f"{package.__name__}.{module}")
    return tuple(sorted(_CHECKS.values(), key=lambda registered: registered.id))


def find_check(check_id: str) -> Check | None:
    return next((registered for registered in list_checks() if registered.id == check_id), None)


def run_checks(context: PreflightContext) -> tuple[Finding, ...]:
    """Everything there is to say, worst first. Never raises."""
    findings: list[Finding] = []
    missing: dict[tuple[str, str], list[Check]] = {}
    for registered in list_checks():
        for said in _run(registered, context):
            if isinstance(said, NotEvaluated):
                missing.setdefault((said.what, said.how), []).append(registered)
            else:
                findings.append(said)
    findings += [_not_evaluated(what, how, checks) for (what, how), checks in missing.items()]
    return tuple(sorted(findings, key=lambda finding: _RANK[finding.severity]))


def _run(registered: Check, context: PreflightContext) -> Iterator[Said]:
    try:
        for said in registered.function(context):
            yield dataclasses.replace(said, id=registered.id) if isinstance(said, Finding) else said
    except NotEvaluated as missing:
        yield missing
    except Exception as error:  # noqa: BLE001 — whatever it is, a crashed check is a finding
        yield _crashed(registered, error)


def _not_evaluated(what: str, how: str, checks: list[Check]) -> Finding:
    """One finding for one missing fact, however many checks wanted it; as severe as the strictest of them."""
    ids = dict.fromkeys(registered.id for registered in checks)
    return Finding(
        id=NOT_EVALUATED,
        severity=min((registered.unevaluated for registered in checks), key=lambda severity: _RANK[severity]),
        subject=what,
        message=f"Not checked, because {what} is not known.",
        evidence=tuple(("check", check_id) for check_id in ids),
        remedy=how,
    )


def _crashed(registered: Check, error: Exception) -> Finding:
    return Finding(
        id=CRASHED,
        severity=Severity.BLOCKER,
        subject=f"check {registered.id}",
        message=f"The check “{registered.title}” failed itself, so nothing is known of it.",
        evidence=(("check", registered.id), ("error", f"{type(error).__name__}: {error}"[:500])),
        remedy="Report this as a fault of the product, with the guest's and both hosts' descriptions.",
    )
