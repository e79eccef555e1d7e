"""Two hosts, a person who is logged in, and no bells rung: no worker runs in these tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from django.test import Client

from hosts.models import Guest, Host
from jobs.preflight.findings import Finding, judge_findings
from jobs.services import preflight, requests
from tests.jobs.rows import make_host, make_person


@pytest.fixture
def mercury(db: None) -> Host:
    return make_host("mercury")


@pytest.fixture
def jupiter(db: None) -> Host:
    return make_host("jupiter")


@pytest.fixture
def browser(db: None) -> Client:
    client = Client()
    client.force_login(make_person())
    return client


@pytest.fixture(autouse=True)
def rung(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The bells that would have been rung."""
    bells: list[str] = []

    def ask(guest: Guest, hosts: Iterable[Host]) -> None:
        bells.extend(host.name for host in hosts)

    monkeypatch.setattr(preflight, "request_readings", ask)
    monkeypatch.setattr(requests, "announce", lambda move: bells.append(str(move)))
    return bells


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set what the preflight says, so that a page's answer to it can be seen."""

    def judge(*findings: Finding, waiting: bool = False) -> None:
        evaluation = preflight.Evaluation(
            findings, judge_findings(findings), "virsh migrate …", None, waiting, unread=waiting
        )
        monkeypatch.setattr(preflight, "evaluate_stored", lambda *_: evaluation)
        monkeypatch.setattr(requests, "evaluate", lambda *_: evaluation)

    return judge
