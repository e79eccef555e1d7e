"""Every check with a case that fails it; the contexts on which everything is right are its passing case."""

from __future__ import annotations

import pytest

from jobs.preflight.findings import Severity
from jobs.preflight.registry import NOT_EVALUATED, list_checks, run_checks
from tests.jobs.builders import context, copying, host_facts, offline, with_facts
from tests.jobs.preflight.cases import CASES, RIGHT_BUT_TEMPTING, UNKNOWN


@pytest.mark.parametrize(
    ("check_id", "severity", "failing"),
    [(case[0], case[2], case[3]) for case in CASES],
    ids=[f"{case[0]}: {case[1]}" for case in CASES],
)
def test_check_finds_what_is_wrong(check_id, severity, failing):
    found = [finding for finding in run_checks(failing) if finding.id == check_id]
    assert [finding.severity for finding in found] == [severity], run_checks(failing)
    assert all(finding.message.endswith((".", "?")) and finding.subject for finding in found)


@pytest.mark.parametrize(
    ("check_id", "severity", "unknown"), UNKNOWN, ids=[f"{case[0]} {n}" for n, case in enumerate(UNKNOWN)]
)
def test_missing_fact_is_said_not_passed(check_id, severity, unknown):
    found = [
        finding
        for finding in run_checks(unknown)
        if finding.id == NOT_EVALUATED and ("check", check_id) in finding.evidence
    ]
    assert found, run_checks(unknown)
    assert severity in {finding.severity for finding in found}
    assert all(finding.remedy for finding in found)


@pytest.mark.parametrize("right", [context(), copying(), offline()], ids=["live", "copying", "offline"])
def test_nothing_is_said_where_everything_is_right(right):
    assert run_checks(right) == ()


@pytest.mark.parametrize(
    "right", [case[1] for case in RIGHT_BUT_TEMPTING], ids=[case[0] for case in RIGHT_BUT_TEMPTING]
)
def test_nothing_is_said_of_what_only_looks_wrong(right):
    assert run_checks(right) == ()


def test_every_check_has_a_failing_case():
    assert {registered.id for registered in list_checks()} == {case[0] for case in CASES}


def test_checks_say_only_what_they_declare():
    declared = {registered.id: registered.severities for registered in list_checks()}
    for check_id, _, _, failing in CASES:
        for finding in run_checks(failing):
            if finding.id == check_id:
                assert finding.severity in declared[check_id]


def test_a_blocker_says_what_to_do_next():
    for _, _, _, failing in CASES:
        for finding in run_checks(failing):
            assert finding.remedy or finding.severity is not Severity.BLOCKER, finding


def test_evidence_of_host_checks_names_both_sides():
    names = {
        name for name, _ in run_checks(with_facts(context(), "destination", hypervisor="Xen"))[0].evidence
    }
    assert names == {"mercury", "jupiter"}


def test_host_facts_builder_makes_two_hosts():
    assert host_facts("mercury").host_uuid != host_facts("jupiter").host_uuid
