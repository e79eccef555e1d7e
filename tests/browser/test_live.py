"""What is on the screen is so now, in every browser, and when it cannot be, the screen says so."""

import os
import re
import signal
import time

import pytest
from playwright.sync_api import expect

from tests.browser import screens
from tests.browser.guests import create_shown

INVENTORY_WITHIN_S = 2.0


def test_two_browsers_see_the_same_move_and_a_reload_catches_up(clean_lab, open_page):
    first, second = open_page(user="operator"), open_page(user="admin")
    create_shown(clean_lab, first, "mercury", "web06")
    for page in (first, second):
        screens.record_progress(page, "web06")
    screens.start_move(first, "web06")
    row = screens.dock_row(second, "web06")
    screens.expect_moving(row)
    before = int(row.locator(".dock-percent").inner_text().removesuffix(" %"))
    first.reload()
    expect(first.locator("#live")).to_have_attribute("data-state", "live")
    screens.expect_moving(screens.dock_row(first, "web06"))
    after = int(screens.dock_row(first, "web06").locator(".dock-percent").inner_text().removesuffix(" %"))
    assert after >= before
    expect(first.locator("[data-move-chart] canvas")).to_be_visible(timeout=screens.MOVE_WITHIN_MS)
    for page in (first, second):
        screens.expect_ended(screens.dock_row(page, "web06"), "moved")
        expect(screens.tree_guest(page, "web06", "jupiter")).to_be_visible()
    percents = screens.recorded_percents(second, "web06")
    assert len(percents) >= 2
    assert percents == sorted(percents)


@pytest.fixture
def halt_web(product):
    """Stop and resume the web server as a hanging machine would: connections stay open and nothing answers."""
    pid = product.pids()["web"]
    yield lambda: os.kill(pid, signal.SIGSTOP), lambda: os.kill(pid, signal.SIGCONT)
    os.kill(pid, signal.SIGCONT)


def test_silent_server_is_said_and_page_catches_up_when_it_returns(clean_lab, page, halt_web, troubles):
    troubles.expect("WebSocket|ERR_|status of 50")
    halt, resume = halt_web
    create_shown(clean_lab, page, "mercury", "web07")
    row = screens.start_move(page, "web07", mib_per_s=5)
    screens.expect_moving(row)
    halt()
    expect(page.locator("#live")).to_contain_text(
        re.compile(r"not live since \d\d:\d\d:\d\d"), timeout=40_000
    )
    expect(page.locator("#dock-rows")).to_have_css("filter", "saturate(0.15)")
    expect(page.locator(".move-live")).to_have_css("filter", "saturate(0.15)")
    resume()
    expect(page.locator("#live")).to_have_text("live", timeout=40_000)
    expect(page.locator("#dock-rows")).to_have_css("filter", "none")
    screens.expect_ended(row, "moved")
    expect(page.locator(".move-live .outcome")).to_have_text("moved")
    expect(screens.tree_guest(page, "web07", "jupiter")).to_be_visible()


def test_cancel_in_the_dock_stops_the_move_and_says_what_it_did(clean_lab, page):
    guest = create_shown(clean_lab, page, "mercury", "web08")
    row = screens.start_move(page, "web08", mib_per_s=3)
    screens.expect_moving(row)
    button = row.get_by_role("button", name="Cancel the move of web08")
    expect(button).to_have_attribute("title", re.compile("web08 stays on mercury"))
    button.click()
    screens.expect_ended(row, "cancelled")
    expect(row.locator(".dock-outcome")).to_contain_text("mercury")
    expect(page.locator(".timeline")).to_contain_text("operator")
    expect(page.locator(".step[data-state=failed]")).to_have_count(0)
    assert guest.where() == {"mercury": "running"}
    guest.wait_until_answering()


@pytest.mark.parametrize(
    ("virsh", "before", "after"), [("start", False, "running"), ("destroy", True, "shut off")]
)
def test_guest_changed_with_virsh_shows_within_two_seconds(clean_lab, page, virsh, before, after):
    create_shown(clean_lab, page, "jupiter", "web09", start=before)
    clean_lab.hosts["jupiter"].virsh(virsh, "web09")
    done = time.monotonic()
    expect(screens.tree_guest(page, "web09")).to_have_attribute("aria-label", f"web09, {after}")
    assert time.monotonic() - done <= INVENTORY_WITHIN_S


def test_lists_of_moves_follow_while_they_are_shown(clean_lab, open_page):
    person, watcher, reader = (
        open_page(),
        open_page("/moves/", user="admin"),
        open_page("/history/", user="admin"),
    )
    create_shown(clean_lab, person, "mercury", "web10")
    row = screens.start_move(person, "web10")
    expect(watcher.locator(".move-card", has_text="web10")).to_be_visible()
    expect(reader.locator("#history-list tr", has_text="web10")).to_contain_text(re.compile("moving|waiting"))
    screens.expect_ended(row, "moved")
    expect(watcher.locator(".move-table tr", has_text="web10")).to_contain_text("moved")
    expect(watcher.locator(".move-card", has_text="web10")).to_have_count(0)
    expect(reader.locator("#history-list tr", has_text="web10").first).to_contain_text("moved")
