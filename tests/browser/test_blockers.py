"""What stands in the way is said before, and nothing is half done when it comes up later."""

import os
import re
import signal

import pytest
from playwright.sync_api import expect

from tests.browser import screens
from tests.browser.guests import create_shown, definitions, take_name


def test_name_taken_at_destination_is_said_with_evidence_and_nothing_is_changed(clean_lab, page):
    guest = create_shown(clean_lab, page, "mercury", "web02")
    take_name(clean_lab, "jupiter", "web02")
    before = definitions(clean_lab)
    form = screens.open_dialog(page, "web02", "jupiter")

    finding = form.locator("[data-finding='name.running-clash']")
    expect(finding).to_contain_text("A guest named web02 is running on jupiter.")
    expect(finding.locator(".evidence")).to_contain_text(guest.uuid)
    expect(finding.locator(".finding-fix")).to_contain_text("another name at the destination")
    start = form.get_by_role("button", name="Migrate", exact=True)
    expect(start).to_be_disabled()
    expect(start).to_have_accessible_description(re.compile("A guest named web02 is running on jupiter"))
    page.keyboard.press("Escape")
    expect(screens.dock_row(page, "web02")).to_have_count(0)
    assert definitions(clean_lab) == before


def test_clash_that_appears_while_dialog_is_open_turns_migrate_off(clean_lab, page):
    create_shown(clean_lab, page, "mercury", "web03")
    form = screens.open_dialog(page, "web03", "jupiter")
    expect(form.get_by_role("button", name="Migrate", exact=True)).to_be_enabled()
    take_name(clean_lab, "jupiter", "web03")
    expect(form.locator("[data-finding='name.running-clash']")).to_be_visible()
    expect(form.get_by_role("button", name="Migrate", exact=True)).to_be_disabled()
    expect(form.locator("#migrate-why")).to_contain_text("A guest named web03 is running on jupiter")


@pytest.fixture
def halt_worker(product):
    """Let the worker of the moves stand still, as under load: what is accepted waits."""
    pid = product.pids()["migrate"]
    yield lambda: os.kill(pid, signal.SIGSTOP), lambda: os.kill(pid, signal.SIGCONT)
    os.kill(pid, signal.SIGCONT)


def test_clash_that_appears_after_acceptance_is_found_before_anything_is_done(clean_lab, page, halt_worker):
    create_shown(clean_lab, page, "mercury", "web04")
    form = screens.open_dialog(page, "web04", "jupiter")
    expect(form.locator(".outcome-head")).to_contain_text("ready")
    halt, go_on = halt_worker
    halt()
    form.get_by_role("button", name="Migrate", exact=True).click()
    row = screens.dock_row(page, "web04")
    expect(row).to_contain_text("waiting for a worker")
    take_name(clean_lab, "jupiter", "web04")
    before = definitions(clean_lab)
    go_on()

    screens.expect_ended(row, "not moved")
    expect(row).to_contain_text("A guest named web04 is running on jupiter")
    expect(page.locator(".voices")).to_contain_text("For the operator")
    expect(page.get_by_role("region", name="For the help desk")).to_contain_text(re.compile("mercury"))
    expect(screens.tree_guest(page, "web04", "mercury")).to_have_attribute("aria-label", "web04, running")
    assert definitions(clean_lab) == before


def test_two_people_press_migrate_and_one_is_told_by_whom(clean_lab, open_page, troubles):
    troubles.expect("status of (409|422)")
    operator, admin = open_page(user="operator"), open_page(user="admin")
    create_shown(clean_lab, operator, "mercury", "web05")
    for page in (operator, admin):
        form = screens.open_dialog(page, "web05", "jupiter")
        expect(form.get_by_role("button", name="Migrate", exact=True)).to_be_enabled()
    for page in (operator, admin):
        page.evaluate("document.getElementById('migrate-start').click()")

    expect(screens.dock_row(operator, "web05")).to_be_visible()
    address = screens.dock_row(operator, "web05").get_by_role("link").get_attribute("href")
    move = operator.request.get(address).text()
    winner, loser, page = (
        ("operator", "admin", admin) if "<b>operator</b>" in move else ("admin", "operator", operator)
    )
    told = page.locator("#migrate-form")
    expect(told).to_contain_text(
        re.compile(rf"being moved already: {winner}|Already being moved by {winner}")
    )
    expect(told).not_to_contain_text(f"by {loser}")
    screens.expect_ended(screens.dock_row(operator, "web05"), "moved")
