"""The dialog of a remedy: what it asks, what it refuses, what it shows. No browser's word is carried out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.template import Context, Template
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from hosts.models import AuditEntry, Guest, Host
from jobs import tasks
from jobs.models import Remedy
from jobs.preflight.findings import Finding, Fix, FixKind, Severity
from jobs.services import remedies, remedy_work
from jobs.services.remedies import digest_fix
from tests.jobs.rows import HOSTILE, make_guest, make_person

Judge = Callable[..., None]
FIX = Fix(
    FixKind.START_POOL,
    "jupiter",
    "Start the pool VM",
    "The pool VM on jupiter is started.",
    (("pool", "VM"),),
)
FINDING = Finding(
    "disk.pool-twin", Severity.BLOCKER, "disk vda", "The pool VM sleeps.", remedy="Start it.", fix=FIX
)
GOOD = {"finding": FINDING.id, "subject": FINDING.subject, "fix": "start-pool", "digest": digest_fix(FIX)}


@pytest.fixture(autouse=True)
def called(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Bells that would have been rung."""
    bells: list[Any] = []
    monkeypatch.setattr(remedies, "ring", lambda *words: bells.append(words) or True)
    return bells


@pytest.fixture
def guest(mercury: Host, jupiter: Host) -> Guest:
    return make_guest(mercury)


@pytest.fixture
def address(guest: Guest, jupiter: Host) -> str:
    return reverse("jobs:remedy", args=[guest.pk, jupiter.pk])


def actions(finding: Any, guest: Any, destination: Any, options_query: str = "") -> str:
    template = Template("{% include 'jobs/_finding_actions.html' %}")
    named = {"finding": finding, "guest": guest, "destination": destination, "options_query": options_query}
    return str(template.render(Context(named)))


def test_nobody_gets_in_without_logging_in(address: str) -> None:
    for answer in (Client().get(address, GOOD), Client().post(address, GOOD)):
        assert (answer.status_code, answer.headers["Location"].startswith("/login/")) == (302, True)
    assert not Remedy.objects.exists()


def test_order_from_another_site_is_refused(address: str, judged: Judge, guest: Guest) -> None:
    judged(FINDING)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(make_person())
    assert strict.post(address, GOOD).status_code == 403
    assert not Remedy.objects.exists()


def test_question_says_what_will_change_where_and_why(browser: Client, address: str, judged: Judge) -> None:
    judged(FINDING)
    text = browser.get(address, GOOD).content.decode()
    for words in (FIX.label, FIX.says, FINDING.message, "web01: mercury → jupiter", "audit"):
        assert words in text
    assert not Remedy.objects.exists(), "asking changes nothing"


def test_confirmed_remedy_is_queued_and_shown(
    browser: Client, address: str, judged: Judge, called: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    judged(FINDING)
    with django_capture_on_commit_callbacks(execute=True):
        text = browser.post(address, GOOD).content.decode()
    order = Remedy.objects.get()
    assert called == [("jobs.tasks.run_remedy", order.pk)]
    assert (order.fix_kind, order.host.name, order.asked_by_name) == ("start-pool", "jupiter", "anna")
    assert "Waiting for a worker" in text
    assert reverse("jobs:remedy_state", args=[order.pk]) in text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fix": "create-pool"}, "not needed any more"),
        ({"fix": "format-disk"}, "not needed any more"),
        ({"finding": "disk.path"}, "not needed any more"),
        ({"subject": "disk vdb"}, "not needed any more"),
        ({"digest": "0" * 64}, "not what you have confirmed"),
        ({"digest": ""}, "not what you have confirmed"),
    ],
    ids=lambda change: str(change)[:30],
)
def test_forged_order_is_refused_and_audited(
    change: dict[str, str], words: str, browser: Client, address: str, judged: Judge
) -> None:
    judged(FINDING)
    answer = browser.post(address, {**GOOD, **change, "pool": "../../etc", "host": "mercury"})
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not Remedy.objects.exists()
    entry = AuditEntry.objects.get()
    assert (entry.outcome, entry.actor_name) == ("refused", "anna")


def test_remedy_that_became_another_one_has_to_be_read_again(
    browser: Client, address: str, judged: Judge
) -> None:
    other = replace(FIX, arguments=(("pool", "other"),), says="The pool other on jupiter is started.")
    judged(replace(FINDING, fix=other))
    text = browser.post(address, GOOD).content.decode()
    assert "not what you have confirmed" in text
    assert other.says in text
    assert digest_fix(other) in text


