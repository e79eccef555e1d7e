"""The register of preflight checks, and the one function that runs them all. Pure.

A check is a function from the context to what it has to say; it does no I/O. All findings are reported at
once. A check that raises or lacks a fact yields a finding of its own, never a pass.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from jobs.preflight.context import PreflightContext
from jobs.preflight.findings import Finding, Severity

NOT_EVALUATED: Final = "preflight.not-evaluated"
CRASHED: Final = "preflight.check-crashed"
ASK_OPERATORS: Final = (
    "This guest cannot go to this host as things are. Tell your operators what is said here."
)


class NotEvaluated(Exception):
    """A fact is missing. `what` is not known, `how` it can be made known. Raised, or yielded to go on with
    the rest. `severity` where this fact matters less than the check as a whole; None: as the check says."""

    def __init__(self, what: str, how: str, severity: Severity | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.how = how
        self.severity = severity


Said = Finding | NotEvaluated
CheckFunction = Callable[[PreflightContext], Iterable[Said]]


@dataclass(frozen=True, slots=True)
class Check:
    """A registered check. `unevaluated`: how bad it is when a fact is missing. `severities`: what it may
    say. `help_desk`: what its findings mean to somebody who may not change anything."""

    id: str
    title: str
    source: str
    waivable: bool
    severities: tuple[Severity, ...]
    unevaluated: Severity
    help_desk: str
    function: CheckFunction


_CHECKS: dict[str, Check] = {}
_PAIR_PARTS: dict[str, CheckFunction] = {}
_RANK: Final = {Severity.BLOCKER: 0, Severity.WARNING: 1, Severity.INFO: 2}


def check(
    id: str,  # noqa: A002 — the word of the catalogue
    *,
    title: str,
    source: str,
    waivable: bool,
    severities: tuple[Severity, ...] = (Severity.BLOCKER,),
    unevaluated: Severity = Severity.BLOCKER,
    help_desk: str = ASK_OPERATORS,
) -> Callable[[CheckFunction], CheckFunction]:
    """Register a check. `title` says what must hold. Its findings carry no id; they get this one."""

    def register(function: CheckFunction) -> CheckFunction:
        if id in _CHECKS:
            raise ValueError(f"Two checks are named {id}.")
        _CHECKS[id] = Check(id, title, source, waivable, severities, unevaluated, help_desk, function)
        return function

    return register


def pair_part(check_id: str) -> Callable[[CheckFunction], CheckFunction]:
    """Register what a check says of two hosts alone: it must not look at the context's guest. Stands above
    `@check` where that is all the check does."""

    def register(function: CheckFunction) -> CheckFunction:
        if check_id in _PAIR_PARTS:
            raise ValueError(f"Two parts for pairs are named {check_id}.")
        _PAIR_PARTS[check_id] = function
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


def run_checks(context: PreflightContext, harden: Collection[str] = ()) -> tuple[Finding, ...]:
    """Everything there is to say, worst first. Never raises. `harden`: ids whose warnings block (a policy)."""
    return _run_all(list_checks(), context, harden)


def run_pair_checks(context: PreflightContext) -> tuple[Finding, ...]:
    """What can be said of the two hosts alone; the context's guest is not looked at."""
    return _run_all(list_pair_checks(), context, ())


@cache
def list_pair_checks() -> tuple[Check, ...]:
    """The checks that have a part for pairs, that part in the place of the whole."""
    return tuple(
        dataclasses.replace(registered, function=_PAIR_PARTS[registered.id])
        for registered in list_checks()
        if registered.id in _PAIR_PARTS
    )


def _run_all(
    checks: Iterable[Check], context: PreflightContext, harden: Collection[str]
) -> tuple[Finding, ...]:
    findings: list[Finding] = []
    missing: dict[tuple[str, str], list[tuple[str, Severity]]] = {}
    for registered in checks:
        for said in _run(registered, context):
            if isinstance(said, NotEvaluated):
                severity = said.severity or registered.unevaluated
                missing.setdefault((said.what, said.how), []).append((registered.id, severity))
            else:
                findings.append(_hardened(said) if said.id in harden else said)
    findings += [_not_evaluated(what, how, wanted) for (what, how), wanted in missing.items()]
    return tuple(sorted(findings, key=lambda finding: _RANK[finding.severity]))


def _run(registered: Check, context: PreflightContext) -> Iterator[Said]:
    try:
        for said in registered.function(context):
            yield _completed(registered, said) if isinstance(said, Finding) else said
    except NotEvaluated as missing:
        yield missing
    except Exception as error:  # noqa: BLE001 — whatever it is, a crashed check is a finding
        yield _crashed(registered, error)


def _completed(registered: Check, said: Finding) -> Finding:
    return dataclasses.replace(
        said,
        id=registered.id,
        waivable=registered.waivable,
        help_desk=said.help_desk or registered.help_desk,
    )


def _hardened(finding: Finding) -> Finding:
    if finding.severity is not Severity.WARNING:
        return finding
    return dataclasses.replace(finding, severity=Severity.BLOCKER)


def _not_evaluated(what: str, how: str, wanted: list[tuple[str, Severity]]) -> Finding:
    """One finding for one missing fact, however many checks wanted it; as severe as the strictest of them."""
    ids = dict.fromkeys(check_id for check_id, _ in wanted)
    return Finding(
        id=NOT_EVALUATED,
        severity=min((severity for _, severity in wanted), key=lambda severity: _RANK[severity]),
        subject=what,
        message=f"Not checked, because {what} is not known.",
        evidence=tuple(("check", check_id) for check_id in ids),
        remedy=how,
        help_desk="Something could not be found out. Tell your operators; do not move the guest meanwhile.",
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
