"""The migrate dialog: choices that fit, verdicts, what is refused and how it is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from hosts.facts.domain import DomainState
from hosts.models import Host
from jobs.engine.phases import Phase
from jobs.models import Migration
from jobs.options import OPTIONS
from jobs.preflight.findings import Finding, Severity
from tests.jobs.rows import make_guest, make_move

Judge = Callable[..., None]
BLOCKER = Finding(
    "disk.path", Severity.BLOCKER, "disk vda", "There is no pool VM on jupiter.", (), "Create it."
)
WARNING = Finding("host.microcode", Severity.WARNING, "host jupiter", "The microcode differs.")


def choices(destination: Host, **changes: Any) -> dict[str, Any]:
    """What the dialog sends when nothing was changed in it."""
    return {
        "destination": destination.pk,
        "kind": "live",
        "stays": "for-good",
        "storage": "shared",
        "control": "peer-to-peer",
        "timeout_action": "suspend",
        "reason": "",
        **changes,
    }


@pytest.mark.parametrize(
    ("state", "kind"),
    [(DomainState.RUNNING, "live"), (DomainState.PAUSED, "non-live"), (DomainState.SHUT_OFF, "offline")],
)
def test_kind_that_fits_the_state_is_chosen(
    state: DomainState, kind: str, browser: Client, mercury: Host, jupiter: Host, judged: Judge
) -> None:
    judged()
    guest = make_guest(mercury, state=state)
    text = browser.get(reverse("jobs:migrate", args=[guest.pk])).content.decode()
    assert f'name="kind" value="{kind}" checked' in text
    assert f"web01 is {state}" in text


def test_every_option_has_a_control(browser: Client, mercury: Host, jupiter: Host, judged: Judge) -> None:
    judged()
    guest = make_guest(mercury)
    text = browser.get(reverse("jobs:migrate", args=[guest.pk])).content.decode()
    for option in OPTIONS:
        if option.field not in ("persistent", "undefine_source", "storage_map"):
            assert f'name="{option.field}"' in text, option.field


def test_target_asked_for_is_chosen(browser: Client, mercury: Host, jupiter: Host, judged: Judge) -> None:
    judged()
    guest = make_guest(mercury)
    text = browser.get(
        reverse("jobs:migrate", args=[guest.pk]) + f"?destination={jupiter.pk}"
    ).content.decode()
    assert f'name="destination" value="{jupiter.pk}" checked' in text


def test_no_other_host_is_said(browser: Client, mercury: Host) -> None:
    guest = make_guest(mercury)
    text = browser.get(reverse("jobs:migrate", args=[guest.pk])).content.decode()
    assert "There is no other host" in text
    assert 'id="migrate-start" disabled' in text


def test_blocker_turns_the_button_off_and_is_named(
    browser: Client, mercury: Host, jupiter: Host, judged: Judge
) -> None:
    judged(WARNING, BLOCKER)
    guest = make_guest(mercury)
    text = browser.post(reverse("jobs:migrate_check", args=[guest.pk]), choices(jupiter)).content.decode()
    assert 'id="migrate-start" disabled' in text
    assert text.count("There is no pool VM on jupiter.") >= 2
    assert "1 blocker" in text
    assert text.index("disk.path") < text.index("host.microcode")


def test_warnings_leave_the_button_on(browser: Client, mercury: Host, jupiter: Host, judged: Judge) -> None:
    judged(WARNING)
    guest = make_guest(mercury)
    text = browser.post(reverse("jobs:migrate_check", args=[guest.pk]), choices(jupiter)).content.decode()
    assert 'id="migrate-start">' in text
    assert "1 warning" in text


def test_waiting_is_shown_as_checking_and_asks_again(
    browser: Client, mercury: Host, jupiter: Host, judged: Judge, rung: list[str]
) -> None:
    judged(BLOCKER, waiting=True)
    guest = make_guest(mercury)
    text = browser.post(reverse("jobs:migrate_check", args=[guest.pk]), choices(jupiter)).content.decode()
    assert "checking…" in text
    assert "Waiting for fresh readings of jupiter" in text
    assert "migrate-poll" in text
    assert rung == ["jupiter"]


def test_value_out_of_range_is_said_at_its_field(
    browser: Client, mercury: Host, jupiter: Host, judged: Judge
) -> None:
    judged()
    guest = make_guest(mercury)
    data = choices(jupiter, bandwidth_mib_per_s="0", parallel_connections="many")
    text = browser.post(reverse("jobs:migrate_check", args=[guest.pk]), data).content.decode()
    assert '<li data-field="bandwidth_mib_per_s">Must be at least 1 MiB/s.</li>' in text
    assert '<li data-field="parallel_connections">Must be a whole number.</li>' in text
    assert 'id="migrate-start" disabled' in text


def test_options_that_exclude_each_other_are_said_at_the_field(
    browser: Client, mercury: Host, jupiter: Host, judged: Judge
) -> None:
    judged()
    guest = make_guest(mercury)
    data = choices(jupiter, parallel_connections="4")
    text = browser.post(reverse("jobs:migrate_check", args=[guest.pk]), data).content.decode()
    assert 'data-field="parallel_connections"' in text


def test_dangerous_choice_needs_the_typed_name(
    browser: Client, mercury: Host, jupiter: Host, judged: Judge
) -> None:
    judged()
    guest = make_guest(mercury)
    check = reverse("jobs:migrate_check", args=[guest.pk])
    wrong = browser.post(check, choices(jupiter, stays="nowhere", confirmed_name="web")).content.decode()
    right = browser.post(check, choices(jupiter, stays="nowhere", confirmed_name="web01")).content.decode()
    assert 'id="migrate-start" disabled' in wrong
    assert 'id="migrate-start">' in right


def test_start_queues_the_move_and_leads_to_its_page(
    browser: Client, mercury: Host, jupiter: Host, judged: Judge
) -> None:
    judged(WARNING)
    guest = make_guest(mercury)
    data = choices(jupiter, reason="kernel update", bandwidth_mib_per_s="40", auto_converge="on")
    answer = browser.post(reverse("jobs:migrate_start", args=[guest.pk]), data)
    move = Migration.objects.get()
    assert json.loads(answer["HX-Location"])["path"] == reverse("jobs:move", args=[move.pk])
    assert (move.guest_name, move.requested_by_name, move.reason) == ("web01", "anna", "kernel update")
    assert move.options_data["bandwidth_mib_per_s"] == 40
    assert move.options_data["auto_converge"] is True


def test_start_with_a_blocker_is_refused_with_its_remedy(
    browser: Client, mercury: Host, jupiter: Host, judged: Judge
) -> None:
    judged(BLOCKER)
    guest = make_guest(mercury)
    answer = browser.post(reverse("jobs:migrate_start", args=[guest.pk]), choices(jupiter))
    assert answer.status_code == 422
    assert "Create it." in answer.content.decode()
    assert not Migration.objects.exists()


def test_second_person_sees_who_was_first(
    browser: Client, mercury: Host, jupiter: Host, judged: Judge
) -> None:
    judged()
    guest = make_guest(mercury)
    make_move(
        mercury, jupiter, phase=Phase.TRANSFERRING, domain_uuid=guest.domain_uuid, requested_by_name="bo"
    )
    answer = browser.post(reverse("jobs:migrate_start", args=[guest.pk]), choices(jupiter))
    assert answer.status_code == 422
    assert "bo started it" in answer.content.decode()
    assert Migration.objects.count() == 1


@pytest.mark.parametrize("destination", ["", "x", "999999"])
def test_start_without_a_real_destination_starts_nothing(
    destination: str, browser: Client, mercury: Host, jupiter: Host, judged: Judge
) -> None:
    judged()
    guest = make_guest(mercury)
    answer = browser.post(
        reverse("jobs:migrate_start", args=[guest.pk]), choices(jupiter) | {"destination": destination}
    )
    assert answer.status_code == 422
    assert not Migration.objects.exists()


def test_destinations_card_has_a_verdict_for_each_host(
    browser: Client, mercury: Host, jupiter: Host, judged: Judge
) -> None:
    judged(BLOCKER)
    guest = make_guest(mercury)
    text = browser.get(reverse("jobs:guest_destinations", args=[guest.pk])).content.decode()
    assert "1 blocker" in text
    assert ">Why</button>" in text