def test_finding_that_is_gone_offers_nothing(browser: Client, address: str, judged: Judge) -> None:
    judged()
    text = browser.get(address, GOOD).content.decode()
    assert "not needed any more" in text
    assert "remedy-confirm" not in text


def test_second_person_sees_the_first_ones_order(browser: Client, address: str, judged: Judge) -> None:
    judged(FINDING)
    browser.post(address, GOOD)
    other = Client()
    other.force_login(make_person("bert"))
    text = other.post(address, GOOD).content.decode()
    assert "anna asked for this at" in text
    assert Remedy.objects.count() == 1
    assert "Waiting for a worker" in text


def test_disabled_host_and_gone_guest_are_refused(
    browser: Client, address: str, judged: Judge, guest: Guest, jupiter: Host
) -> None:
    judged(FINDING)
    Host.objects.filter(pk=jupiter.pk).update(enabled=False)
    assert "jupiter is disabled" in browser.post(address, GOOD).content.decode()
    Guest.objects.filter(pk=guest.pk).update(gone_at=timezone.now())
    assert "no longer on mercury" in browser.post(address, GOOD).content.decode()
    assert not Remedy.objects.exists()


def test_workers_that_cannot_be_called_are_said(
    browser: Client, address: str, judged: Judge, monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:  # fmt: skip
    judged(FINDING)
    monkeypatch.setattr(remedies, "ring", lambda *_: False)
    with django_capture_on_commit_callbacks(execute=True):
        browser.post(address, GOOD)
    order = Remedy.objects.get()
    assert (order.outcome, "could not be called" in order.sentence) == ("refused", True)


def ended(guest: Guest, jupiter: Host, **changes: Any) -> Remedy:
    now = timezone.now()
    values: dict[str, Any] = {
        "guest": guest, "destination": jupiter, "host": jupiter, "check_id": FINDING.id, "subject": FINDING.subject,
        "fix_kind": "start-pool", "fix_digest": digest_fix(FIX), "label": FIX.label, "says": FIX.says, "target": "t",
        "options_data": {}, "asked_by_name": "anna", "asked_at": now, "claimed_at": now, "ended_at": now,
        "outcome": "done", "sentence": "The pool VM on jupiter is running.", "checked_at": now,
    }  # fmt: skip
    return Remedy.objects.create(**{**values, **changes})


@dataclass(frozen=True)
class Standing:
    """How an order stands, what the checks say now, and what its dialog has to say."""

    words: str
    changes: dict[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    polls: bool = False


STANDINGS = (
    Standing(
        "Working on jupiter",
        {"ended_at": None, "outcome": "", "sentence": "", "checked_at": None},
        polls=True,
    ),
    Standing("checking again", {"checked_at": None}, polls=True),
    Standing("the finding is gone. Nothing blocks the move to jupiter."),
    Standing("the finding is gone. 1 other blocker left.", {}, (replace(FINDING, subject="disk vdb"),)),
    Standing("the finding is still there.</b> The pool VM sleeps.", {}, (FINDING,)),
    Standing("Failed.</b> It broke.", {"outcome": "failed", "sentence": "It broke.", "advice": "Look."}),
    Standing("Not known.</b> Lost.", {"outcome": "unknown", "sentence": "Lost."}),
)


@pytest.mark.parametrize("standing", STANDINGS, ids=lambda standing: standing.words[:30])
def test_state_is_told_in_place(
    standing: Standing, browser: Client, guest: Guest, jupiter: Host, judged: Judge
) -> None:
    judged(*standing.findings)
    order = ended(guest, jupiter, **standing.changes)
    text = browser.get(reverse("jobs:remedy_state", args=[order.pk])).content.decode()
    assert standing.words in text
    assert ("remedy-poll-" in text) == standing.polls


def test_fault_of_the_product_itself_ends_as_unknown(
    guest: Guest, jupiter: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = ended(guest, jupiter, claimed_at=None, ended_at=None, checked_at=None, outcome="", sentence="")
    read: list[Any] = []
    monkeypatch.setattr(remedy_work.hosts_remedies, "read_again", lambda *rows: read.append(rows))

    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(remedy_work.preflight, "evaluate", fail)
    remedy_work.run(order.pk)
    order.refresh_from_db()
    assert (order.outcome, "ZeroDivisionError" in order.sentence) == ("unknown", True)
    assert len(read) == 1, "what became of it is looked for"
    assert order.checked_at is not None
    assert AuditEntry.objects.get().outcome == "unknown"


def test_scheduler_ends_what_nobody_took(guest: Guest, jupiter: Host) -> None:
    nothing = {"claimed_at": None, "ended_at": None, "checked_at": None, "outcome": "", "sentence": ""}
    order = ended(guest, jupiter, asked_at=timezone.now() - timedelta(minutes=1), **nothing)
    tasks.reconcile()
    order.refresh_from_db()
    assert order.outcome == "refused"


def test_looking_ends_what_nobody_took(browser: Client, guest: Guest, jupiter: Host, judged: Judge) -> None:
    judged(FINDING)
    long_ago = timezone.now() - timedelta(minutes=1)
    nothing = {"claimed_at": None, "ended_at": None, "checked_at": None, "outcome": "", "sentence": ""}
    order = ended(guest, jupiter, asked_at=long_ago, **nothing)
    text = browser.get(reverse("jobs:remedy_state", args=[order.pk])).content.decode()
    assert "No worker took it within 20 s" in text


def test_readings_that_never_come_end_the_waiting(
    browser: Client, guest: Guest, jupiter: Host, judged: Judge
) -> None:
    judged()
    order = ended(guest, jupiter, ended_at=timezone.now() - timedelta(minutes=2), checked_at=None)
    text = browser.get(reverse("jobs:remedy_state", args=[order.pk])).content.decode()
    assert "could not be checked again in time" in text
    assert "remedy-poll-" not in text


def test_buttons_stand_where_something_can_be_done(guest: Guest, jupiter: Host) -> None:
    text = actions(FINDING, guest, jupiter)
    assert f'hx-get="{reverse("jobs:remedy", args=[guest.pk, jupiter.pk])}?finding=disk.pool-twin' in text
    assert "Start the pool VM" in text
    assert "data-waive" not in text
    assert actions(replace(FINDING, fix=None), guest, jupiter).strip() == ""
    assert actions(FINDING, None, jupiter).strip() == "", "findings of a pair belong to no guest"
    assert "hx-get" not in actions({"id": "x", "waived": "waived by anna"}, guest, None), (
        "a record is no offer"
    )


def test_options_of_the_dialog_come_back_without_long_or_secret_ones(
    browser: Client, address: str, guest: Guest, jupiter: Host, judged: Judge
) -> None:
    judged(FINDING)
    query = urlencode(
        {"kind": "live", "storage": "copy-all", "stays": "keep", "destination_xml": "<secret/>"}
    )
    text = actions(FINDING, guest, jupiter, query)
    assert "copy-all" in text
    assert "secret" not in text
    back = browser.get(address, {**GOOD, "options": "kind=live&storage=copy-all&stays=keep"}).content.decode()
    assert f"destination={jupiter.pk}&amp;kind=live&amp;storage=copy-all&amp;stays=keep" in back
    browser.post(address, {**GOOD, "options": "kind=live&storage=copy-all&stays=keep"})
    options = Remedy.objects.get().options_data
    assert (options["storage"], options["persistent"], options["undefine_source"]) == (
        "copy-all",
        True,
        False,
    )


def test_names_are_never_read_as_markup(browser: Client, mercury: Host, jupiter: Host, judged: Judge) -> None:
    guest = make_guest(mercury, HOSTILE)
    fix = replace(FIX, label=HOSTILE, says=HOSTILE)
    finding = replace(FINDING, subject=HOSTILE, message=HOSTILE, fix=fix, waived=HOSTILE)
    judged(finding)
    named = {
        "finding": finding.id,
        "subject": HOSTILE,
        "fix": "start-pool",
        "digest": digest_fix(fix),
        "options": HOSTILE,
    }
    address = reverse("jobs:remedy", args=[guest.pk, jupiter.pk])
    texts = [actions(finding, guest, jupiter, HOSTILE), browser.get(address, named).content.decode()]
    texts.append(browser.post(address, named).content.decode())
    state = reverse("jobs:remedy_state", args=[Remedy.objects.get().pk])
    texts.append(browser.get(state, {"note": HOSTILE, "options": HOSTILE}).content.decode())
    for text in texts:
        assert "<img" not in text
