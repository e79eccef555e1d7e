"""Waivers in the browser: the rules by table, who is told what, and what the record then says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from hosts.facts.codec import to_data
from hosts.models import AuditEntry, Guest, Host
from jobs.models import Waiver
from jobs.preflight.findings import Finding, Severity
from jobs.preflight.registry import CRASHED, NOT_EVALUATED
from jobs.services.judging import list_waivers
from tests.jobs.rows import HOSTILE, make_guest, make_move, make_person
from tests.jobs.views.test_remedies import actions

Judge = Callable[..., None]
FINDING = Finding(
    "cpu.host-model", Severity.BLOCKER, "guest web01", "The CPU is passed through.", waivable=True
)
NAMED = {"finding": FINDING.id, "subject": FINDING.subject}


@pytest.fixture
def guest(mercury: Host, jupiter: Host) -> Guest:
    return make_guest(mercury)


@pytest.fixture
def address(guest: Guest, jupiter: Host) -> str:
    return reverse("jobs:waiver", args=[guest.pk, jupiter.pk])


def until(**away: float) -> str:
    return f"{timezone.localtime(timezone.now() + timedelta(**away)):%Y-%m-%dT%H:%M}"


def filled(**changes: str) -> dict[str, str]:
    return {**NAMED, "reason": "Same board in both hosts, tested.", "until": until(days=7), **changes}


def test_nobody_waives_without_logging_in_or_from_another_site(
    address: str, judged: Judge, guest: Guest
) -> None:
    judged(FINDING)
    assert Client().post(address, filled()).headers["Location"].startswith("/login/")
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(make_person())
    assert strict.post(address, filled()).status_code == 403
    assert not Waiver.objects.exists()


def test_form_proposes_seven_days_and_says_the_longest(browser: Client, address: str, judged: Judge) -> None:
    judged(FINDING)
    text = browser.get(address, NAMED).content.decode()
    assert f'value="{until(days=7)}"' in text
    assert "At most 90 days" in text
    assert FINDING.message in text


def test_waiver_is_written_with_who_why_and_until_when(
    browser: Client, address: str, judged: Judge, guest: Guest, jupiter: Host
) -> None:
    judged(FINDING)
    answer = browser.post(address, filled())
    assert answer.status_code == 200
    (given,) = list_waivers(guest.domain_uuid, jupiter)
    assert given.words.startswith("waived by anna until ")
    assert given.words.endswith(": Same board in both hosts, tested.")
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.outcome, entry.object_name) == (
        "waiver.give",
        "done",
        "guest web01 on mercury",
    )
    assert entry.after_data["reason"] == "Same board in both hosts, tested."


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"reason": ""}, "Say why"),
        ({"reason": "   "}, "Say why"),
        ({"reason": "x" * 1001}, "at most 1000 characters"),
        ({"until": ""}, "Say until when"),
        ({"until": "soon"}, "Not a date and time"),
        ({"until": until(days=-1)}, "has passed already"),
        ({"until": until(days=91)}, "At most 90 days"),
        ({"until": "9999-12-31T23:59"}, "At most 90 days"),
    ],
    ids=lambda value: str(value)[:25],
)
def test_what_is_wrong_is_said_at_its_field(
    changes: dict[str, str], words: str, browser: Client, address: str, judged: Judge
) -> None:
    judged(FINDING)
    answer = browser.post(address, filled(**changes))
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not Waiver.objects.exists()


@pytest.mark.parametrize("days", [0.01, 1, 89.9, 90])
def test_any_time_within_the_longest_is_taken(
    days: float, browser: Client, address: str, judged: Judge
) -> None:
    judged(FINDING)
    assert browser.post(address, filled(until=until(days=days))).status_code == 200
    assert Waiver.objects.count() == 1


@pytest.mark.parametrize(
    ("finding", "words"),
    [
        (replace(FINDING, waivable=False), "cannot be waived"),
        (replace(FINDING, id=CRASHED), "cannot be waived"),
        (replace(FINDING, id=NOT_EVALUATED), "cannot be waived"),
        (replace(FINDING, severity=Severity.WARNING), "cannot be waived"),
        (
            replace(FINDING, severity=Severity.WARNING, waived="waived by bert until Friday: ok"),
            "waived by bert",
        ),
        (None, "no longer finds it"),
    ],
    ids=["not waivable", "crashed", "not evaluated", "no blocker", "waived already", "gone"],
)
def test_what_may_not_be_waived_is_refused_and_audited(
    finding: Finding | None,
    words: str,
    browser: Client,
    address: str,
    judged: Judge,
    guest: Guest,
    jupiter: Host,
) -> None:
    judged(*([finding] if finding else []))
    named = {"finding": finding.id} if finding else {}
    answer = browser.post(address, filled(**named))
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not Waiver.objects.exists()
    if finding is not None:
        assert "data-waive" not in actions(finding, guest, jupiter)


def give(guest: Guest, jupiter: Host, **changes: Any) -> Waiver:
    values: dict[str, Any] = {
        "domain_uuid": guest.domain_uuid, "guest_name": guest.name, "destination": jupiter,
        "check_id": FINDING.id, "subject": FINDING.subject, "reason": "Tested.", "waived_by_name": "bert",
        "valid_until": timezone.now() + timedelta(days=1),
    }  # fmt: skip
    return Waiver.objects.create(**{**values, **changes})


def test_waiver_holds_for_its_guest_destination_and_time_only(
    guest: Guest, mercury: Host, jupiter: Host
) -> None:
    give(guest, jupiter)
    now = timezone.now()
    give(guest, jupiter, created_at=now - timedelta(days=2), valid_until=now - timedelta(days=1))
    give(guest, jupiter, withdrawn_at=now, withdrawn_by_name="anna")
    assert len(list_waivers(guest.domain_uuid, jupiter)) == 1
    assert list_waivers(guest.domain_uuid, mercury) == ()
    assert list_waivers(make_guest(mercury, "db01").domain_uuid, jupiter) == ()


def test_anyone_may_withdraw_it_and_it_is_audited(
    browser: Client, guest: Guest, jupiter: Host, judged: Judge
) -> None:
    waived = replace(FINDING, severity=Severity.WARNING, waived="waived by bert until Friday: Tested.")
    judged(waived)
    give(guest, jupiter)
    text = actions(waived, guest, jupiter)
    address = reverse("jobs:waiver_withdraw", args=[guest.pk, jupiter.pk])
    assert f'hx-get="{address}?finding=' in text
    assert waived.waived in text
    assert "bert accepted this for web01" in browser.get(address, NAMED).content.decode()
    assert Waiver.objects.valid().exists(), "asking changes nothing"
    assert browser.post(address, NAMED).status_code == 200
    assert list_waivers(guest.domain_uuid, jupiter) == ()
    assert Waiver.objects.get().withdrawn_by_name == "anna"
    assert AuditEntry.objects.get().action == "waiver.withdraw"
    again = browser.post(address, NAMED)
    assert (again.status_code, "no waiver any more" in again.content.decode()) == (422, True)


def test_record_of_a_move_shows_who_waived_what() -> None:
    record = {"id": FINDING.id, "severity": "warning", "waived": "waived by bert until Friday: Tested."}
    text = actions(record, None, None)
    assert "waived by bert until Friday: Tested." in text
    assert "hx-get" not in text


def test_page_of_a_move_tells_the_waivers_it_was_made_with(
    browser: Client, guest: Guest, jupiter: Host
) -> None:
    waived = replace(FINDING, severity=Severity.WARNING, waived="waived by bert until Friday: Tested.")
    move = make_move(guest.host, jupiter, domain_uuid=guest.domain_uuid, findings_data=to_data([waived]))
    text = browser.get(reverse("jobs:move", args=[move.pk])).content.decode()
    assert "waived by bert until Friday: Tested." in text
    assert "data-withdraw" not in text


def test_reasons_are_never_read_as_markup(
    browser: Client, address: str, guest: Guest, jupiter: Host, judged: Judge
) -> None:
    finding = replace(FINDING, subject=HOSTILE, message=HOSTILE)
    judged(finding)
    named = filled(subject=HOSTILE, reason=HOSTILE, options=HOSTILE)
    texts = [
        browser.get(address, named),
        browser.post(address, {**named, "until": "x"}),
        browser.post(address, named),
    ]
    withdrawal = reverse("jobs:waiver_withdraw", args=[guest.pk, jupiter.pk])
    texts.append(browser.get(withdrawal, named))
    assert Waiver.objects.get().reason == HOSTILE
    for answer in texts:
        assert "<img" not in answer.content.decode()
