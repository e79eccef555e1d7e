"""Pages of moves: who may see them, what they say, what may be pressed."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from hosts.models import Host
from jobs.engine.phases import Phase
from jobs.models import Migration, ProgressPoint
from jobs.services import live, move_view
from tests.jobs.rows import HOSTILE, make_guest, make_move

PAGES = ["jobs:moves", "jobs:dock", "jobs:history", "jobs:jump"]
SAMPLE = {
    "step": "memory",
    "percent": 63,
    "pass_number": 3,
    "elapsed_ms": 4000,
    "transfer_bytes_per_s": 112 * 2**20,
    "eta_s": 4,
}


@pytest.fixture(autouse=True)
def no_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "publish_move", lambda move: None)


@pytest.mark.parametrize("name", PAGES)
def test_nobody_sees_a_page_without_login(name: str, db: None) -> None:
    answer = Client().get(reverse(name))
    assert answer.status_code == 302
    assert answer["Location"].startswith("/login/")


@pytest.mark.parametrize(
    "name", ["jobs:migrate", "jobs:guest_destinations", "jobs:guest_history", "jobs:move", "jobs:move_points"]
)
def test_nobody_sees_one_thing_without_login(name: str, db: None) -> None:
    assert Client().get(reverse(name, args=[1])).status_code == 302


@pytest.mark.parametrize("name", ["jobs:migrate_check", "jobs:migrate_start", "jobs:cancel"])
def test_nobody_changes_anything_without_login(name: str, db: None) -> None:
    assert Client().post(reverse(name, args=[1])).status_code == 302


@pytest.mark.parametrize("name", ["jobs:migrate_check", "jobs:migrate_start", "jobs:cancel"])
def test_changes_need_the_token_of_the_page(name: str, browser: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = browser.cookies
    assert strict.post(reverse(name, args=[1])).status_code == 403


@pytest.mark.parametrize("name", PAGES)
def test_empty_pages_open(name: str, browser: Client) -> None:
    assert browser.get(reverse(name)).status_code == 200


def test_hostile_name_is_inert_on_every_page(browser: Client, mercury: Host, jupiter: Host) -> None:
    guest = make_guest(mercury, HOSTILE)
    move = make_move(
        mercury,
        jupiter,
        HOSTILE,
        Phase.TRANSFERRING,
        domain_uuid=guest.domain_uuid,
        reason=HOSTILE,
        progress_data=SAMPLE,
    )
    make_move(
        mercury,
        jupiter,
        HOSTILE,
        Phase.FAILED,
        outcome_sentence=HOSTILE,
        error_text=HOSTILE,
        help_desk_sentence=HOSTILE,
    )
    addresses = [reverse(name) for name in ("jobs:moves", "jobs:dock", "jobs:history")]
    addresses += [reverse("jobs:jump") + "?q=img", reverse("jobs:history") + f"?q={HOSTILE}"]
    addresses += [
        reverse(name, args=[guest.pk])
        for name in ("jobs:migrate", "jobs:guest_destinations", "jobs:guest_history")
    ]
    addresses += [reverse("jobs:move", args=[row.pk]) for row in Migration.objects.all()]
    for address in addresses:
        answer = browser.get(address)
        assert answer.status_code == 200, address
        assert "<img src=x" not in answer.content.decode(), address
    assert move.active


def test_page_of_a_move_has_its_figures_with_units(browser: Client, mercury: Host, jupiter: Host) -> None:
    move = make_move(mercury, jupiter, phase=Phase.TRANSFERRING, progress_data=SAMPLE)
    text = browser.get(reverse("jobs:move", args=[move.pk])).content.decode()
    for words in ("63 %", "memory pass 3", "112 MiB/s", "~4 s left", "mercury", "jupiter"):
        assert words in text


def test_fragment_is_the_page_without_the_shell(browser: Client) -> None:
    whole = browser.get(reverse("jobs:moves")).content.decode()
    part = browser.get(reverse("jobs:moves"), headers={"HX-Request": "true"}).content.decode()
    assert "<!doctype html>" in whole
    assert "<!doctype html>" not in part
    assert '<h1 class="page-title">Moves</h1>' in part


@pytest.mark.parametrize(
    ("phase", "may"),
    [
        (Phase.QUEUED, True),
        (Phase.PREPARING, True),
        (Phase.TRANSFERRING, True),
        (Phase.POSTCOPY, False),
        (Phase.CONFIRMING, False),
        (Phase.ROLLING_BACK, False),
        (Phase.UNCONFIRMED, False),
        (Phase.SUCCEEDED, False),
        (Phase.FAILED, False),
        (Phase.CANCELLED, False),
    ],
)
def test_cancel_is_offered_only_where_it_applies(
    phase: Phase, may: bool, browser: Client, mercury: Host, jupiter: Host
) -> None:
    move = make_move(mercury, jupiter, phase=phase)
    text = browser.get(reverse("jobs:move", args=[move.pk])).content.decode()
    assert (f'id="cancel-{move.pk}"' in text) is may


def test_cancel_says_what_it_did(browser: Client, mercury: Host, jupiter: Host) -> None:
    move = make_move(mercury, jupiter)
    answer = browser.post(reverse("jobs:cancel", args=[move.pk]))
    assert "was not touched" in answer.content.decode()
    move.refresh_from_db()
    assert move.phase == Phase.CANCELLED


def test_cancel_after_the_switch_over_is_refused_with_the_reason(
    browser: Client, mercury: Host, jupiter: Host
) -> None:
    move = make_move(mercury, jupiter, phase=Phase.POSTCOPY)
    answer = browser.post(reverse("jobs:cancel", args=[move.pk]))
    assert "toast-bad" in answer.content.decode()
    assert "can only go forward" in answer.content.decode()


def test_failure_is_said_in_two_voices(browser: Client, mercury: Host, jupiter: Host) -> None:
    move = make_move(
        mercury,
        jupiter,
        phase=Phase.FAILED,
        error_text="Unable to write to socket",
        error_meaning="The link broke.",
        error_remedy="Open the ports.",
        help_desk_sentence="Nothing was changed.",
        leftovers_data=["A volume remains."],
    )
    text = browser.get(reverse("jobs:move", args=[move.pk])).content.decode()
    for words in (
        "Unable to write to socket",
        "The link broke.",
        "Open the ports.",
        "Nothing was changed.",
        "A volume remains.",
    ):
        assert words in text


def test_points_are_given_after_a_moment(browser: Client, mercury: Host, jupiter: Host) -> None:
    move = make_move(mercury, jupiter, phase=Phase.TRANSFERRING)
    for at_ms in (0, 1000, 2000):
        ProgressPoint.objects.create(migration=move, at_ms=at_ms, transfer_bytes_per_s=at_ms)
    address = reverse("jobs:move_points", args=[move.pk])
    assert [point["at_ms"] for point in browser.get(address).json()["points"]] == [0, 1000, 2000]
    assert [point["at_ms"] for point in browser.get(address + "?after=1000").json()["points"]] == [2000]
    assert browser.get(address + "?after=x").status_code == 400


def test_jump_finds_by_all_words(browser: Client, mercury: Host, jupiter: Host) -> None:
    make_move(mercury, jupiter, "web01", Phase.SUCCEEDED)
    make_move(jupiter, mercury, "db01", Phase.SUCCEEDED)
    text = browser.get(reverse("jobs:jump") + "?q=web merc").content.decode()
    assert "web01" in text
    assert "db01" not in text


@pytest.mark.parametrize("kind", ["live", "non-live", "offline"])
@pytest.mark.parametrize("storage", ["shared", "copy-all"])
def test_stepper_never_runs_backwards(kind: str, storage: str, mercury: Host, jupiter: Host) -> None:
    move = Migration(
        kind=kind, options_data={"storage": storage}, started_at=timezone.now(), guest_name="web01"
    )
    way: list[tuple[Phase, dict[str, object]]] = [
        (Phase.QUEUED, {}),
        (Phase.PREPARING, {}),
        (Phase.TRANSFERRING, {}),
    ]
    way += [
        (Phase.TRANSFERRING, {"step": step, "pass_number": 2})
        for step in ("setup", "disks", "memory", "switch-over")
    ]
    way += [(Phase.CONFIRMING, {}), (Phase.UNCONFIRMED, {}), (Phase.CONFIRMING, {}), (Phase.SUCCEEDED, {})]
    reached = -1
    for phase, progress in way:
        move.phase, move.progress_data = phase, progress
        done = [step.state for step in move_view.build_steps(move)]
        now = done.index("now") if "now" in done else len(done)
        assert now >= reached, (phase, progress)
        reached = now


def test_percent_is_never_a_hundred_before_the_move_is_proven(mercury: Host, jupiter: Host) -> None:
    for phase in Phase:
        move = Migration(
            kind="live", options_data={}, phase=phase, progress_data={"percent": 100}, guest_name="web01"
        )
        assert (move_view.view_move(move).percent == 100) is (phase is Phase.SUCCEEDED)
