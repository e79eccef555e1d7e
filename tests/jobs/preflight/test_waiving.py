"""A waiver takes the edge off exactly one finding, and never off what nobody knows."""

from __future__ import annotations

import dataclasses

import pytest

from jobs.preflight.findings import Finding, Severity
from jobs.preflight.registry import CRASHED, NOT_EVALUATED
from jobs.preflight.waiving import GivenWaiver, apply_waivers

FINDING = Finding("cpu.host-model", Severity.BLOCKER, "guest web01", "Passed through.", waivable=True)
WAIVER = GivenWaiver("cpu.host-model", "guest web01", "waived by anna until Friday: tested")


def test_waived_blocker_is_a_warning_that_says_who_waived_it():
    (found,) = apply_waivers([FINDING], [WAIVER])
    assert (found.severity, found.waived) == (Severity.WARNING, WAIVER.words)


@pytest.mark.parametrize(
    "finding",
    [
        dataclasses.replace(FINDING, subject="guest web02"),
        dataclasses.replace(FINDING, id="cpu.features"),
        dataclasses.replace(FINDING, waivable=False),
        dataclasses.replace(FINDING, severity=Severity.INFO),
    ],
    ids=["another subject", "another check", "not waivable", "no blocker"],
)
def test_waiver_touches_nothing_else(finding):
    assert apply_waivers([finding], [WAIVER]) == (finding,)


@pytest.mark.parametrize("check_id", [CRASHED, NOT_EVALUATED])
def test_what_nobody_knows_is_never_waived(check_id):
    finding = dataclasses.replace(FINDING, id=check_id)
    assert apply_waivers([finding], [dataclasses.replace(WAIVER, check_id=check_id)]) == (finding,)
