"""The list of pools, the page of one, and one name compared across hosts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.urls import reverse
from django.utils import timezone

from hosts.facts.codec import to_data
from hosts.models import Contact, OperationOutcome, PoolContents, StorageOperation, Volume
from tests.hosts.views.conftest import GIB, host_facts, make_host, pool
from tests.hosts.views.storage_rows import NASTY, contents_of, guest_on, host_with_pool, volume

pytestmark = pytest.mark.usefixtures("bells", "db")


def text(client: Any, address: str, **query: Any) -> str:
    answer = client.get(address, query)
    assert answer.status_code == 200
    return str(answer.content.decode())


def pool_text(client: Any, host: Any, name: str = "VM", **query: Any) -> str:
    return text(client, reverse("hosts:pool", args=[host.pk, name]), **query)


def test_list_says_autostart_allocation_and_how_full_a_pool_is(person: Any) -> None:
    host_with_pool("mercury", autostart=False)
    host_with_pool("jupiter", available_bytes=10 * GIB)
    host_with_pool("saturn", available_bytes=GIB, persistent=False)
    page = text(person, reverse("hosts:storage"))
    assert "nearly full" in page
    assert 'class="meter is-full"' in page
    assert "transient" in page
    assert "After the next start of its host it stays inactive" in page
    assert "40" in page


def test_list_shows_only_what_is_nearly_full_on_demand(person: Any) -> None:
    host_with_pool("mercury", "roomy")
    host_with_pool("jupiter", "packed", available_bytes=GIB)
    page = text(person, reverse("hosts:storage"), show="full")
    assert "packed" in page
    assert "roomy" not in page
    assert "No pool differs" in text(person, reverse("hosts:storage"), show="differs")


def test_figures_of_an_inactive_pool_are_unknown_not_zero(person: Any) -> None:
    host = host_with_pool(active=False, capacity_bytes=0, allocation_bytes=0, available_bytes=0)
    page = pool_text(person, host)
    assert "The pool is not active" in page
    assert "unknown" in page
    assert "Volumes can be read once the pool is started" in page
    assert "pool-action" in page


def test_page_of_a_pool_that_was_never_read_asks_for_it(person: Any) -> None:
    host = host_with_pool()
    page = pool_text(person, host)
    assert "Reading the volumes" in page
    assert PoolContents.objects.get(host=host).asked_at is not None


def test_reading_that_failed_is_said_with_what_to_do(person: Any) -> None:
    host = host_with_pool()
    old = timezone.now() - timedelta(hours=3)
    contents_of(
        host, "VM", "web.qcow2", read_at=old, error="mercury does not answer.", error_remedy="Look at it."
    )
    page = pool_text(person, host)
    assert "The volumes could not be read" in page
    assert "Look at it." in page
    assert "3 h ago" in page
    assert "web.qcow2" in page


def test_silent_host_is_said(person: Any) -> None:
    host = host_with_pool()
    host.contact = Contact.SILENT
    host.save()
    contents_of(host, "VM", "web.qcow2")
    assert "does not answer" in pool_text(person, host)


@pytest.mark.parametrize("name", NASTY)
def test_names_are_text_and_lead_to_their_pages(person: Any, name: str) -> None:
    host = host_with_pool(pool_name="two words" if name == ".." else name)
    pool_name = "two words" if name == ".." else name
    contents_of(host, pool_name, name)
    for address in (reverse("hosts:storage"), reverse("hosts:detail", args=[host.pk]) + "?tab=storage"):
        page = person.get(address).content.decode()
        assert "<script>alert" not in page
    listed = person.get(reverse("hosts:pool", args=[host.pk, pool_name])).content.decode()
    assert "<script>alert" not in listed
    assert f"volume={quote(name, safe='')}" in listed
    shown = person.get(reverse("hosts:volume", args=[host.pk]), {"pool": pool_name, "volume": name})
    assert shown.status_code == 200
    assert "<script>alert" not in shown.content.decode()
    menu = person.get(reverse("hosts:volume_menu", args=[host.pk]), {"pool": pool_name, "volume": name})
    assert "<script>alert" not in menu.content.decode()


def test_volumes_say_format_chain_and_guests(person: Any) -> None:
    host = host_with_pool()
    contents = contents_of(host)
    volume(contents, "root.img", format="raw")
    volume(contents, "base.qcow2", backing_path="root.img")
    volume(contents, "web.qcow2", backing_path="/mnt/vm/base.qcow2")
    guest = guest_on(host, "/mnt/vm/web.qcow2")
    page = pool_text(person, host, q="web")
    row = page[page.index('data-volume="web.qcow2"') :]
    assert row.index("base.qcow2") < row.index("root.img")
    assert reverse("hosts:guest", args=[guest.pk]) in row


def test_ring_of_backing_files_ends(person: Any) -> None:
    host = host_with_pool()
    contents = contents_of(host)
    volume(contents, "a", backing_path="/mnt/vm/b")
    volume(contents, "b", backing_path="/mnt/vm/a")
    pool_text(person, host)
    text(person, reverse("hosts:volume", args=[host.pk]), pool="VM", volume="a")


def test_filter_by_name_format_and_use(person: Any) -> None:
    host = host_with_pool()
    contents = contents_of(host, "VM", "web.qcow2", "db.qcow2")
    volume(contents, "iso.raw", format="raw")
    guest_on(host, "/mnt/vm/web.qcow2")
    for query, shown, hidden in (
        ({"use": "used"}, "web.qcow2", "db.qcow2"),
        ({"use": "unused"}, "db.qcow2", "web.qcow2"),
        ({"format": "raw"}, "iso.raw", "db.qcow2"),
        ({"q": "DB"}, "db.qcow2", "iso.raw"),
    ):
        page = pool_text(person, host, **query)
        assert f'data-volume="{shown}"' in page
        assert f'data-volume="{hidden}"' not in page
    assert "No volume matches" in pool_text(person, host, q="nothing like it")


def test_twenty_thousand_volumes_are_paged_by_the_database(
    person: Any, django_assert_max_num_queries: Any
) -> None:
    host = host_with_pool()
    contents = contents_of(host)
    Volume.objects.bulk_create(
        Volume(contents=contents, name=f"v{number:05}", path=f"/mnt/vm/v{number:05}", capacity_bytes=number,
               allocation_bytes=0, format="raw") for number in range(20_000)
    )  # fmt: skip
    with django_assert_max_num_queries(30):
        page = pool_text(person, host, sort="-capacity", page=2)
    assert "101\u2013200 of 20000" in page
    assert page.count("data-volume=") == 100
    assert 'data-volume="v19899"' in page


def test_page_of_a_pool_that_was_deleted_says_what_became_of_it(person: Any) -> None:
    host = host_with_pool(pool_name="other")
    assert person.get(reverse("hosts:pool", args=[host.pk, "VM"])).status_code == 404
    StorageOperation.objects.create(
        host=host, kind="delete-pool", pool_name="VM", ended_at=timezone.now(), outcome=OperationOutcome.DONE,
        sentence="Pool VM is gone.",
    )  # fmt: skip
    page = pool_text(person, host)
    assert "no longer tells of a pool VM" in page
    assert "Pool VM is gone." in page


def test_operation_under_way_is_polled_and_an_ended_one_is_not(person: Any) -> None:
    host = host_with_pool()
    operation = StorageOperation.objects.create(
        host=host, kind="upload-volume", pool_name="VM", volume_name="web",
        claimed_at=timezone.now() - timedelta(seconds=10),
        lease_until=timezone.now() + timedelta(minutes=1), done_bytes=50, total_bytes=100, asked_by_name="anna",
    )  # fmt: skip
    address = reverse("hosts:pool_operations", args=[host.pk])
    page = text(person, address, pool="VM")
    assert 'value="50"' in page
    assert "s left" in page
    assert "load delay:1s" in page
    assert "Cancel" in page
    operation.done_bytes = 100
    operation.save()
    assert 'value="99"' in text(person, address, pool="VM")
    StorageOperation.objects.update(ended_at=timezone.now(), outcome="done", sentence="Written.")
    page = text(person, address, pool="VM")
    assert "Written." in page
    assert "load delay" not in page


def test_read_again_asks_for_figures_and_volumes(person: Any) -> None:
    host = host_with_pool()
    answer = person.post(
        reverse("hosts:pool_read", args=[host.pk]), {"pool": "VM"}, headers={"HX-Request": "true"}
    )
    assert b"is being read again" in answer.content
    assert PoolContents.objects.get(host=host).asked_at is not None


def test_guests_of_other_hosts_count_on_network_storage(person: Any) -> None:
    mercury, jupiter = host_with_pool("mercury"), host_with_pool("jupiter")
    contents_of(mercury, "VM", "web.qcow2")
    guest_on(jupiter, "/mnt/vm/web.qcow2", "web07")
    page = pool_text(person, mercury, tab="guests")
    assert "web07" in page
    assert "jupiter" in page


def test_comparison_marks_what_differs_and_names_who_lacks_it(person: Any) -> None:
    host_with_pool("mercury")
    host_with_pool("jupiter")
    host_with_pool("venus", autostart=False)
    make_host("saturn", facts_data=to_data(host_facts((pool("other"),))))
    page = text(person, reverse("hosts:pool_compare", args=["VM"]))
    assert "not the same everywhere" in page
    assert page.count("is-odd") == 1
    assert "Without a pool VM" in page
    assert "saturn" in page


def test_comparison_of_volumes_names_those_not_seen_alike(person: Any) -> None:
    mercury, jupiter = host_with_pool("mercury"), host_with_pool("jupiter")
    contents_of(mercury, "VM", "a", "b")
    contents_of(jupiter, "VM", "a")
    page = text(person, reverse("hosts:pool_compare", args=["VM"]))
    assert "1 volume is not seen alike" in page
    assert "not there" in page


def test_comparison_of_a_name_nobody_has_is_said(person: Any) -> None:
    host_with_pool()
    assert "No host has a pool nowhere" in text(person, reverse("hosts:pool_compare", args=["nowhere"]))
