"""The whole walk of the guidance, as a person does it: share, define once, apply, make a volume, make a guest, move it.

The lab's kernel has no NFS: the export page is walked to the form, and the pool itself is one on GlusterFS, for real.
"""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser import screens
from tests.browser.guests import create_shown
from tests.browser.test_storage_templates import (
    APPLIED_WITHIN_MS,
    FORGET_TEMPLATES,
    apply_everywhere,
    fill,
    open_new,
)
from tests.browser.test_storage_volumes import DONE_WITHIN_MS, expect_done, row_of
from tests.browser.test_storage_volumes import close as close_dialog
from tests.lab import Lab
from tests.lab.layout import STORAGE_OCTET

POOL, VOLUME = "walked", "web11.qcow2"
FOLDER = f"/var/lib/libvirt/images/{POOL}"
DISK = f"""
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='none'/>
      <source file='{FOLDER}/{VOLUME}'/>
      <target dev='vda' bus='virtio'/>
    </disk>"""


@pytest.fixture
def walker(clean_lab: Lab, product, page: Page):
    product.run_python(FORGET_TEMPLATES)
    yield page
    product.run_python(FORGET_TEMPLATES)


def test_storage_is_shared_applied_used_and_the_guest_moves(walker, clean_lab):
    page = walker
    share_by_nfs(page)
    apply_template(page, clean_lab)
    make_volume(page)
    guest = create_shown_on_volume(clean_lab, page)
    move_live(page)
    assert guest.where() == {"jupiter": "running"}
    guest.wait_until_answering()
    numbers = guest.joint_sequence(["mercury", "jupiter"])
    assert numbers == list(range(numbers[0], numbers[-1] + 1))


def share_by_nfs(page: Page) -> None:
    """The generated line and commands, and the form they lead to."""
    page.goto("/storage/nfs/")
    page.get_by_label("NFS server").fill("nas.example")
    page.get_by_label("Folder on the server").fill("/srv/vm")
    page.get_by_label("Client network").fill("10.20.0.0/24")
    result = page.locator("#nfs-result")
    expect(result).to_contain_text(re.compile(r"/srv/vm 10\.20\.0\.0/24\([^)]*rw"))
    expect(result).to_contain_text("exportfs -ra")
    page.get_by_role("link", name="Make the pool template of it").click()
    expect(page.locator("#id_pool-source_dir")).to_have_value("/srv/vm")
    expect(page.locator("#id_pool-hosts")).to_have_value("nas.example")


def apply_template(page: Page, lab: Lab) -> None:
    """One template, both hosts, with autostart."""
    open_new(page, "netfs")
    fill(page, "name", POOL)
    page.locator("#id_pool-source_format").select_option("glusterfs")
    fill(page, "hosts", lab.instance.address(STORAGE_OCTET))
    fill(page, "source_dir", "VM")
    fill(page, "target_path", FOLDER)
    for host in ("mercury", "jupiter"):
        page.get_by_role("checkbox", name=host).check()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#page-template")).to_be_visible()
    apply_everywhere(page)
    expect(page.locator("#run-live .card[data-outcome=done]")).to_have_count(2, timeout=APPLIED_WITHIN_MS)
    for host in lab.hosts.values():
        info = host.virsh("pool-info", POOL)
        assert re.search(r"State: +running", info), info
        assert re.search(r"Autostart: +yes", info), info


def make_volume(page: Page) -> None:
    """8 GiB qcow2, and the line that makes a guest of it."""
    page.goto("/storage/")
    group = page.locator("#pool-table tbody").filter(has=page.locator(f"th .name:text-is('{POOL}')"))
    group.get_by_role("link", name="mercury").click()
    page.get_by_role("button", name="New volume…").first.click()
    dialog = page.locator("#dialog")
    dialog.get_by_label("Name", exact=True).fill(VOLUME)
    dialog.get_by_label("Size", exact=True).fill("8")
    dialog.get_by_label("Unit of the size").select_option("GiB")
    dialog.get_by_role("button", name="Create", exact=True).click()
    expect_done(dialog)
    close_dialog(dialog)
    row_of(page, VOLUME).get_by_role("link", name=VOLUME, exact=True).click()
    expect(page.locator("#main")).to_contain_text("8 GiB")
    line = page.locator("section", has=page.locator("#volume-guest")).locator(".code-line code")
    expect(line).to_contain_text(re.compile(rf"virt-install .*vol={POOL}/{VOLUME},.*cache=none"))


def create_shown_on_volume(lab: Lab, page: Page):
    """What that line makes, with the lab's own kernel instead of an installer."""
    return create_shown(
        lab, page, "mercury", "web11", pool=None,
        xml_edit=lambda xml: xml.replace("</emulator>", f"</emulator>{DISK}"),
    )  # fmt: skip


def move_live(page: Page) -> None:
    row = screens.start_move(page, "web11")
    screens.expect_ended(row, "moved")
    expect(screens.tree_guest(page, "web11", "jupiter")).to_be_visible(timeout=DONE_WITHIN_MS)
