"""A way out that is a button: read what will change, confirm, see it done, and go on to the move."""

import re

from playwright.sync_api import expect

from tests.browser import screens
from tests.browser.test_accessibility import violations

MEDIUM = "/var/lib/libvirt/images/local/medium.iso"
DRIVE = f"""<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='{MEDIUM}'/>
<target dev='sda' bus='sata'/><readonly/></disk>"""


def test_medium_in_the_way_is_ejected_from_the_dialog_and_the_guest_may_move(clean_lab, page):
    mercury = clean_lab.hosts["mercury"]
    mercury.run(["truncate", "-s", "1M", MEDIUM])
    clean_lab.create_guest("mercury", "media01", xml_edit=with_drive)
    expect(screens.tree_guest(page, "media01", "mercury")).to_have_attribute("aria-label", "media01, running")
    form = screens.open_dialog(page, "media01", "jupiter")
    finding = form.locator("[data-finding='disk.removable-media']")
    expect(finding).to_contain_text(MEDIUM)
    finding.get_by_role("button", name="Eject the media of sda").click()

    dialog = page.locator("#dialog")
    expect(dialog.locator("#dialog-title")).to_have_text("Eject the media of sda?")
    expect(dialog).to_contain_text(
        "The drive sda of media01 on mercury is emptied, now and in its definition."
    )
    expect(dialog.get_by_role("button", name="Back to the move")).to_be_focused()
    assert violations(page) == []
    dialog.get_by_role("button", name="Eject the media of sda").click()
    expect(dialog.locator("#remedy-state")).to_have_attribute("data-outcome", "done")
    expect(dialog).to_contain_text(
        "The drive sda of media01 is empty now, in the running guest and in its definition."
    )
    expect(dialog).to_contain_text("Checked again: the finding is gone.")
    assert violations(page) == []
    assert MEDIUM not in mercury.virsh("domblklist", "media01")

    dialog.get_by_role("button", name="Back to the move").click()
    form = page.locator("#migrate-form")
    expect(form.locator("[data-finding='disk.removable-media']")).to_have_count(0)
    expect(form.get_by_role("radio", name=re.compile("jupiter"))).to_be_checked()
    expect(form.get_by_role("button", name="Migrate", exact=True)).to_be_enabled()


def test_finding_is_waived_in_the_dialog_and_the_waiver_withdrawn(clean_lab, page, troubles):
    troubles.expect("status of 422")  # a form that says what is wrong
    clean_lab.hosts["mercury"].run(["truncate", "-s", "1M", MEDIUM])
    clean_lab.create_guest("mercury", "media03", xml_edit=with_drive)
    expect(screens.tree_guest(page, "media03", "mercury")).to_have_attribute("aria-label", "media03, running")
    form = screens.open_dialog(page, "media03", "jupiter")
    form.locator("[data-finding='disk.removable-media']").get_by_role(
        "button", name="Waive: drive sda"
    ).click()
    dialog = page.locator("#dialog")
    expect(dialog.locator("#dialog-title")).to_have_text("Waive this finding?")
    expect(dialog.get_by_label("Why")).to_be_focused()
    assert violations(page) == []
    dialog.get_by_role("button", name="Waive", exact=True).click()
    expect(dialog.locator("#id_reason_error")).to_contain_text("Say why")
    dialog.get_by_label("Why").fill("The guest does without it.")
    dialog.get_by_role("button", name="Waive", exact=True).click()
    expect(dialog.locator("#waiver-given")).to_contain_text("The guest does without it.")

    dialog.get_by_role("button", name="Back to the move").click()
    finding = page.locator("#migrate-form [data-finding='disk.removable-media']")
    expect(finding).to_contain_text(re.compile("waived by operator until .*: The guest does without it."))
    expect(page.locator("#migrate-start")).to_be_enabled()
    finding.get_by_role("button", name="Withdraw the waiver: drive sda").click()
    dialog.get_by_role("button", name="Withdraw", exact=True).click()
    expect(dialog.locator("#dialog-title")).to_have_text("The waiver is withdrawn")
    dialog.get_by_role("button", name="Back to the move").click()
    expect(page.locator("#migrate-start")).to_be_disabled()


def with_drive(xml):
    return xml.replace("<interface", f"{DRIVE}<interface", 1)
