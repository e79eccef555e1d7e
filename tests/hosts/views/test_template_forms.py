"""The form of a pool template, the XML beside it, and importing what exists."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from hosts.models import AuditEntry, Host, HostGroup, PoolContents, PoolTemplate
from tests.hosts.views.conftest import make_host
from tests.hosts.views.test_template_pages import XML, make_template, store_definition, text_of

FORM = {
    "type": "netfs", "typed": "form", "side": "form", "shown_type": "netfs", "xml": "", "version": "0",
    "pool-name": "VM", "pool-hosts": "10.0.0.5", "pool-source_dir": "/srv/vm", "pool-source_format": "nfs",
    "pool-target_path": "/mnt/vm", "autostart": "on",
}  # fmt: skip
UNKNOWN = XML.replace("<target>", '<x:extra xmlns:x="urn:x" kept="yes"/>\n  <target>')


def xml_of(response: Any) -> str:
    found = re.search(r'<textarea[^>]*name="xml"[^>]*>\n(.*?)</textarea>', response.content.decode(), re.S)
    assert found
    return unescape(found[1])


def preview(person: Any, **changes: Any) -> Any:
    return person.post(reverse("hosts:template_preview"), FORM | changes)


def test_every_type_has_a_form(person: Any, host: Host) -> None:
    page = person.get(reverse("hosts:template_add")).content.decode()
    types = re.findall(r'href="\?type=([a-z-]+)"', page)
    assert {"dir", "fs", "netfs", "iscsi", "iscsi-direct", "logical", "rbd", "disk", "zfs"} <= set(types)
    for kind in types:
        form = person.get(reverse("hosts:template_add"), {"type": kind})
        assert f'<pool type="{kind}"' in xml_of(form)


def test_xml_follows_the_form(person: Any, host: Host) -> None:
    answer = preview(person, **{"pool-hosts": "nas.example", "pool-mode": "0770", "pool-owner": "107"})
    xml = xml_of(answer)
    assert '<host name="nas.example"/>' in xml
    assert "<owner>107</owner>" in xml


def test_elements_the_form_does_not_know_are_kept(person: Any, host: Host) -> None:
    assert 'kept="yes"' in xml_of(preview(person, xml=UNKNOWN, **{"pool-source_dir": "/srv/other"}))


def test_form_follows_the_xml(person: Any, host: Host) -> None:
    changed = XML.replace("/srv/vm", "/srv/by-hand")
    answer = preview(person, typed="xml", side="xml", xml=changed).content.decode()
    assert 'value="/srv/by-hand"' in answer
    assert "<textarea" not in answer.split('hx-target="#template-fields"')[1].split("</hx-partial>")[
        0
    ].replace('<textarea name="pool-', "")


def test_broken_xml_is_said_and_what_was_typed_stays(person: Any, host: Host) -> None:
    answer = preview(person, typed="xml", side="form", xml="<pool><name>VM")
    assert "not well-formed" in text_of(answer)
    assert xml_of(answer) == "<pool><name>VM"
    assert 'value="xml" checked' in answer.content.decode()


def test_document_type_definition_is_refused(person: Any, host: Host) -> None:
    bomb = '<!DOCTYPE p [<!ENTITY a "aaaa">]><pool type="dir"><name>&a;</name></pool>'
    assert "document type definition" in text_of(preview(person, typed="xml", side="xml", xml=bomb))


def test_secret_never_comes_back(person: Any, host: Host) -> None:
    iscsi = FORM | {
        "type": "iscsi", "pool-hosts": "san", "pool-target_iqn": "iqn.2013-06.com.example:vm",
        "chap_password": "hush-hush",
        "pool-target_path": "/dev/disk/by-path", "pool-auth_username": "vm", "pool-secret_usage": "vm-san",
        "hosts": [host.pk],
    }  # fmt: skip
    answer = person.post(reverse("hosts:template_add"), iscsi)
    template = PoolTemplate.objects.get()
    assert answer.status_code == 302
    assert template.secrets == {"chap_password": "hush-hush"}
    for address in (
        reverse("hosts:template", args=[template.pk]),
        reverse("hosts:template_edit", args=[template.pk]),
    ):
        assert "hush-hush" not in person.get(address).content.decode()
    assert "stored" in text_of(person.get(reverse("hosts:template_edit", args=[template.pk])))
    assert "hush-hush" not in str(AuditEntry.objects.get().after_data)
    kept = iscsi | {
        "chap_password": "",
        "version": "1",
        "xml": template.xml,
        "pool-target_path": "/dev/disk/by-id",
    }
    person.post(reverse("hosts:template_edit", args=[template.pk]), kept)
    template.refresh_from_db()
    assert template.version == 2
    assert template.secrets == {"chap_password": "hush-hush"}
    person.post(
        reverse("hosts:template_edit", args=[template.pk]), kept | {"version": "2", "clear": "chap_password"}
    )
    template.refresh_from_db()
    assert template.secrets == {}


def test_template_is_saved_with_its_hosts_and_groups(person: Any, host: Host) -> None:
    group = HostGroup.objects.create(name="rack 3")
    answer = person.post(reverse("hosts:template_add"), FORM | {"hosts": [host.pk], "groups": [group.pk]})
    template = PoolTemplate.objects.get()
    assert answer.headers["Location"] == reverse("hosts:template", args=[template.pk])
    assert (template.name, template.autostart, template.changed_by_name) == ("VM", True, "anna")
    assert [item.host for item in template.placements.all()] == [host]
    assert list(template.groups.all()) == [group]
    assert AuditEntry.objects.get().action == "template.add"


@pytest.mark.parametrize(
    ("changes", "field"), [({"pool-name": ""}, "name"), ({"pool-target_path": "mnt"}, "target_path"),
                           ({"pool-hosts": ""}, "hosts"), ({"pool-mode": "0999"}, "mode")]
)  # fmt: skip
def test_mistake_is_said_beside_its_field(
    person: Any, host: Host, changes: dict[str, str], field: str
) -> None:
    answer = person.post(reverse("hosts:template_add"), FORM | changes)
    assert answer.status_code == 422
    assert not PoolTemplate.objects.exists()
    error = re.search(rf'<div id="id_pool-{field}_error">(.*?)</div>', answer.content.decode(), re.S)
    assert error
    assert "field-error" in error[1]


def test_name_of_another_template_is_refused(person: Any, host: Host) -> None:
    make_template(host)
    answer = person.post(reverse("hosts:template_add"), FORM)
    assert answer.status_code == 422
    assert "Another template has this name" in text_of(answer)


def test_of_two_who_edit_at_once_the_second_is_told_and_loses_nothing(person: Any, host: Host) -> None:
    template = make_template(host)
    address = reverse("hosts:template_edit", args=[template.pk])
    PoolTemplate.objects.update(version=2, changed_by_name="ben", xml=XML.replace("/srv/vm", "/srv/bens"))
    mine = FORM | {"version": "1", "pool-source_dir": "/srv/mine", "xml": XML, "hosts": [host.pk]}
    answer = person.post(address, mine)
    assert answer.status_code == 422
    assert "ben changed this template" in text_of(answer)
    assert "/srv/bens" in text_of(answer)
    assert "/srv/mine" in xml_of(answer)
    assert 'name="version" value="2"' in answer.content.decode()
    assert "/srv/bens" in PoolTemplate.objects.get().xml
    person.post(address, mine | {"version": "2"})
    assert "/srv/mine" in PoolTemplate.objects.get().xml


def test_values_of_hosts_are_asked_for_only_when_the_xml_uses_them(person: Any, host: Host) -> None:
    other = make_host("jupiter")
    group = HostGroup.objects.create(name="rack 3")
    group.hosts.add(other)
    ticked = {"hosts": [host.pk], "groups": [group.pk]}
    assert f'name="path-{host.pk}"' not in preview(person, **ticked).content.decode()
    with_path = ticked | {"pool-target_path": "{{ host.path }}"}
    answer = preview(person, **with_path).content.decode()
    assert f'name="path-{host.pk}"' in answer
    assert f'name="path-{other.pk}"' in answer
    assert "device-" not in answer
    values = {f"path-{host.pk}": "/srv/a", f"path-{other.pk}": "/srv/b"}
    assert person.post(reverse("hosts:template_add"), FORM | with_path | values).status_code == 302
    stored = {
        item.host.name: (item.path, item.chosen) for item in PoolTemplate.objects.get().placements.all()
    }
    assert stored == {"mercury": ("/srv/a", True), "jupiter": ("/srv/b", False)}


def test_copy_has_another_name_and_no_secret(person: Any, host: Host) -> None:
    template = make_template(host, secrets={"chap_password": "hush-hush"})
    page = person.get(reverse("hosts:template_add"), {"copy": template.pk})
    assert "<name>VM copy</name>" in xml_of(page)
    assert "hush-hush" not in page.content.decode()
    assert f'value="{host.pk}" checked' in page.content.decode()


def test_pasted_xml_is_imported_without_what_belongs_to_one_host(person: Any, host: Host) -> None:
    pasted = UNKNOWN.replace(
        "<name>", "<uuid>5d5a6d0a-0b1c-4d2e-8f3a-9b4c5d6e7f80</uuid><capacity unit='bytes'>1</capacity><name>"
    )
    xml = xml_of(person.post(reverse("hosts:template_import"), {"way": "paste", "pasted": pasted}))
    assert "uuid" not in xml
    assert "capacity" not in xml
    assert 'kept="yes"' in xml
    assert not PoolTemplate.objects.exists()


def test_file_is_imported_and_a_large_one_refused(person: Any, host: Host) -> None:
    address = reverse("hosts:template_import")
    small = SimpleUploadedFile("vm.xml", XML.encode())
    assert "/srv/vm" in xml_of(person.post(address, {"way": "file", "file": small}))
    large = SimpleUploadedFile("vm.xml", b"x" * (256 * 1024 + 1))
    answer = person.post(address, {"way": "file", "file": large})
    assert answer.status_code == 422
    assert "larger than 256 KiB" in text_of(answer)
    binary = SimpleUploadedFile("vm.xml", b"\xff\xfe\x00")
    assert "not text in UTF-8" in text_of(person.post(address, {"way": "file", "file": binary}))


def test_nothing_pasted_is_explained(person: Any, host: Host) -> None:
    answer = person.post(reverse("hosts:template_import"), {"way": "paste", "pasted": " "})
    assert answer.status_code == 422
    assert "virsh pool-dumpxml" in text_of(answer)


def test_pool_of_a_host_is_imported_from_what_was_read(person: Any, host: Host) -> None:
    store_definition(host, XML)
    answer = person.post(reverse("hosts:template_import"), {"way": "host", "place": f"{host.pk}:VM"})
    assert "/srv/vm" in xml_of(answer)
    assert "VM on mercury" in text_of(answer)


def test_pool_that_was_not_read_is_asked_for_and_waited_for(
    person: Any, host: Host, no_workers: list[Any]
) -> None:
    address = reverse("hosts:template_import_pool", args=[host.pk])
    waiting = person.get(address, {"pool": "VM"}).content.decode()
    assert "Reading the definition of VM on mercury" in waiting
    assert "load delay:1s" in waiting
    PoolContents.objects.update(error="mercury does not answer.", read_at=timezone.now())
    assert "mercury does not answer." in text_of(person.get(address, {"pool": "VM"}))


def test_type_the_form_does_not_know_is_edited_as_xml_and_its_mistakes_are_said(
    person: Any, host: Host
) -> None:
    vstorage = "<pool type='vstorage'><name>a/b</name><source><name>cluster</name></source></pool>"
    shown = preview(person, typed="xml", side="form", xml=vstorage).content.decode()
    assert 'value="xml" checked' in shown
    answer = person.post(
        reverse("hosts:template_add"), FORM | {"typed": "xml", "side": "xml", "xml": vstorage}
    )
    assert answer.status_code == 422
    assert "vstorage" in text_of(answer)
