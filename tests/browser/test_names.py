"""A guest may be called what it likes: it is text everywhere."""

import json
import re

from playwright.sync_api import expect

from tests.browser import screens

# libvirt allows everything but "/" and line breaks.
NAME = """Ünï "q" 'a' <img src=x onerror=alert(1)> {{ 7*7 }} & 🦊"""
DESCRIPTION = "<script>alert(2)</script><b>bold</b>"


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def test_name_and_description_full_of_markup_are_text_everywhere(clean_lab, open_page):
    page = open_page()
    page.on("dialog", lambda dialog: (_ for _ in ()).throw(AssertionError(f"alert: {dialog.message}")))
    clean_lab.create_guest(
        "mercury", "markup01", start=False,
        xml_edit=lambda xml: xml.replace(
            "<name>markup01</name>", f"<name>{escaped(NAME)}</name><description>{escaped(DESCRIPTION)}</description>"
        ),
    )  # fmt: skip
    clean_lab.hosts["mercury"].run(["virsh", "start", NAME])
    expect(screens.tree_guest(page, NAME, "mercury")).to_have_attribute("aria-label", f"{NAME}, running")
    screens.tree_guest(page, NAME).click()
    expect(page.locator("#page-guest h1")).to_have_text(NAME)
    expect(page.locator("#page-guest")).to_contain_text(DESCRIPTION)

    frames: list[str] = []
    with page.expect_websocket() as opened:
        page.reload()
    opened.value.on("framereceived", lambda frame: frames.append(str(frame)))
    form = screens.open_dialog(page, NAME, "jupiter")
    expect(form.locator("#dialog-title")).to_contain_text(NAME)
    form.get_by_label("Reason").fill(DESCRIPTION)
    form.get_by_role("button", name="Migrate", exact=True).click()
    row = screens.dock_row(page, NAME)
    expect(row).to_be_visible()
    screens.expect_ended(row, "moved")
    expect(screens.tree_guest(page, NAME, "jupiter")).to_be_visible()
    expect(page.locator(".move-page h1")).to_contain_text(NAME)
    expect(page.locator(".move-page")).to_contain_text(DESCRIPTION)
    rows = [message["row"] for frame in frames if "row" in (message := json.loads(frame))]
    assert rows
    assert not any("<img" in text for text in rows)

    page.keyboard.press("Control+k")
    page.keyboard.type("<img src=x")
    expect(page.locator("#palette [role=option]").first).to_contain_text(NAME)
    page.keyboard.press("Escape")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="History").click()
    expect(page.locator("#history-list tr").nth(1)).to_contain_text(NAME)
    expect(page.locator("img, #main script")).to_have_count(0)
    told = page.request.get("/guests/", params={"q": NAME})
    assert told.ok
    assert "<img" not in told.text()
    assert re.search(r"&lt;img src=x onerror=alert\(1\)&gt;", told.text())
