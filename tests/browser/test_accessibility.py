"""axe-core on every page, light and dark. The script is put in from outside; the product never loads it."""

import hashlib
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser import screens
from tests.browser.guests import create_shown, take_name

VENDOR = Path(__file__).parent / "vendor"
AXE = VENDOR / "axe.min.js"
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}
# Until both frames are through, some elements still have the colours of the other theme.
PAINTED = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
BAD = ("serious", "critical")
PAGES = (
    "/hosts/", "/hosts/add/", "/hosts/1/", "/hosts/1/?tab=connection", "/guests/", "/storage/", "/moves/", "/history/",
)  # fmt: skip


def _is_of_tree(rule: dict, node: dict) -> bool:
    """A row's accessible name begins with its visible name and says its figures in words ("1 of 2 guests running")."""
    return rule["id"] == "label-content-name-mismatch" and node["target"][0].startswith("#tree-")


def violations(page: Page) -> list[str]:
    """Serious and critical ones in both themes, as "theme rule: element"."""
    page.evaluate(AXE.read_text())
    found = []
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        page.evaluate(PAINTED)
        result = page.evaluate("(rules) => axe.run(document, rules)", RULES)
        found += [
            f"{theme} {rule['id']}: {node['target']} {node['failureSummary']}"
            for rule in result["violations"] if rule["impact"] in BAD for node in rule["nodes"]
            if not _is_of_tree(rule, node)
        ]  # fmt: skip
    return found


def test_axe_is_what_was_released():
    for line in (VENDOR / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split(maxsplit=1)
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest


def test_login_has_no_serious_violation(open_page):
    assert violations(open_page(user=None)) == []


def test_pages_have_no_serious_violation(still_lab, page):
    expect(screens.tree_guest(page, "alpha01")).to_be_visible()
    found = {}
    for path in PAGES:
        page.goto(path)
        expect(page.locator("#main h1")).to_be_visible()
        found[path] = violations(page)
    assert {path: bad for path, bad in found.items() if bad} == {}


def test_guest_its_dialog_and_its_move_have_no_serious_violation(clean_lab, page):
    create_shown(clean_lab, page, "mercury", "axe02")
    screens.tree_guest(page, "axe02").click()
    expect(page.locator("#guest-destinations [data-state=ready]")).to_be_visible()
    found = {"guest": violations(page)}
    form = screens.open_dialog(page, "axe02", "jupiter")
    form.locator("#migrate-advanced > summary").click()
    found["dialog"] = violations(page)
    form.get_by_label("Bandwidth limit", exact=True).fill("5")
    expect(form.locator("#virsh-line")).to_contain_text("--bandwidth 5")
    form.get_by_role("button", name="Migrate", exact=True).click()
    row = screens.dock_row(page, "axe02")
    screens.expect_moving(row)
    found["running move"] = violations(page)
    screens.expect_ended(row, "moved")
    for part in page.locator(".move-papers summary").all():
        part.click()
    found["ended move"] = violations(page)
    assert {name: bad for name, bad in found.items() if bad} == {}


def test_dialog_with_a_blocker_has_no_serious_violation(clean_lab, page):
    create_shown(clean_lab, page, "mercury", "axe03", start=False)
    take_name(clean_lab, "jupiter", "axe03")
    form = screens.open_dialog(page, "axe03", "jupiter")
    expect(form.locator(".finding-blocker")).not_to_have_count(0)
    assert violations(page) == []
