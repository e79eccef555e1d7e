"""The dialog's part about copied disks: where each can go, and what comes of what was chosen."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from hosts.facts.codec import to_data
from hosts.models import Guest, Host
from jobs.forms import MoveForm
from jobs.models import Migration
from tests.jobs.builders import GIB, LOCAL_PATH, disk, host_facts, local_pool, pool
from tests.jobs.rows import make_guest
from tests.jobs.views.test_dialog import Judge, choices

pytestmark = pytest.mark.django_db

EVIL = "<script>alert(1)</script> 🙂"


@pytest.fixture
def guest(mercury: Host, jupiter: Host, judged: Judge) -> Guest:
    judged()
    pools = (
        pool(name=EVIL, type="dir", target_path="/srv/evil", available_bytes=3 * GIB),
        local_pool(available_bytes=90 * GIB),
        pool(name="off", active=False),
        pool(name="ceph", type="rbd", target_path=""),
    )
    jupiter.facts_data = to_data(host_facts("jupiter", pools=pools))
    jupiter.save()
    made = make_guest(mercury)
    local = disk(source_path=LOCAL_PATH)
    reading = dataclasses.replace(made.reading, facts=dataclasses.replace(made.reading.facts, disks=(local,)))
    made.reading_data = to_data(reading)
    made.save()
    return made


def check(browser: Client, guest: Guest, destination: Host, **changes: Any) -> str:
    data = choices(destination, storage="copy-all", **changes)
    return browser.post(reverse("jobs:migrate_check", args=[guest.pk]), data).content.decode()


def part(text: str) -> str:
    found = re.search(r'<div id="migrate-disks".*?</div>\s*</hx-partial>', text, re.DOTALL)
    return found.group() if found else ""


def test_each_copied_disk_offers_the_pools_that_can_take_it(browser, guest, jupiter):
    text = part(check(browser, guest, jupiter))
    assert 'name="disk-pool-vda"' in text
    assert 'name="disk-name-vda"' in text
    assert "local (90 GiB free)" in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; 🙂 (3.0 GiB free)" in text
    assert "<script>" not in text
    assert "off (" not in text
    assert "ceph (" not in text


def test_nothing_is_asked_about_disks_that_are_shared(browser, guest, jupiter):
    data = choices(jupiter)
    text = browser.post(reverse("jobs:migrate_check", args=[guest.pk]), data).content.decode()
    assert "disk-pool" not in text


def test_what_somebody_is_typing_in_is_not_made_anew(browser, guest, jupiter):
    key = re.search(r'name="disks_for" value="([^"]+)"', check(browser, guest, jupiter))
    assert key is not None
    again = check(browser, guest, jupiter, disks_for=key.group(1), **{"disk-pool-vda": "local"})
    assert part(again) == ""


def test_the_fields_become_the_storage_map(guest):
    said = choices(
        guest.host, storage="copy-all", **{"disk-pool-vda": "fast disks", "disk-name-vda": "a, b.img"}
    )
    form = MoveForm(guest, said)
    assert form.is_valid()
    assert form.options is not None
    assert form.options.storage_map == ("vda=fast disks/a, b.img",)
    assert form.problems() == {}


def test_fields_of_disks_mean_nothing_while_storage_is_shared(guest):
    form = MoveForm(guest, choices(guest.host, **{"disk-pool-vda": "fast"}))
    assert form.is_valid()
    assert form.options is not None
    assert form.options.storage_map == ()


@pytest.mark.parametrize(
    "said",
    [
        {"disk-pool-vda": "", "disk-name-vda": "x.img"},
        {"disk-pool-vda": "fast", "disk-name-vda": "../x"},
        {"disk-pool-vda": "fast", "disk-name-vda": "x" * 256},
    ],
)
def test_what_is_no_place_is_said_beside_the_fields(browser, guest, jupiter, said):
    text = check(browser, guest, jupiter, **said)
    assert '<li data-field="storage_map">' in text
    answer = browser.post(
        reverse("jobs:migrate_start", args=[guest.pk]), choices(jupiter, storage="copy-all", **said)
    )
    assert answer.status_code == 422
    assert not Migration.objects.exists()


def test_a_pool_that_the_destination_lacks_stays_chosen_and_is_named(browser, guest, jupiter):
    text = part(check(browser, guest, jupiter, **{"disk-pool-vda": "gone"}))
    assert '<option value="gone" selected>gone (not there)</option>' in text
