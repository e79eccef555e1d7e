"""The pages of preflight: where a guest can go, hosts in pairs, guests by hosts, and the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from hosts.models import Guest, Host, HostPairReading, PairReading
from hosts.services import host_pairs, inventory
from jobs.preflight.findings import Commands, Finding, Severity
from jobs.preflight.registry import list_checks
from jobs.services import preflight, readiness
from jobs.services.matrix import ROWS
from tests.jobs.rows import HOSTILE, make_guest, make_host
from tests.jobs.services.sites import store_host_pairs, store_pairs

Judge = Callable[..., None]
BLOCKER = Finding(
    "ids.qemu-user",
    Severity.BLOCKER,
    "host jupiter",
    "The qemu user of mercury is 64055, of jupiter 107.",
    (("mercury", "64055"), ("jupiter", "107"), ("file system", "nfs")),
    "Give both hosts the same ids.",
    commands=(
        Commands("jupiter", "debian", ("usermod --uid 64055 libvirt-qemu", "systemctl restart libvirtd")),
    ),
)


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker runs in these tests."""
    monkeypatch.setattr(host_pairs, "request_host_pairs", lambda *_: None)


@pytest.fixture
def guest(mercury: Host, jupiter: Host) -> Guest:
    return make_guest(mercury)


def fetch(browser: Client, name: str, *args: int, **query: Any) -> str:
    answer = browser.get(reverse(f"jobs:{name}", args=args), query)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize(
    "name", ["guest_readiness", "candidate", "host_readiness", "host_matrix", "pair", "pairs", "checks"]
)
def test_pages_need_a_login(name: str, guest: Guest, jupiter: Host) -> None:
    numbers = {"pairs": 0, "checks": 0, "candidate": 2, "pair": 2}.get(name, 1)
    address = reverse(f"jobs:{name}", args=[guest.pk, jupiter.pk][:numbers])
    assert Client().get(address).status_code == 302


def test_readiness_lists_each_host_and_unfolds_the_one_asked_for(
    browser: Client, guest: Guest, jupiter: Host, judged: Judge
) -> None:
    judged(BLOCKER)
    saturn = make_host("saturn")
    text = fetch(browser, "guest_readiness", guest.pk, to=jupiter.pk)
    assert "2 blocked" in text
    assert text.count('<details class="candidate"') == 2
    assert f'id="candidate-{jupiter.pk}" data-state="blocked" open' in text
    assert f'id="candidate-{saturn.pk}-detail"' not in text
    assert text.count("Give both hosts the same ids.") == 1


@pytest.mark.parametrize("wanted", ["x", "-1", "99999999999999999999999", ""])
def test_nonsense_unfolds_nothing(wanted: str, browser: Client, guest: Guest, judged: Judge) -> None:
    judged(BLOCKER)
    assert "-detail" not in fetch(browser, "guest_readiness", guest.pk, to=wanted).replace("hx-", "")


def test_finding_has_both_sides_its_commands_and_its_entry_in_the_catalogue(
    browser: Client, guest: Guest, jupiter: Host, judged: Judge
) -> None:
    judged(BLOCKER)
    text = fetch(browser, "candidate", guest.pk, jupiter.pk)
    assert '<th scope="col">mercury</th><th scope="col">jupiter</th>' in text
    assert "<td><div>64055</div></td><td><div>107</div></td>" in text
    assert "<dt>file system</dt><dd>nfs</dd>" in text
    assert "usermod --uid 64055 libvirt-qemu\nsystemctl restart libvirtd</pre>" in text
    assert "Debian, Ubuntu" in text
    assert f'href="{reverse("jobs:checks")}#ids.qemu-user"' in text


