"""Lists, the tree, the page of a guest and of a host."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from hosts.facts.codec import to_data
from hosts.models import Contact, Guest, Host, PoolTemplate
from hosts.templatetags.ui import age_words, duration, size
from hosts.views.outline import COOKIE, PAGE, parse_open
from tests.hosts.views.conftest import host_facts, make_guest, make_host, pool

NASTY = """<img src=x onerror=alert(1)>"'&é東"""


def text(client: Any, name: str, *arguments: Any, **query: str) -> str:
    answer = client.get(reverse(f"hosts:{name}", args=arguments), query)
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_no_hosts_yet_teaches_what_an_address_looks_like(person: Any) -> None:
    page = text(person, "list")
    assert "qemu+ssh://root@mercury/system" in page
    assert "ssh-copy-id" in page


@pytest.mark.parametrize("name", ["list", "guests", "tree", "palette", "storage"])
def test_names_are_shown_as_text_whatever_they_hold(person: Any, name: str) -> None:
    host = make_host(NASTY, facts_data=to_data(host_facts((pool(NASTY),))))
    make_guest(host, NASTY)
    page = text(person, name)
    assert "<img" not in page
    if name != "storage":
        assert "é東" in page


@pytest.mark.parametrize("tab", ["summary", "guests", "storage", "networks", "connection"])
def test_tabs_of_a_host(person: Any, host: Host, tab: str) -> None:
    assert f'id="tab-{tab}"' in text(person, "detail", host.pk, tab=tab)


@pytest.mark.parametrize("tab", ["summary", "disks", "network", "xml", "history"])
def test_tabs_of_a_guest(person: Any, guest: Guest, tab: str) -> None:
    assert f'id="tab-{tab}"' in text(person, "guest", guest.pk, tab=tab)


def test_host_that_was_never_read_has_a_page(person: Any) -> None:
    host = make_host(facts_data=None, read_at=None, contact=Contact.NEVER)
    for tab in ("summary", "guests", "storage", "networks", "connection"):
        text(person, "detail", host.pk, tab=tab)


def test_silent_host_says_so_with_reason_remedy_and_age(person: Any) -> None:
    host = make_host(
        contact=Contact.SILENT, contact_error="No route.", contact_error_remedy="Check the cable."
    )
    page = text(person, "detail", host.pk)
    assert "No route." in page
    assert "Check the cable." in page
    assert "<time" in page
    assert "silent" in text(person, "tree")


def test_guest_that_moved_links_to_where_it_is(person: Any, host: Host) -> None:
    old = make_guest(host, gone_at=timezone.now())
    new = make_guest(make_host("jupiter"), domain_uuid=old.domain_uuid)
    page = text(person, "guest", old.pk)
    assert 'id="guest-gone"' in page
    assert reverse("hosts:guest", args=[new.pk]) in page
    assert "migrate-button" not in page
    assert old.name not in text(person, "guests", host=str(host.pk)).split('id="guest-table"')[1]


def test_guest_on_two_hosts_is_warned_of(person: Any, guest: Guest) -> None:
    make_guest(make_host("jupiter"), domain_uuid=guest.domain_uuid)
    assert 'id="guest-twice"' in text(person, "guest", guest.pk)


def test_guests_are_filtered_sorted_and_paged_by_the_server(person: Any, host: Host) -> None:
    for number in range(60):
        make_guest(host, f"vm{number:02d}", "running" if number % 2 else "shut off")
    table = text(person, "guests").split('id="guest-table"')[1]
    assert table.count("data-row") == 50
    assert "50 of 60" in table
    assert text(person, "guests", state="shut off").split('id="guest-table"')[1].count("data-row") == 30
    assert text(person, "guests", q="vm07").split('id="guest-table"')[1].count("data-row") == 1
    assert text(person, "guests", sort="-name").split('id="guest-table"')[1].index("vm59") > 0
    assert "No guest matches" in text(person, "guests", q="nothing like it")


