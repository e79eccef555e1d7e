"""What the preflight says, and what libvirt then really does: they agree, or the difference is explained."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from jobs.preflight.findings import Severity
from jobs.preflight.registry import CRASHED, NOT_EVALUATED, list_checks
from tests.jobs.preflight.agreement.scenario import Scenario
from tests.jobs.preflight.agreement.scenarios import list_scenarios
from tests.jobs.preflight.agreement.table import DOCUMENT, comparable, render_table, usual_of
from tests.jobs.preflight.agreement.trial import Row, run_scenario
from tests.jobs.preflight.agreement.unproven import UNPROVEN
from tests.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.agreement]

WRITE = "AGREEMENT_WRITE"
ALL = list_scenarios()
PLAIN = "nothing-in-the-way"
RowOf = Callable[[Scenario], Row]


@pytest.fixture(scope="module")
def agreement_lab(lab: Lab) -> Lab:
    lab.reset()
    for host in lab.hosts.values():
        host.terminate_libvirtd()  # it makes its firewall chains once, and undoing faults takes them away
        host.start_libvirtd()
    return lab


@pytest.fixture(scope="module")
def known_rows() -> dict[str, Row]:
    return {}


@pytest.fixture
def row_of(agreement_lab: Lab, known_rows: dict[str, Row], bells: None, transactional_db: None) -> RowOf:
    """The scenario's row; run once, whichever test asks first."""

    def find(scenario: Scenario) -> Row:
        if scenario.slug not in known_rows:
            known_rows[scenario.slug] = run_scenario(agreement_lab, scenario)
        return known_rows[scenario.slug]

    return find


@pytest.mark.parametrize("scenario", ALL, ids=lambda scenario: scenario.slug)
def test_preflight_and_libvirt_agree(scenario: Scenario, row_of: RowOf) -> None:
    row = row_of(scenario)
    said = {finding.id for finding in row.findings if finding.severity is not Severity.INFO}
    heard = f"preflight: {row.verdict} {sorted(said)}; libvirt: {row.outcome} {row.words}"
    assert CRASHED not in said, heard
    assert set(scenario.says) <= {finding.id for finding in row.findings}, heard
    if scenario.on_purpose:
        assert not row.agrees, f"The explanation is no longer needed. {heard}"
    else:
        assert row.agrees, heard


def test_every_check_is_provoked_or_says_why_not() -> None:
    proven = {check for scenario in ALL for check in scenario.says} - {NOT_EVALUATED}
    checks = {check.id for check in list_checks()}
    assert proven <= checks
    assert set(UNPROVEN) <= checks
    assert not proven & set(UNPROVEN), "provoked after all"
    assert not checks - proven - set(UNPROVEN), "no scenario, and no reason in unproven.py"


def test_the_committed_table_is_what_happens(row_of: RowOf, capsys: pytest.CaptureFixture[str]) -> None:
    """AGREEMENT_WRITE=1 writes it. libvirt's own text is not compared: it changes with its version."""
    plain = next(scenario for scenario in ALL if scenario.slug == PLAIN)
    usual = usual_of(row_of(plain))
    table = render_table([row_of(scenario) for scenario in ALL], usual)
    with capsys.disabled():
        print(f"\n{table}")
    if os.environ.get(WRITE):
        DOCUMENT.write_text(table)
    assert comparable(table) == comparable(DOCUMENT.read_text()), f"Write it anew with {WRITE}=1"
