"""The main job as a person does it: choose, read, migrate, watch, find again."""

import re

from playwright.sync_api import expect

from tests.browser import screens
from tests.browser.screens import MOVE_WITHIN_MS

ORDER = ["queued", "checks", "disks", "memory", "switch-over", "confirming", "done"]


def test_person_moves_running_guest_and_finds_it_in_history(clean_lab, product, open_page):
    guest = clean_lab.create_guest("mercury", "web01")
    guest.wait_until_answering()
    page = open_page(user=None)
    screens.sign_in(page, "operator", product.accounts["operator"])
    expect(screens.tree_host(page, "mercury")).to_be_visible()
    expect(screens.tree_host(page, "jupiter")).to_be_visible()

    form = screens.open_dialog(page, "web01", "jupiter")
    expect(form.locator(".outcome-head")).to_contain_text("ready")
    expect(form).to_contain_text("Nothing stands in the way.")
    screens.set_bandwidth(form)
    line = form.locator("#virsh-line").inner_text()
    assert re.search(r"migrate web01 qemu\+\S+ --live --p2p --persistent --undefinesource", line), line
    screens.record_progress(page, "web01")
    form.get_by_role("button", name="Migrate", exact=True).click()

    expect(page).to_have_url(re.compile(r"/moves/\d+/$"))
    address = page.url
    row = screens.dock_row(page, "web01")
    screens.expect_moving(row)
    expect(screens.tree_guest(page, "web01", "mercury")).to_contain_text("→ jupiter")
    expect(page.locator("#moving-count")).to_have_text("1 moving")
    expect(page.locator("[data-move-chart] canvas")).to_be_visible(timeout=MOVE_WITHIN_MS)
    screens.expect_ended(row, "moved")
    expect(screens.tree_guest(page, "web01", "jupiter")).to_be_visible()
    expect(screens.tree_guest(page, "web01", "mercury")).to_have_count(0)

    percents = screens.recorded_percents(page, "web01")
    assert len(percents) >= 2
    assert percents == sorted(percents)
    steps = [
        ORDER.index(step.partition(":")[2])
        for step in screens.recorded_steps(page, "web01")
        if step[-1] != ":"
    ]
    assert steps == sorted(steps)
    points = page.request.get(f"{address}points/").json()["points"]
    assert len([point for point in points if point["transfer"]]) >= 2

    move = page.locator(".move-page")
    expect(move.locator(".step[data-state=done]")).to_have_count(6)
    expect(move.locator(".verified li")).to_contain_text(
        [re.compile("^mercury: "), re.compile("^jupiter: .*running")]
    )
    expect(move.locator(".move-result")).to_contain_text(re.compile(r"\d m?s\s*Pause of the guest, measured"))
    move.get_by_text("The same with virsh").click()
    expect(move.locator("[id^=virsh-]")).to_have_text(line)

    page.get_by_role("navigation", name="Main").get_by_role("link", name="History").click()
    kept = page.locator("[data-move-row]").first
    for words in ("web01", "mercury", "jupiter", "live", "moved", "operator", "now"):
        expect(kept).to_contain_text(re.compile(rf"{words}|s ago" if words == "now" else words))
    expect(kept.locator("td.num")).to_have_text([re.compile(r"\d.*s$"), re.compile(r"\d.*ms$")])

    assert guest.where() == {"jupiter": "running"}
    assert guest.ping()
