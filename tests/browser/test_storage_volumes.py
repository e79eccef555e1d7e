"""Volumes through the browser, on real pools: made, uploaded, cloned, enlarged, downloaded, deleted."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.guests import create_shown
from tests.browser.test_accessibility import violations
from tests.lab import Lab

POOL = "local"
FOLDER = "/var/lib/libvirt/images/local"
DONE_WITHIN_MS = 60_000
MIB = 1024**2


@pytest.fixture
def pool_page(clean_lab: Lab, page: Page) -> Page:
    """The page of the pool on mercury, its volumes read."""
    page.goto("/storage/")
    group = page.locator("#pool-table tbody").filter(has=page.locator(f"th .name:text-is('{POOL}')"))
    group.get_by_role("link", name="mercury").click()
    expect(page.locator("#page-pool h1")).to_have_text(POOL)
    page.get_by_role("button", name="Read again").click()
    expect(page.locator("#volumes-age")).to_contain_text("Volumes read")
    return page


def row_of(page: Page, name: str) -> Locator:
    return page.locator(f'#volume-table tr[data-volume="{name}"]')


def open_action(page: Page, name: str, label: str) -> Locator:
    row_of(page, name).get_by_role("button", name=f"Menu of {name}").click()
    page.locator("#item-menu").get_by_role("menuitem", name=label).click()
    dialog = page.locator("#dialog")
    expect(dialog.locator("#storage-form")).to_be_visible()
    return dialog


def expect_done(dialog: Locator, outcome: str = "done") -> None:
    expect(dialog.locator("#operation-state")).to_have_attribute(
        "data-outcome", re.compile("."), timeout=DONE_WITHIN_MS
    )
    words = dialog.locator("#operation-state .notice").inner_text()
    assert dialog.locator("#operation-state").get_attribute("data-outcome") == outcome, words


def close(dialog: Locator) -> None:
    dialog.locator("#operation-close").click()
    expect(dialog).to_be_hidden()


def make_volume(page: Page, name: str, mib: int) -> None:
    page.get_by_role("button", name="New volume…").first.click()
    dialog = page.locator("#dialog")
    dialog.get_by_label("Name", exact=True).fill(name)
    dialog.get_by_label("Size", exact=True).fill(str(mib))
    dialog.get_by_label("Unit of the size").select_option("MiB")
    expect(dialog.locator("#virsh-lines")).to_contain_text(f"{mib}MiB --format qcow2")
    dialog.get_by_role("button", name="Create", exact=True).click()
    expect_done(dialog)
    close(dialog)
    expect(row_of(page, name)).to_be_visible()


def start_upload(page: Page, file: Path, name: str) -> Locator:
    page.get_by_role("button", name="Upload…").click()
    dialog = page.locator("#dialog")
    dialog.get_by_label("File on this computer").set_input_files(file)
    expect(dialog.get_by_label("Name of the volume")).to_have_value(file.name)
    dialog.get_by_label("Name of the volume").fill(name)
    expect(dialog.locator("#virsh-lines")).to_contain_text("--format raw")
    dialog.get_by_role("button", name="Upload", exact=True).click()
    expect(dialog).to_be_hidden()
    return page.locator("#uploads .upload", has_text=name)


def random_file(folder: Path, mib: int) -> tuple[Path, str]:
    file = folder / "image.raw"
    file.write_bytes(os.urandom(mib * MIB))
    return file, hashlib.sha256(file.read_bytes()).hexdigest()


def digest_on_host(lab: Lab, name: str) -> str:
    return hashlib.sha256(lab.hosts["mercury"].path(f"{FOLDER}/{name}").read_bytes()).hexdigest()


def test_volume_is_made_cloned_enlarged_wiped_and_deleted(clean_lab, pool_page):
    page, mercury = pool_page, clean_lab.hosts["mercury"]
    name, copy = "story one.qcow2", "copy of 😀.qcow2"
    make_volume(page, name, 64)
    assert "64.00 MiB" in mercury.virsh("vol-info", name, "--pool", POOL)
    assert violations(page) == []

    dialog = open_action(page, name, "Clone…")
    dialog.get_by_label("Name of the copy").fill(copy)
    dialog.get_by_role("button", name="Clone", exact=True).click()
    expect_done(dialog)
    close(dialog)
    dialog = open_action(page, copy, "Make larger…")
    dialog.get_by_label("New size").fill("96")
    dialog.get_by_label("Unit of the size").select_option("MiB")
    dialog.get_by_role("button", name="Resize", exact=True).click()
    expect_done(dialog)
    close(dialog)
    assert "96.00 MiB" in mercury.virsh("vol-info", copy, "--pool", POOL)
    expect(row_of(page, copy)).to_contain_text("96 MiB")

    dialog = open_action(page, copy, "Wipe…")
    dialog.get_by_label(f"Type {copy} to wipe it").fill(copy)
    assert violations(page) == []
    dialog.get_by_role("button", name="Wipe", exact=True).click()
    expect_done(dialog)
    close(dialog)
    for gone in (copy, name):
        dialog = open_action(page, gone, "Delete…")
        dialog.get_by_role("button", name="Delete", exact=True).click()
        expect_done(dialog)
        close(dialog)
        expect(row_of(page, gone)).to_have_count(0)
    assert mercury.virsh("vol-list", POOL).count("qcow2") == 0


def test_upload_goes_on_after_a_lost_connection_and_comes_back_as_the_same_bytes(
    clean_lab, pool_page, tmp_path, troubles
):
    troubles.expect("net::ERR_")  # the connection is lost on purpose
    page = pool_page
    file, digest = random_file(tmp_path, 20)
    lose_one_slice(page)
    upload = start_upload(page, file, "sent image.raw")
    expect(upload).to_have_attribute("data-state", "waiting")
    expect(upload.locator(".operation")).to_have_attribute("data-outcome", "done", timeout=DONE_WITHIN_MS)
    assert digest_on_host(clean_lab, "sent image.raw") == digest
    expect(row_of(page, "sent image.raw")).to_contain_text("20 MiB")
    assert violations(page) == []

    dialog = open_action(page, "sent image.raw", "Download…")
    dialog.get_by_role("button", name="Prepare the download").click()
    expect_done(dialog)
    with page.expect_download() as download:
        dialog.get_by_role("link", name="Save the file").click()
    assert download.value.suggested_filename == "sent image.raw"
    assert hashlib.sha256(Path(download.value.path()).read_bytes()).hexdigest() == digest


def lose_one_slice(page: Page) -> None:
    """The second slice never arrives, the first time."""
    lost = []

    def handle(route: Route) -> None:
        if route.request.method == "PUT" and "offset=0" not in route.request.url and not lost:
            lost.append(route.request.url)
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/storage/spool/*/*", handle)


def test_upload_that_is_cancelled_leaves_nothing(clean_lab, pool_page, tmp_path, troubles):
    troubles.expect("net::ERR_")
    page = pool_page
    file, _ = random_file(tmp_path, 9)
    page.route("**/storage/spool/*/*", lambda route: route.abort("connectionreset"))
    upload = start_upload(page, file, "never.raw")
    expect(upload).to_contain_text("connection lost")
    upload.get_by_role("button", name=re.compile("^Cancel the upload")).click()
    expect(upload).to_have_count(0)
    expect(row_of(page, "never.raw")).to_have_count(0)
    assert "never.raw" not in clean_lab.hosts["mercury"].virsh("vol-list", POOL)


def test_volume_of_a_guest_is_not_deleted_and_the_guest_is_named(clean_lab, pool_page):
    page = pool_page
    guest = create_shown(clean_lab, page, "mercury", "uses01", start=False)
    disk = Path(str(guest.spec.disk_path)).name
    page.goto(f"/storage/pools/1/{guest.spec.pool}/")
    page.get_by_role("button", name="Read again").click()
    expect(row_of(page, disk)).to_contain_text("uses01")
    dialog = open_action(page, disk, "Delete…")
    expect(dialog.get_by_role("alert")).to_contain_text("uses01")
    expect(dialog.locator("#storage-confirm")).to_have_count(0)
    assert violations(page) == []


def test_pool_is_stopped_and_started_again(clean_lab, pool_page):
    page, mercury = pool_page, clean_lab.hosts["mercury"]
    page.get_by_role("button", name=f"More for {POOL}").click()
    page.get_by_role("menuitem", name="Stop…").click()
    dialog = page.locator("#dialog")
    expect(dialog).to_contain_text("virsh pool-destroy local")
    dialog.get_by_role("button", name="Stop", exact=True).click()
    expect_done(dialog)
    close(dialog)
    expect(page.locator("#pool-notices")).to_contain_text("The pool is not active")
    assert re.search(r"State:\s+inactive", mercury.virsh("pool-info", POOL))
    page.get_by_role("button", name="Start…").click()
    dialog.get_by_role("button", name="Start", exact=True).click()
    expect_done(dialog)
    close(dialog)
    expect(page.locator("#pool-head")).to_contain_text("active")
    assert re.search(r"State:\s+running", mercury.virsh("pool-info", POOL))
