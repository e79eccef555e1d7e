"""The history: filters, order, pages, and its speed with many rows."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from hosts.models import Host
from jobs.engine.phases import Phase
from jobs.models import Migration
from tests.jobs.rows import make_move, make_person

HISTORY = "/history/"


def shown(browser: Client, query: str = "") -> list[str]:
    return [view.move.guest_name for view in browser.get(HISTORY + query).context["views"]]


@pytest.fixture
def three(mercury: Host, jupiter: Host) -> None:
    make_person("bo")
    now = timezone.now()
    make_move(
        mercury,
        jupiter,
        "web01",
        Phase.SUCCEEDED,
        requested_at=now - timedelta(hours=1),
        duration_ms=900,
        requested_by_name="bo",
        reason="RAM",
    )
    make_move(
        jupiter,
        mercury,
        "db01",
        Phase.FAILED,
        requested_at=now - timedelta(days=3),
        duration_ms=5000,
        kind="offline",
    )
    make_move(mercury, jupiter, "mail", Phase.QUEUED, requested_at=now - timedelta(days=90))


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["web01", "db01", "mail"]),
        ("?q=web", ["web01"]),
        ("?q=ram", ["web01"]),
        ("?q=nothing", []),
        ("?outcome=failed", ["db01"]),
        ("?outcome=active", ["mail"]),
        ("?kind=offline", ["db01"]),
        ("?who=bo", ["web01"]),
        ("?host=jupiter&outcome=succeeded", ["web01"]),
        ("?days=7", ["web01", "db01"]),
        ("?sort=guest", ["db01", "mail", "web01"]),
        ("?sort=-guest", ["web01", "mail", "db01"]),
        ("?sort=when", ["mail", "db01", "web01"]),
        ("?sort=-duration&days=7", ["db01", "web01"]),
        ("?sort=password", ["web01", "db01", "mail"]),
    ],
)
def test_filters_and_order_are_in_the_address(
    query: str, names: list[str], browser: Client, three: None
) -> None:
    assert shown(browser, query) == names


@pytest.mark.parametrize("query", ["?outcome=x", "?days=-1", "?guest=no-uuid", "?host=unknown", "?sort=%00"])
def test_filter_that_makes_no_sense_is_said_not_raised(query: str, browser: Client, three: None) -> None:
    answer = browser.get(HISTORY + query)
    assert answer.status_code == 200
    assert "field-error" in answer.content.decode()


def test_moves_of_one_guest_are_found_by_its_uuid(browser: Client, mercury: Host, jupiter: Host) -> None:
    domain_uuid = uuid.uuid4()
    make_move(mercury, jupiter, "old-name", Phase.SUCCEEDED, domain_uuid=domain_uuid)
    make_move(mercury, jupiter, "other", Phase.SUCCEEDED)
    assert shown(browser, f"?guest={domain_uuid}") == ["old-name"]


def test_pages_hold_fifty_and_keep_the_filter(browser: Client, mercury: Host, jupiter: Host) -> None:
    for number in range(60):
        make_move(mercury, jupiter, f"web{number:02d}", Phase.SUCCEEDED)
    answer = browser.get(HISTORY + "?q=web&sort=guest")
    assert len(answer.context["views"]) == 50
    assert "?q=web&amp;sort=guest&amp;page=2" in answer.content.decode()
    assert shown(browser, "?q=web&sort=guest&page=2") == [f"web{number}" for number in range(50, 60)]
    assert len(shown(browser, "?page=900")) == 10


def test_number_of_queries_does_not_grow_with_the_rows(browser: Client, mercury: Host, jupiter: Host) -> None:
    counts = []
    for _ in range(2):
        for number in range(20):
            make_move(
                mercury,
                jupiter,
                f"web{number:02d}",
                Phase.SUCCEEDED,
                requested_at=timezone.now() - timedelta(days=1),
            )
        with CaptureQueriesContext(connection) as queries:
            browser.get(reverse("jobs:history"), headers={"HX-Request": "true"})
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_secrets_of_a_move_are_not_read_for_lists(browser: Client, mercury: Host, jupiter: Host) -> None:
    make_move(mercury, jupiter, "web01", Phase.SUCCEEDED, saved_xml={"source": "<secret/>"})
    for address in (HISTORY, reverse("jobs:moves"), reverse("jobs:dock")):
        with CaptureQueriesContext(connection) as queries:
            browser.get(address)
        assert not any("saved_xml" in query["sql"] for query in queries), address
    assert Migration.objects.count() == 1
