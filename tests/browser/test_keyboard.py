"""Everything without a mouse, and one thing only with it: dragging."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser import screens


@pytest.fixture
def guests(still_lab, page):
    for host, name in (("mercury", "alpha01"), ("mercury", "beta01"), ("jupiter", "gamma01")):
        expect(screens.tree_guest(page, name, host)).to_be_visible()


def focused(page):
    return page.locator("#tree [role=treeitem]:focus")


def test_tree_obeys_arrows_home_end_letters_and_enter(guests, page):
    page.keyboard.press("t")
    page.keyboard.press("Home")
    expect(focused(page)).to_have_attribute("data-name", "jupiter")
    page.keyboard.press("ArrowRight")
    expect(focused(page)).to_have_attribute("data-name", "gamma01")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(screens.tree_host(page, "jupiter")).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("ArrowDown")
    expect(focused(page)).to_have_attribute("data-name", "mercury")
    page.keyboard.press("End")
    expect(focused(page)).to_have_attribute("data-name", "beta01")
    page.keyboard.press("a")
    expect(focused(page)).to_have_attribute("data-name", "alpha01")
    page.keyboard.press("Enter")
    expect(page.locator("#page-guest h1")).to_have_text("alpha01")
    expect(screens.tree_guest(page, "alpha01")).to_have_attribute("aria-selected", "true")


def test_menu_of_a_guest_opens_by_key_and_gives_the_focus_back(guests, page):
    screens.tree_guest(page, "beta01").focus()
    page.keyboard.press("Shift+F10")
    expect(page.locator("#item-menu").get_by_role("menuitem", name="Open")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#item-menu").get_by_role("menuitem", name="Migrate…")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#item-menu")).to_have_count(0)
    expect(screens.tree_guest(page, "beta01")).to_be_focused()


def test_dialog_opened_by_key_keeps_the_focus_inside_and_gives_it_back(guests, page):
    screens.tree_guest(page, "beta01").focus()
    page.keyboard.press("m")
    expect(page.locator("#migrate-form")).to_be_visible()
    expect(page.locator("#dialog input[name=destination]:focus")).to_have_count(1)
    for key in ["Tab"] * 30 + ["Shift+Tab"] * 35:
        page.keyboard.press(key)
        # The browser's own bars come after the last control; nothing of the page behind does.
        assert page.evaluate(
            "document.activeElement === document.body || !!document.activeElement.closest('#dialog')"
        )
    page.keyboard.press("Escape")
    expect(page.locator("#dialog")).to_be_hidden()
    expect(screens.tree_guest(page, "beta01")).to_be_focused()


def test_first_key_after_the_page_was_opened_is_no_type_ahead(guests, page):
    page.clock.install(time=0)  # the page's own clock then stands where it stood when it was opened
    screens.tree_guest(page, "beta01").focus()
    page.keyboard.press("m")
    expect(page.locator("#migrate-form")).to_be_visible()


def test_person_jumps_by_typing_and_sees_the_guest_below_a_folded_host(guests, page):
    mercury = screens.tree_host(page, "mercury")
    mercury.locator("[data-twist]").click()
    expect(mercury).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("Control+k")
    page.keyboard.type("beta")
    expect(page.locator("#palette [role=option][aria-selected=true]")).to_contain_text("beta01")
    page.keyboard.press("Enter")
    expect(page.locator("#page-guest h1")).to_have_text("beta01")
    expect(mercury).to_have_attribute("aria-expanded", "true")
    expect(screens.tree_guest(page, "beta01")).to_have_attribute("aria-selected", "true")
    expect(screens.tree_guest(page, "beta01")).to_be_visible()


def test_question_mark_lists_the_keys_and_escape_closes_what_is_on_top(guests, page):
    page.keyboard.press("?")
    expect(page.locator("#dialog")).to_contain_text("Migrate the selected guest")
    page.keyboard.press("Escape")
    expect(page.locator("#dialog")).to_be_hidden()
    page.keyboard.press("/")
    expect(page.locator("#palette")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#palette")).to_be_hidden()


def test_guest_dragged_onto_host_opens_the_dialog_and_starts_nothing(guests, page):
    source = screens.tree_guest(page, "beta01").locator(".tree-row")
    source.drag_to(screens.tree_host(page, "jupiter").locator(".tree-row").first)
    form = page.locator("#migrate-form")
    expect(form.get_by_role("radio", name=re.compile("^jupiter"))).to_be_checked()
    expect(form.locator("#dialog-title")).to_have_text("Migrate beta01 from mercury")
    form.get_by_role("button", name="Close").last.click()
    expect(screens.dock_row(page, "beta01")).to_have_count(0)
