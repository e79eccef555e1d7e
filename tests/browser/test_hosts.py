"""Connecting a host as a person does, and what is said when it does not work."""

import json
import os
import re
import time

import pytest
from playwright.sync_api import Page, expect

from tests.browser import screens
from tests.browser.guests import create_shown
from tests.product import Product

ANSWER_WITHIN_S = 10
MAKE_ACCOUNTS = """
import json
from hosts.management.commands.demo_setup import make_accounts
print(json.dumps(make_accounts()))
"""


@pytest.fixture(scope="module")
def empty_product(tmp_path_factory):
    """An installation that knows no host yet."""
    with Product.running(tmp_path_factory.mktemp("empty-product")) as instance:
        instance.accounts = json.loads(instance.run_python(MAKE_ACCOUNTS))
        yield instance


@pytest.fixture
def newcomer(empty_product, open_page):
    """The administrator of the empty installation, in the browser."""
    page = open_page(user=None, base_url=empty_product.url)
    screens.sign_in(page, "admin", empty_product.accounts["admin"])
    return page


@pytest.fixture
def unused_key(tmp_path):
    path = tmp_path / "unused"
    os.spawnlp(os.P_WAIT, "ssh-keygen", "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path))
    return path.read_text()


def fill_address(page: Page, name: str, address: str) -> None:
    page.goto("/hosts/add/")
    page.get_by_label("Name", exact=True).fill(name)
    with page.expect_response(re.compile("/hosts/address/")):
        page.get_by_label("Connection address").fill(address)


def run_test(page: Page) -> None:
    """Press "Test connection" and wait for its report."""
    page.get_by_role("button", name="Test connection").click()
    expect(page.locator("#report")).to_be_visible()


def accept_keys(page: Page) -> None:
    page.get_by_role("button", name="I have compared them: accept and test again").click()
    expect(page.locator("#offered-keys")).to_have_count(0)
    expect(page.locator("#report")).to_be_visible()


def failed_step(page: Page):
    return page.locator(".steps-list [data-state=failed]")


def save(page: Page) -> None:
    page.locator("#save-button").click()
    expect(page.locator("#page-host")).to_be_visible()


def remove_shown_host(page: Page) -> None:
    page.locator("#host-menu-button").click()
    page.get_by_role("menuitem", name="Remove…").click()
    page.locator("#dialog").get_by_role("button", name="Remove", exact=True).click()
    expect(page.locator("#page-hosts")).to_be_visible()


def test_first_host_is_connected_over_ssh_and_its_key_is_shown_nowhere(
    clean_lab, newcomer, empty_product, unused_key, troubles
):
    host, page = clean_lab.hosts["mercury"], newcomer
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    expect(page.locator("#no-hosts")).to_contain_text("ssh-copy-id")
    page.get_by_role("link", name="Add the first host").click()

    page.get_by_label("Name", exact=True).fill("mercury")
    page.locator("[name=part_host]").fill(host.address)
    expect(page.get_by_label("Connection address")).to_have_value(f"qemu+ssh://root@{host.address}/system")
    page.get_by_label("Connection address").fill(f"qemu+ssh://migrator@{host.address}:2222/system")
    expect(page.locator("[name=part_port]")).to_have_value("2222")
    expect(page.locator("[name=part_user]")).to_have_value("migrator")
    page.get_by_label("Connection address").fill(f"qemu+ssh://root@{host.address}/system")
    expect(page.locator("[name=part_port]")).to_have_value("")

    page.get_by_label("SSH private key").fill(unused_key)
    run_test(page)
    expect(page.locator("#report")).to_contain_text("First contact")
    expect(page.locator("#offered-keys code").first).to_contain_text("SHA256:")
    accept_keys(page)
    expect(failed_step(page).locator(".step-label")).to_contain_text("Login")
    expect(failed_step(page).locator(".remedy")).to_contain_text(
        f"ssh-copy-id -p 22 -i KEY.pub root@{host.address}"
    )

    secret = clean_lab.credentials.ssh_private_key_path.read_text()
    page.get_by_label("SSH private key").fill(secret)
    run_test(page)
    expect(page.locator("#report")).to_have_attribute("data-ok", "true")
    expect(page.locator(".steps-list [data-state=ok]")).not_to_have_count(0)
    save(page)
    expect(screens.tree_host(page, "mercury")).to_have_attribute("aria-label", re.compile("reachable"))

    part = secret.splitlines()[2]
    for place in ("", "?tab=connection", "edit/"):
        page.goto(re.sub(r"/hosts/(\d+)/.*", rf"/hosts/\1/{place}", page.url))
        assert part not in page.content()
    expect(page.locator("#field-ssh_private_key")).to_contain_text("stored")
    expect(page.get_by_label("SSH private key")).to_have_value("")
    page.get_by_label("Name", exact=True).fill("mercury.lab")
    save(page)
    page.goto(f"{page.url.split('?')[0]}?tab=connection")
    expect(page.locator("#page-host")).to_contain_text("SSH key")
    run_test(page)
    expect(page.locator("#report")).to_have_attribute("data-ok", "true")
    assert part not in empty_product.log_text()
    assert not any(part[:20] in address for address in addresses)
    assert part.encode() not in b"".join(
        path.read_bytes() for path in empty_product.state_dir.rglob("*.sqlite3*") if path.is_file()
    )

    host.replace_host_key()
    run_test_again(page)
    expect(page.locator("#report")).to_contain_text("Refused: the host key has changed")
    expect(page.locator("#offered-keys")).to_contain_text("Accepted before")
    expect(page.locator("#offered-keys")).to_contain_text("Offered now")

    page.locator("#host-menu-button").click()
    page.get_by_role("menuitem", name="Disable…").click()
    page.locator("#dialog").get_by_role("button", name="Disable", exact=True).click()
    expect(page.locator("#page-host")).to_contain_text("mercury.lab is disabled")
    expect(screens.tree_host(page, "mercury.lab")).to_contain_text("disabled")
    page.get_by_role("button", name="Enable", exact=True).click()
    expect(page.get_by_role("button", name="Refresh")).to_be_visible()
    remove_shown_host(page)
    expect(page.locator("#no-hosts")).to_be_visible()


def run_test_again(page: Page) -> None:
    with page.expect_response(re.compile(r"/hosts/\d+/test/")):
        page.get_by_role("button", name="Test connection").click()
    expect(page.locator("#report")).to_be_visible()


def test_host_over_plain_tcp_answers(clean_lab, newcomer):
    page = newcomer
    fill_address(page, "jupiter", f"qemu+tcp://{clean_lab.hosts['jupiter'].address}/system")
    expect(page.get_by_label("SSH private key")).to_be_hidden()
    run_test(page)
    expect(page.locator("#report")).to_have_attribute("data-ok", "true")


def test_host_over_tls_wants_the_right_authority(clean_lab, newcomer):
    page, tls = newcomer, clean_lab.credentials.tls_dir
    fill_address(page, "jupiter", f"qemu+tls://{clean_lab.hosts['jupiter'].address}/system")
    page.get_by_label("CA certificate").fill((tls / "clientcert.pem").read_text())
    page.get_by_label("Client certificate").fill((tls / "clientcert.pem").read_text())
    page.get_by_label("Client key").fill((tls / "clientkey.pem").read_text())
    run_test(page)
    expect(failed_step(page).locator(".step-label")).to_contain_text("ertificate")
    page.get_by_label("CA certificate").fill((tls / "cacert.pem").read_text())
    page.locator("#test-report").evaluate("(report) => report.replaceChildren()")
    run_test(page)
    expect(page.locator("#report")).to_have_attribute("data-ok", "true")


def test_host_with_sasl_wants_user_and_password_and_never_shows_them(clean_lab, newcomer, empty_product):
    page, host, keys = newcomer, clean_lab.hosts["jupiter"], clean_lab.credentials
    host.restart_libvirtd(sasl=True)
    fill_address(page, "jupiter", f"qemu+tcp://{host.address}/system")
    page.get_by_label("SASL user").fill(keys.sasl_user)
    page.get_by_label("SASL password").fill("not the password")
    run_test(page)
    expect(failed_step(page).locator(".step-label")).to_contain_text("Login")
    page.get_by_label("SASL password").fill(keys.sasl_password)
    page.locator("#test-report").evaluate("(report) => report.replaceChildren()")
    run_test(page)
    expect(page.locator("#report")).to_have_attribute("data-ok", "true")
    save(page)
    page.get_by_role("link", name="Edit", exact=True).click()
    expect(page.locator("#field-sasl_password")).to_contain_text("stored")
    assert keys.sasl_password not in page.content()
    assert keys.sasl_password not in empty_product.log_text()
    page.go_back()
    remove_shown_host(page)


def test_dead_host_is_said_within_ten_seconds(clean_lab, newcomer):
    page = newcomer
    nobody = clean_lab.hosts["jupiter"].address.rsplit(".", 1)[0] + ".240"
    fill_address(page, "saturn", f"qemu+tcp://{nobody}/system")
    started = time.monotonic()
    run_test(page)
    # The report is asked for once a second.
    assert time.monotonic() - started <= ANSWER_WITHIN_S + 1
    expect(page.locator("#report")).to_have_attribute("data-ok", "false")
    expect(failed_step(page)).to_contain_text(nobody)
    expect(page.locator("[data-state=skipped]").last).to_contain_text("Not reached")


def test_host_of_a_move_under_way_is_not_removed(clean_lab, page, troubles):
    troubles.expect("status of 422")
    create_shown(clean_lab, page, "mercury", "web11")
    row = screens.start_move(page, "web11", mib_per_s=3)
    screens.expect_moving(row)
    screens.tree_host(page, "mercury").locator(".tree-row").first.click(button="right")
    page.get_by_role("menuitem", name="Remove…").click()
    page.locator("#dialog").get_by_role("button", name="Remove", exact=True).click()
    expect(page.locator("#dialog").get_by_role("alert")).to_contain_text(re.compile("mercury"))
    page.get_by_role("button", name="Keep it").click()
    row.get_by_role("button", name="Cancel").click()
    screens.expect_ended(row, "cancelled")
    expect(screens.tree_host(page, "mercury")).to_be_visible()
