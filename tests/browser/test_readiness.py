"""Where can it go: from the guest to what is in the way, and to the commands that mend it."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser import screens
from tests.browser.guests import create_shown
from tests.browser.test_accessibility import violations
from tests.lab import Lab, LabGuest
from tests.lab.host import LabHost

MEDIUM = "/var/lib/libvirt/images/local/tools.iso"
DRIVE = (
    "<disk type='file' device='cdrom'><driver name='qemu' type='raw'/>"
    f"<source file='{MEDIUM}'/><target dev='sda' bus='sata'/><readonly/></disk></devices>"
)


def write_medium(host: LabHost) -> None:
    path = host.path(MEDIUM)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(2048 * 200))


def create_with_medium(lab: Lab, page: Page, name: str) -> LabGuest:
    """A running guest with a CD in its drive that only its own host has."""
    write_medium(lab.hosts["mercury"])
    guest = lab.create_guest("mercury", name, xml_edit=lambda xml: xml.replace("</devices>", DRIVE))
    expect(screens.tree_guest(page, name, "mercury")).to_have_attribute("aria-label", f"{name}, running")
    return guest


def test_person_goes_from_the_guest_to_the_finding_and_copies_the_command(clean_lab, open_page):
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    create_with_medium(clean_lab, page, "cd01")
    screens.tree_guest(page, "cd01").click()
    row = page.locator("#guest-destinations .destination")
    expect(row).to_have_attribute("data-state", "blocked")
    expect(row).to_contain_text(f"{MEDIUM} is not on jupiter")
    row.get_by_role("link", name="jupiter").click()

    expect(page).to_have_url(re.compile(r"tab=readiness&to=\d+$"))
    finding = page.locator(".candidate[open] [data-finding='disk.removable-media']")
    expect(finding).to_contain_text("Blocker")
    finding.locator(".by-hand > summary").click()
    finding.get_by_role("button", name=re.compile("^Copy the commands for mercury")).click()
    expect(page.locator("#announcer")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert "virsh change-media cd01 sda --eject" in copied
    assert violations(page) == []


def test_page_follows_the_facts_and_keeps_what_is_unfolded(clean_lab, page):
    create_with_medium(clean_lab, page, "cd02")
    screens.tree_guest(page, "cd02").click()
    page.get_by_role("link", name="Readiness", exact=True).click()
    candidate = page.locator(".candidate", has_text="jupiter")
    expect(candidate).to_have_attribute("data-state", "blocked")
    candidate.locator("summary").first.click()
    expect(candidate.locator("[data-finding='disk.removable-media']")).to_be_visible()
    clean_lab.hosts["mercury"].virsh("change-media", "cd02", "sda", "--eject", "--live", "--config")
    candidate.get_by_role("button", name="Re-check").click()
    expect(candidate).not_to_have_attribute("data-state", "blocked")
    expect(candidate.locator("[data-finding='disk.removable-media']")).to_have_count(0)
    expect(candidate).to_have_attribute("open", "")


def test_host_says_who_can_leave_and_leads_to_what_keeps_the_others(clean_lab, page):
    create_shown(clean_lab, page, "mercury", "free01", start=False)
    create_with_medium(clean_lab, page, "cd03")
    screens.tree_host(page, "mercury").locator(".tree-row").first.click()
    page.get_by_role("link", name="Evacuation readiness", exact=True).click()
    expect(page.locator("#matrix-sum")).to_contain_text("1 of 2 guests can leave mercury now")
    expect(page.locator("#matrix-sum")).to_contain_text("1 is blocked everywhere")
    assert violations(page) == []
    page.get_by_role("link", name=re.compile("^cd03 to jupiter: ")).click()
    expect(page.locator(".candidate[open] [data-finding='disk.removable-media']")).to_be_visible()


def test_hosts_are_compared_without_a_guest(clean_lab, page):
    screens.tree_host(page, "mercury").locator(".tree-row").first.click()
    page.get_by_role("link", name="Readiness", exact=True).click()
    board = page.locator("#host-readiness")
    expect(board.locator("[data-state=checking]")).to_have_count(0)
    assert violations(page) == []
    board.get_by_role("link", name=re.compile("mercury to jupiter$")).click()
    expect(page.locator(".facts-table")).to_contain_text("9.0.0")
    expect(page.locator("#pair-verdict")).not_to_have_attribute("data-state", "checking")
    assert violations(page) == []
    page.goto("/readiness/")
    expect(page.locator("#page-pairs .cell").first).to_be_visible()
    assert violations(page) == []
    page.goto("/checks/")
    assert violations(page) == []