@pytest.mark.parametrize(
    "query", [{"page": "x"}, {"page": "999"}, {"sort": "password"}, {"host": "x"}, {"state": "'"}]
)
def test_odd_queries_are_harmless(person: Any, guest: Guest, query: dict[str, str]) -> None:
    text(person, "guests", **query)


def test_folded_host_costs_no_guests(person: Any, host: Host, guest: Guest) -> None:
    person.cookies[COOKIE] = "0"
    assert f"tree-guest-{guest.pk}" not in text(person, "tree")
    person.cookies[COOKIE] = str(host.pk)
    assert f"tree-guest-{guest.pk}" in text(person, "tree")


def test_big_host_is_shown_in_parts(person: Any, host: Host) -> None:
    sample = make_guest(host, "vm")
    rows = [
        Guest(
            host=host, domain_uuid=f"00000000-0000-0000-0000-{number:012d}", name=f"vm{number}", state="running",
            persistent=True, memory_bytes=1, vcpus=1, reading_data=sample.reading_data, read_at=sample.read_at,
        )
        for number in range(PAGE + 50)
    ]  # fmt: skip
    Guest.objects.bulk_create(rows)
    branch = text(person, "branch", host.pk)
    assert branch.count('data-kind="guest"') == PAGE
    assert "Show more (51)" in branch
    assert text(person, "branch", host.pk, limit=str(2 * PAGE)).count('data-kind="guest"') == PAGE + 51


def test_tree_reads_no_row_for_each_guest(
    person: Any, host: Host, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        make_guest(host, f"vm{number}")
    person.cookies[COOKIE] = str(host.pk)
    with django_assert_max_num_queries(6):
        text(person, "tree")


def test_pools_of_one_name_on_different_things_are_marked(person: Any) -> None:
    make_host("mercury", facts_data=to_data(host_facts((pool(source="netfs nfs a:/x"),))))
    make_host("jupiter", facts_data=to_data(host_facts((pool(source="netfs nfs b:/x"),))))
    assert "differs" in text(person, "storage")


def test_palette_finds_hosts_guests_pools_and_uuids(person: Any, guest: Guest) -> None:
    for query in ("mercury", "web", "VM", str(guest.domain_uuid)):
        assert 'role="option"' in text(person, "palette", q=query), query


def test_palette_jumps_to_the_pool_of_a_host_and_to_templates(person: Any, host: Host) -> None:
    make_host("jupiter")
    template = PoolTemplate.objects.create(name="VM", xml="<pool/>")
    found = text(person, "palette", q="vm mercury")
    assert reverse("hosts:pool", args=[host.pk, "VM"]) in found
    assert "pool on jupiter" not in found
    assert reverse("hosts:template", args=[template.pk]) in text(person, "palette", q="vm")


def test_status_counts(person: Any, guest: Guest) -> None:
    make_host("saturn", contact=Contact.SILENT)
    page = text(person, "status")
    assert "2 hosts" in page
    assert "1 silent" in page
    assert 'id="moving-count"' in page


@pytest.mark.parametrize(
    ("given", "words"),
    [(None, "unknown"), (0, "0\u00a0B"), (512 * 1024**2, "512\u00a0MiB"), (1536 * 1024**2, "1.5\u00a0GiB")],
)
def test_sizes(given: int | None, words: str) -> None:
    assert size(given) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "now"), (40, "40 s ago"), (300, "5 min ago"), (3 * 86400, "3 days ago")]
)
def test_ages(seconds: int, words: str) -> None:
    now = timezone.now()
    assert age_words(now - timedelta(seconds=seconds), now) == words


def test_durations() -> None:
    assert [duration(value) for value in (None, 240, 4200, 185_000)] == [
        "unknown",
        "240\u00a0ms",
        "4.2\u00a0s",
        "3 min 5 s",
    ]


def test_cookie_of_the_tree_is_read_with_care() -> None:
    assert parse_open(None) is None
    assert parse_open("3.5*400.x.-1.*") == {3: PAGE, 5: 400}
