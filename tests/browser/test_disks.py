"""A person takes a guest's local disk along: another pool, another name, watched disk by disk."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser import screens
from tests.browser.screens import tree_guest
from tests.jobs.services.copied_guest import LOCAL, Carrier, Disk

NEW_NAME = "web 02, <b>new 🙂.img"


@pytest.fixture
def carrier(clean_lab) -> Iterator[Carrier]:
    made = Carrier(clean_lab)
    yield made
    clean_lab.reset()
    made.close()


def test_person_sends_a_disk_to_another_pool_and_watches_it(carrier, clean_lab, open_page):
    path = f"{LOCAL}/web02.img"
    carrier.image("mercury", path, full=True)
    before = carrier.contents("mercury", path)
    folder = carrier.pool("jupiter", "fast disks")
    carrier.guest("mercury", "web02", Disk("sda", path))
    page = open_page("/hosts/")
    expect(tree_guest(page, "web02", "mercury")).to_have_attribute("aria-label", "web02, running")
    page.locator("#main").get_by_role("button", name="Refresh").click()

    form = screens.open_dialog(page, "web02", "jupiter")
    expect(form.get_by_role("radio", name=re.compile("^Copy disks"))).to_be_checked()
    form.get_by_label("To the pool").select_option("fast disks")
    form.get_by_label("As the volume").fill(NEW_NAME)
    line = form.locator("#virsh-line")
    expect(line).to_contain_text("vol-create-as '--pool=fast disks'")
    expect(line).to_contain_text("--xml destination.xml")
    expect(form.get_by_label("As the volume")).to_have_value(NEW_NAME)
    # A guest that boots changes its memory faster than a slow link carries.
    form.get_by_role("radio", name=re.compile("^Pause and move")).check()
    form.locator("#migrate-advanced > summary").click()
    form.get_by_label("Bandwidth limit", exact=True).fill("16")
    expect(form.get_by_role("button", name="Migrate", exact=True)).to_be_enabled()
    form.get_by_role("button", name="Migrate", exact=True).click()

    expect(page).to_have_url(re.compile(r"/moves/\d+/$"))
    expect(page.get_by_role("progressbar", name="Copy of disk sda")).to_be_visible()
    screens.expect_ended(screens.dock_row(page, "web02"), "moved")
    told = clean_lab.hosts["jupiter"].virsh("domblklist", "--inactive", "web02")
    assert f"{folder}/{NEW_NAME}" in told
    assert carrier.contents("jupiter", f"{folder}/{NEW_NAME}") == before


def test_removing_the_disks_of_the_source_asks_for_the_name(carrier, open_page):
    path = f"{LOCAL}/web03.img"
    carrier.image("mercury", path)
    carrier.guest("mercury", "web03", Disk("sda", path))
    page = open_page()
    expect(tree_guest(page, "web03", "mercury")).to_have_attribute("aria-label", "web03, running")
    form = screens.open_dialog(page, "web03", "jupiter")
    removal = form.get_by_label("Type web03 to confirm").locator("visible=true")
    expect(removal).to_have_count(0)
    form.get_by_role("checkbox", name=re.compile("^Remove the copied disks")).check()
    expect(form.locator("#migrate-start")).to_be_disabled()
    removal.fill("web03")
    expect(form.locator("#migrate-start")).to_be_enabled()
    form.get_by_role("radio", name=re.compile("^Shared")).check()
    expect(form.get_by_role("checkbox", name=re.compile("^Remove the copied disks"))).to_have_count(0)