def test_recheck_asks_both_hosts_again_however_fresh_the_reading_is(
    browser: Client, guest: Guest, jupiter: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    bells: list[tuple[Any, ...]] = []
    monkeypatch.setattr(preflight, "ring", lambda *words: bells.append(words))
    monkeypatch.setattr(inventory, "ring", lambda *words: bells.append(words))
    store_pairs([guest], [jupiter])
    address = reverse("jobs:recheck", args=[guest.pk, jupiter.pk])
    assert browser.get(address).status_code == 405
    text = browser.post(address).content.decode()
    assert "Reading…" in text
    assert ("hosts.tasks.read_pair_task", guest.pk, jupiter.pk) in bells
    assert {words[1] for words in bells if words[0] == "hosts.tasks.refresh_host_task"} == {
        guest.host_id, jupiter.pk,
    }  # fmt: skip
    assert PairReading.objects.get().asked_at is not None


def test_recheck_of_a_pair_asks_both_hosts_again(
    browser: Client, mercury: Host, jupiter: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    bells: list[tuple[Any, ...]] = []
    monkeypatch.setattr(readiness, "ring", lambda *words: bells.append(words))
    monkeypatch.setattr(inventory, "ring", lambda *words: bells.append(words))
    store_host_pairs([mercury], [jupiter])
    text = browser.post(reverse("jobs:recheck_pair", args=[mercury.pk, jupiter.pk])).content.decode()
    assert "Reading…" in text
    assert ("hosts.tasks.read_host_pair_task", mercury.pk, jupiter.pk) in bells
    assert HostPairReading.objects.get().asked_at is not None


def test_pair_page_compares_the_hosts_and_leads_the_other_way(
    browser: Client, mercury: Host, jupiter: Host
) -> None:
    store_host_pairs([mercury, jupiter], [mercury, jupiter])
    text = fetch(browser, "pair", mercury.pk, jupiter.pk)
    assert reverse("jobs:pair", args=[jupiter.pk, mercury.pk]) in text
    assert "9.0.0" in text
    assert browser.get(reverse("jobs:pair", args=[mercury.pk, mercury.pk])).status_code == 404
    assert browser.get(reverse("jobs:pair", args=[mercury.pk, 9999])).status_code == 404


def test_single_host_has_no_pairs_and_is_told_what_to_do(browser: Client, mercury: Host) -> None:
    make_guest(mercury)
    assert "mercury is the only one so far" in fetch(browser, "pairs")
    assert "There is no other host" in fetch(browser, "host_readiness", mercury.pk)
    assert "There is no other host" in fetch(browser, "host_matrix", mercury.pk)
    assert "There is no other host" in fetch(browser, "guest_readiness", Guest.objects.get().pk)


def test_matrix_says_who_can_leave_and_leads_to_the_findings(
    browser: Client, guest: Guest, jupiter: Host, judged: Judge
) -> None:
    judged(BLOCKER)
    text = fetch(browser, "host_matrix", guest.host_id)
    assert "0 of 1 guest can leave mercury now" in text
    assert f'href="{reverse("hosts:guest", args=[guest.pk])}?tab=readiness&amp;to={jupiter.pk}"' in text
    assert "The qemu user of mercury is 64055" in text
    judged()
    assert "1 of 1 guest can leave mercury now" in fetch(browser, "host_matrix", guest.host_id)


def test_rows_that_were_scrolled_to_are_kept_when_the_page_is_drawn_anew(
    browser: Client, mercury: Host, jupiter: Host, judged: Judge
) -> None:
    judged()
    for number in range(ROWS + 3):
        make_guest(mercury, name=f"web{number:03d}")
    first = fetch(browser, "host_matrix", mercury.pk)
    assert first.count('<tr id="matrix-') == ROWS + 1
    assert f"?from={ROWS}" in first
    more = fetch(browser, "host_matrix", mercury.pk, **{"from": ROWS})
    assert (more.count('<tr id="matrix-'), "<section" in more) == (3, False)
    assert f'name="shown" value="{ROWS + 3}"' in more
    again = fetch(browser, "host_matrix", mercury.pk, shown=[ROWS, ROWS + 3])
    assert again.count('<tr id="matrix-') == ROWS + 3


def test_catalogue_has_every_check(browser: Client) -> None:
    text = fetch(browser, "checks")
    assert all(f'<tr id="{registered.id}">' in text for registered in list_checks())


def test_hostile_names_are_inert(browser: Client, judged: Judge) -> None:
    mercury, other = make_host(HOSTILE), make_host(f"{HOSTILE}2")
    Host.objects.update(address="qemu+ssh://root@mercury/system")
    guest = make_guest(mercury, name=HOSTILE)
    judged(Finding("disk.path", Severity.BLOCKER, HOSTILE, HOSTILE, ((HOSTILE, HOSTILE),), HOSTILE,
                   commands=(Commands(HOSTILE, "", (HOSTILE,)),)))  # fmt: skip
    pages = [
        fetch(browser, "guest_readiness", guest.pk, to=other.pk), fetch(browser, "guest_destinations", guest.pk),
        fetch(browser, "host_matrix", mercury.pk), fetch(browser, "host_readiness", mercury.pk),
        fetch(browser, "pair", mercury.pk, other.pk), fetch(browser, "pairs"),
    ]  # fmt: skip
    assert all("<img" not in page for page in pages)


@pytest.mark.parametrize(
    "name", ["guest_readiness", "guest_destinations", "host_matrix", "host_readiness", "pairs"]
)
def test_queries_are_bounded(
    name: str, browser: Client, mercury: Host, django_assert_max_num_queries: Any
) -> None:
    hosts = [make_host(f"host{number}") for number in range(25)]
    guests = [make_guest(mercury, name=f"web{number}") for number in range(10)]
    store_pairs(guests, hosts)
    store_host_pairs([mercury, *hosts], [mercury, *hosts])
    about = {"host_matrix": [mercury.pk], "host_readiness": [mercury.pk], "pairs": []}.get(
        name, [guests[0].pk]
    )
    with django_assert_max_num_queries(11):
        fetch(browser, name, *about)


def test_dialog_queries_are_bounded(
    browser: Client, mercury: Host, django_assert_max_num_queries: Any
) -> None:
    hosts = [make_host(f"host{number}") for number in range(25)]
    guest = make_guest(mercury)
    store_pairs([guest], hosts)
    with django_assert_max_num_queries(13):
        fetch(browser, "migrate", guest.pk)


def test_dialog_keeps_the_options_of_its_address(
    browser: Client, guest: Guest, jupiter: Host, judged: Judge
) -> None:
    judged()
    text = fetch(
        browser, "migrate", guest.pk, destination=jupiter.pk, kind="non-live", stays="keep", storage="shared"
    )
    assert 'name="kind" value="non-live" checked' in text
    assert 'name="stays" value="keep" checked' in text
