"""Every check against real XML: a folder that fails it, and one that nearly does."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.preflight.findings import Severity
from jobs.preflight.registry import CRASHED, NOT_EVALUATED, list_checks, run_checks
from tests.jobs.preflight.data_folders import FILES, Case, list_cases, list_folders, load_context, merge_patch

CASES = list_cases()
FAILING = [case for case in CASES if case.fails]
PASSING = [case for case in CASES if not case.fails]


def of(cases: list[Case]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


def test_nothing_is_said_of_the_base():
    assert run_checks(load_context()) == ()


@of(FAILING)
def test_check_says_what_the_folder_expects(case):
    said = run_checks(load_context(case.folder))
    found = [finding for finding in said if finding.id == case.check_id]
    assert {finding.severity for finding in found} == {Severity(case.expected["severity"])}, said
    if "subject" in case.expected:
        assert [finding.subject for finding in found] == [case.expected["subject"]]
    assert [finding for finding in said if finding.id == CRASHED] == []


@of(PASSING)
def test_check_says_nothing_of_what_only_looks_wrong(case):
    said = run_checks(load_context(case.folder))
    assert [finding for finding in said if finding.id in {case.check_id, CRASHED}] == []
    unknown = [finding for finding in said if finding.id == NOT_EVALUATED]
    assert [finding for finding in unknown if ("check", case.check_id) in finding.evidence] == []


@pytest.mark.parametrize("check_id", [registered.id for registered in list_checks()])
def test_check_has_a_failing_and_a_passing_folder(check_id):
    assert {case.fails for case in CASES if case.check_id == check_id} == {True, False}


def test_every_folder_is_named_after_a_check():
    known = {registered.id for registered in list_checks()}
    assert [folder.name for folder in list_folders() if folder.name not in known] == []


@of(list(CASES))
def test_folder_holds_a_well_formed_case(case):
    names = {path.name for path in case.folder.iterdir()}
    assert case.folder.name.startswith(("failing", "passing"))
    assert names <= FILES
    assert ("expect.json" in names) is case.fails
    assert case.expected.keys() <= {"severity", "subject"}


@of([case for case in CASES if case.changes])
def test_every_change_reaches_the_context(case):
    """A misspelt name would be left out without a word, and the case would prove nothing."""
    assert _missing(case.changes, load_context(case.folder)) == []


def _missing(changes: Any, value: Any, where: str = "") -> list[str]:
    if isinstance(changes, dict):
        return [
            line
            for name, change in changes.items()
            if change is not None
            for line in _missing(change, _item(value, name), f"{where}.{name}")
        ]
    if isinstance(changes, list) and len(changes) == len(value or ()):
        pairs = zip(changes, value, strict=True)
        return [
            line for n, (change, item) in enumerate(pairs) for line in _missing(change, item, f"{where}[{n}]")
        ]
    return [] if changes == value else [f"{where}: {changes!r} became {value!r}"]


def _item(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else getattr(value, name, None)


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "foo"}, "bar", "bar"),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_changes_are_merged_as_rfc_7396_says(target, patch, result):
    """The examples of its appendix A."""
    assert merge_patch(target, patch) == result
