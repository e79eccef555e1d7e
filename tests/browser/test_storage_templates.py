"""A pool template in the browser: form and XML follow each other, nothing typed is lost, and it reaches the hosts."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PATIENCE_MS
from tests.browser.test_accessibility import violations

APPLIED_WITHIN_MS = 60_000
FORGET_TEMPLATES = "from hosts.models import PoolTemplate\nPoolTemplate.objects.all().delete()"
COUNT_RUNS = (
    "from hosts.models import StorageRun\nprint(StorageRun.objects.filter(template_name='drifting').count())"
)
EXTRA = '<x:extra xmlns:x="urn:x" kept="yes"/>'


@pytest.fixture
def no_templates(product):
    product.run_python(FORGET_TEMPLATES)
    yield
    product.run_python(FORGET_TEMPLATES)


def open_new(page: Page, kind: str) -> None:
    page.goto("/storage/templates/")
    page.get_by_role("link", name=re.compile("Add (the first )?template")).click()
    page.locator(f"#type-{kind}").click()
    expect(page.locator("#template-form")).to_be_visible()


def fill(page: Page, field: str, text: str) -> None:
    page.locator(f"#id_pool-{field}").fill(text)


def type_xml(page: Page, change) -> None:
    """Switch to the XML and type what `change` makes of it."""
    page.locator("#template-side").get_by_text("XML", exact=True).click()
    xml = page.locator("#id_xml")
    expect(xml).to_be_editable()
    xml.fill(change(xml.input_value()))


def back_to_form(page: Page) -> None:
    page.locator("#template-side").get_by_text("Form", exact=True).click()
    expect(page.locator("#id_xml")).not_to_be_editable()


def test_xml_follows_the_form_and_the_form_the_xml(still_lab, no_templates, page):
    open_new(page, "netfs")
    fill(page, "name", "VM <b>")
    fill(page, "hosts", "nas.example")
    fill(page, "source_dir", "/srv/vm")
    xml = page.locator("#id_xml")
    expect(xml).to_have_value(re.compile(r'<host name="nas.example"/>\s*<dir path="/srv/vm"/>'))
    expect(xml).to_have_value(re.compile("<name>VM &lt;b&gt;</name>"))
    type_xml(
        page, lambda text: text.replace("/srv/vm", "/srv/by-hand").replace("</source>", f"</source>{EXTRA}")
    )
    expect(page.locator("#id_pool-source_dir")).to_have_value("/srv/by-hand")
    expect(page.locator("#id_pool-source_dir")).to_be_disabled()
    back_to_form(page)
    fill(page, "target_path", "/mnt/vm")
    expect(xml).to_have_value(re.compile("<path>/mnt/vm</path>"))
    expect(xml).to_have_value(re.compile('kept="yes"'))


def test_broken_xml_is_said_while_it_is_typed_and_stays(still_lab, no_templates, page, troubles):
    troubles.expect("status of 422")
    open_new(page, "dir")
    fill(page, "name", "local")
    expect(page.locator("#id_xml")).to_have_value(re.compile("<name>local</name>"))
    type_xml(page, lambda text: text + "<oops")
    expect(page.locator("#xml-error")).to_contain_text("not well-formed")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#form-errors")).to_contain_text("Nothing was saved")
    expect(page.locator("#id_xml")).to_have_value(re.compile("<oops"))


def test_mistakes_are_said_beside_their_fields(still_lab, no_templates, page, troubles):
    troubles.expect("status of 422")
    open_new(page, "netfs")
    fill(page, "name", "VM")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#id_pool-hosts_error .field-error")).to_be_visible()
    expect(page.locator("#id_pool-hosts")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#id_pool-name")).to_have_value("VM")


def test_values_are_asked_for_as_soon_as_the_path_differs(still_lab, no_templates, page):
    open_new(page, "dir")
    fill(page, "name", "local")
    page.get_by_role("checkbox", name="mercury").check()
    expect(page.get_by_label("Path on mercury")).to_have_count(0)
    fill(page, "target_path", "{{ host.path }}")
    page.get_by_label("Path on mercury").fill("/srv/a")
    fill(page, "name", "local2")
    expect(page.locator("#id_xml")).to_have_value(re.compile("<name>local2</name>"))
    expect(page.get_by_label("Path on mercury")).to_have_value("/srv/a")


def test_form_on_its_way_is_not_overtaken_by_its_own_preview(still_lab, no_templates, page):
    open_new(page, "dir")
    expect(page.locator("#id_xml")).to_have_value(re.compile("<pool"))
    page.clock.install()
    held, previews = [], []
    page.route("**/storage/templates/add/", lambda route: held.append(route))  # noqa: PLW0108 (Playwright wants a function)
    page.on("request", lambda request: previews.append(request) if "/preview/" in request.url else None)
    with page.expect_request("**/storage/templates/add/"):
        page.evaluate(
            """() => {
                for (const [name, text] of [["name", "quick"], ["target_path", "/srv/quick"]]) {
                    const field = document.getElementById(`id_pool-${name}`);
                    field.value = text;
                    field.dispatchEvent(new Event("input", { bubbles: true }));
                }
                document.getElementById("template-form").requestSubmit();
            }"""
        )
    page.clock.run_for(2000)  # the preview's time comes while the form is on its way
    page.evaluate("() => document.getElementById('template-form').requestSubmit()")  # and a second press
    held[0].continue_()
    expect(page.locator("#page-template h1")).to_have_text("quick")
    assert (len(held), previews) == (1, [])


def test_template_reaches_two_hosts_and_changes_nothing_the_second_time(clean_lab, no_templates, page):
    open_new(page, "dir")
    fill(page, "name", "templated")
    fill(page, "target_path", "/var/lib/libvirt/templated")
    page.get_by_role("checkbox", name="mercury").check()
    page.get_by_role("checkbox", name="jupiter").check()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#page-template")).to_be_visible()
    apply_everywhere(page)
    expect(page.locator("#run-live .card[data-outcome=done]")).to_have_count(2, timeout=APPLIED_WITHIN_MS)
    page.get_by_role("link", name="Back to the template").click()
    for host in ("mercury", "jupiter"):
        row = page.locator("#template-host-rows tr", has_text=host)
        expect(row).to_have_attribute("data-state", "same", timeout=PATIENCE_MS)
        row.get_by_role("checkbox").check()
    apply_everywhere(page)
    expect(page.locator("#run-live .card[data-outcome=not-needed]")).to_have_count(
        2, timeout=APPLIED_WITHIN_MS
    )
    expect(page.locator("[id^=run-poll-]")).to_have_count(0)


def test_definition_changed_with_virsh_is_found_and_a_double_click_applies_once(
    clean_lab, no_templates, page, product
):
    open_new(page, "dir")
    fill(page, "name", "drifting")
    fill(page, "target_path", "/var/lib/libvirt/drifting")
    page.get_by_role("checkbox", name="mercury").check()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#page-template")).to_be_visible()
    page.get_by_role("button", name="Apply…").click()
    page.locator("#apply-confirm").dblclick()
    expect(page.locator("#run-live .card[data-outcome=done]")).to_have_count(1, timeout=APPLIED_WITHIN_MS)
    assert product.run_python(COUNT_RUNS) == "1"
    page.get_by_role("link", name="Back to the template").click()
    row = page.locator("#template-host-rows tr", has_text="mercury")
    expect(row).to_have_attribute("data-state", "same", timeout=PATIENCE_MS)
    mercury = clean_lab.hosts["mercury"]
    changed = mercury.virsh("pool-dumpxml", "--inactive", "drifting").replace("/drifting<", "/elsewhere<")
    mercury.path("/tmp/changed.xml").write_text(changed)
    mercury.virsh("pool-define", "/tmp/changed.xml")
    page.get_by_role("button", name="Refresh", exact=True).click()
    expect(row).to_have_attribute("data-state", "differs", timeout=PATIENCE_MS)
    expect(row.locator(".drift")).to_contain_text("/var/lib/libvirt/elsewhere")


def apply_everywhere(page: Page) -> None:
    page.get_by_role("button", name="Apply…").click()
    page.locator("#apply-confirm").click()
    expect(page.locator("#page-run")).to_be_visible()


PAGES = (
    "/storage/templates/", "/storage/templates/add/", "/storage/templates/add/?type=netfs",
    "/storage/templates/import/", "/storage/groups/", "/storage/groups/add/",
    "/storage/nfs/?server=nas&folder=/srv/vm&network=10.0.0.0/24&pool=VM&target=/mnt/vm",
)  # fmt: skip


def test_pages_have_no_serious_violation(still_lab, no_templates, page):
    found = {}
    for path in PAGES:
        page.goto(path)
        expect(page.locator("#main h1")).to_be_visible()
        found[path] = violations(page)
    assert {path: bad for path, bad in found.items() if bad} == {}


def test_nfs_walk_ends_in_a_form_that_is_filled_in(still_lab, no_templates, page):
    page.goto("/storage/nfs/")
    page.get_by_label("NFS server").fill("nas.example")
    page.get_by_label("Folder on the server").fill("/srv/two words")
    page.get_by_role("checkbox", name="mercury").check()
    expect(page.locator("#nfs-result")).to_contain_text('"/srv/two words"')
    page.get_by_role("link", name="Make the pool template of it").click()
    expect(page.locator("#id_pool-source_dir")).to_have_value("/srv/two words")
    expect(page.get_by_role("checkbox", name="mercury")).to_be_checked()
    expect(page.locator("#id_xml")).to_have_value(re.compile('<format type="nfs"/>'))


FORGET_GROUPS = "from hosts.models import HostGroup\nHostGroup.objects.all().delete()"


def test_pool_of_a_host_is_imported_and_reaches_a_group(clean_lab, product, no_templates, page):
    """The worker reads the definition; the group's hosts follow."""
    product.run_python(FORGET_GROUPS)
    clean_lab.hosts["mercury"].virsh("pool-define-as", "taken", "dir", "--target", "/var/lib/libvirt/taken")
    page.goto("/hosts/")
    page.locator("#main").get_by_role("button", name=re.compile("Refresh")).first.click()
    page.goto("/storage/groups/")
    page.get_by_role("link", name=re.compile("Add (the first )?group")).click()
    page.get_by_label("Name", exact=True).fill("rack 3 <b>")
    for host in ("mercury", "jupiter"):
        page.get_by_role("checkbox", name=host).check()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#page-groups")).to_contain_text("rack 3 <b>")

    choose_pool_to_import(page, "taken")
    expect(page.locator("#template-form")).to_be_visible()
    expect(page.locator("#id_pool-target_path")).to_have_value("/var/lib/libvirt/taken")
    page.get_by_role("checkbox", name=re.compile("rack 3")).check()
    page.get_by_role("button", name="Save", exact=True).click()
    rows = page.locator("#template-host-rows tr")
    expect(rows).to_have_count(2)
    for host in ("mercury", "jupiter"):
        rows.filter(has_text=host).get_by_role("checkbox").check()
    apply_everywhere(page)
    expect(page.locator("#run-live .card[data-outcome=done]")).to_have_count(2, timeout=APPLIED_WITHIN_MS)
    for host in clean_lab.hosts.values():
        assert "running" in host.virsh("pool-info", "taken")
    product.run_python(FORGET_GROUPS)


def choose_pool_to_import(page: Page, name: str) -> None:
    """The page lists what the hosts have told; a pool defined a moment ago is told within seconds."""
    place = page.locator("#id_place")
    page.goto("/storage/templates/import/")
    expect(place.locator("option", has_text=f"{name} (dir)")).to_have_count(1)
    place.select_option(label=f"{name} (dir)")
    page.locator("#import-host").get_by_role("button", name="Import").click()
