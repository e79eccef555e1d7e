"""Pages of pool templates, host groups and runs, with rows as the workers write them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from hosts.facts.codec import to_data
from hosts.models import (
    Contact,
    Host,
    HostGroup,
    OperationOutcome,
    PoolContents,
    PoolTemplate,
    StorageOperation,
    StorageRun,
)
from tests.hosts.views.conftest import host_facts, make_guest, make_host, pool

XML = """<pool type="netfs">
  <name>VM</name>
  <source>
    <host name="10.0.0.5"/>
    <dir path="/srv/vm"/>
    <format type="nfs"/>
  </source>
  <target>
    <path>/mnt/vm</path>
  </target>
</pool>
"""
HOSTILE = "<img src=x onerror=alert(1)>"


def make_template(*hosts: Host, name: str = "VM", xml: str = XML, **values: Any) -> PoolTemplate:
    template = PoolTemplate.objects.create(name=name, xml=xml, **values)
    for host in hosts:
        template.placements.create(host=host)
    return template


def store_definition(host: Host, xml: str, name: str = "VM") -> PoolContents:
    now = timezone.now()
    return PoolContents.objects.create(
        host=host, pool_name=name, definition_xml=xml, asked_at=now, read_at=now
    )


def text_of(response: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", response.content.decode()))


def test_empty_list_teaches_what_a_template_is_for(person: Any, host: Host) -> None:
    page = person.get(reverse("hosts:templates")).content.decode()
    assert 'id="no-templates"' in page
    assert reverse("hosts:template_import") in page
    assert reverse("hosts:nfs_export") in page


def test_list_counts_hosts_by_state(person: Any, host: Host) -> None:
    without = make_host("jupiter", facts_data=to_data(host_facts((pool("other"),))))
    differing = make_host("saturn")
    store_definition(host, XML)
    store_definition(differing, XML.replace("10.0.0.5", "10.0.0.6"))
    make_template(host, without, differing)
    row = re.search(
        r'<tr id="template-.*?</tr>', person.get(reverse("hosts:templates")).content.decode(), re.S
    )
    assert row
    numbers = re.findall(r'class="num">(.*?)</td>', row[0], re.S)
    figures = [re.sub(r"<[^>]*>", "", cell).strip() for cell in numbers]
    assert figures == ["1 / 3", "1", "1", "0"]


def test_page_shows_what_is_wanted_and_what_is_there(person: Any, host: Host) -> None:
    store_definition(host, XML.replace("10.0.0.5", "10.0.0.6"))
    make_guest(host)
    template = make_template(host)
    page = person.get(reverse("hosts:template", args=[template.pk]))
    text = text_of(page)
    assert "10.0.0.5" in text
    assert "10.0.0.6" in text
    assert "differs" in text
    assert 'data-state="differs"' in page.content.decode()


def test_names_are_never_written_as_markup(person: Any, host: Host) -> None:
    evil = make_host(HOSTILE)
    template = make_template(
        evil, name=HOSTILE, xml=XML.replace("VM", "&lt;img src=x onerror=alert(1)>"), note=HOSTILE
    )
    group = HostGroup.objects.create(name=HOSTILE)
    group.hosts.add(evil)
    for address in (
        reverse("hosts:templates"), reverse("hosts:template", args=[template.pk]), reverse("hosts:groups"),
        reverse("hosts:template_edit", args=[template.pk]), reverse("hosts:group_edit", args=[group.pk]),
        reverse("hosts:template_delete", args=[template.pk]), reverse("hosts:nfs_export"),
        reverse("hosts:group_delete", args=[group.pk]),
    ):  # fmt: skip
        answer = person.get(address)
        assert answer.status_code == 200, address
        assert HOSTILE not in answer.content.decode(), address


def test_chosen_hosts_stay_ticked_when_the_page_is_drawn_anew(person: Any, host: Host) -> None:
    other = make_host("jupiter")
    template = make_template(host, other)
    address = reverse("hosts:template", args=[template.pk])
    page = person.get(address, {"shown": "1", "hosts": other.pk}).content.decode()
    boxes = re.findall(r'name="hosts" value="(\d+)"[^>]*?( checked)?>', page)
    assert boxes == [(str(other.pk), " checked"), (str(host.pk), "")]


def test_dry_run_is_ordered_for_the_chosen_hosts_only(person: Any, host: Host, no_workers: list[Any]) -> None:
    other = make_host("jupiter")
    template = make_template(host, other)
    answer = person.post(
        reverse("hosts:template_apply", args=[template.pk]), {"dry": "1", "hosts": [other.pk], "version": "1"}
    )
    run = StorageRun.objects.get()
    assert run.dry
    assert [item.host for item in run.operations.all()] == [other]
    assert reverse("hosts:storage_run", args=[run.pk]) in answer.headers["HX-Location"]


def stopping_template(host: Host) -> PoolTemplate:
    """One whose pool is there, differs and is used by a running guest."""
    store_definition(host, XML.replace("10.0.0.5", "10.0.0.6"))
    make_guest(host)
    return make_template(host)


def test_used_pool_is_stopped_only_when_its_name_is_typed(
    person: Any, host: Host, no_workers: list[Any]
) -> None:
    template = stopping_template(host)
    wish = {"hosts": [host.pk], "version": "1"}
    asked = person.post(reverse("hosts:template_ask", args=[template.pk]), wish).content.decode()
    assert 'name="confirmed"' in asked
    assert "web01" in asked
    refused = person.post(reverse("hosts:template_apply", args=[template.pk]), wish | {"confirmed": "vm"})
    assert refused.status_code == 422
    assert not StorageRun.objects.exists()
    person.post(reverse("hosts:template_apply", args=[template.pk]), wish | {"confirmed": "VM"})
    assert StorageOperation.objects.get().arguments_data["confirmed"] == "VM"


def test_apply_asks_again_when_the_template_was_changed_meanwhile(
    person: Any, host: Host, no_workers: list[Any]
) -> None:
    template = make_template(host, version=2, changed_by_name="ben")
    answer = person.post(
        reverse("hosts:template_apply", args=[template.pk]), {"hosts": [host.pk], "version": "1"}
    )
    assert "changed meanwhile by ben" in text_of(answer)
    assert not StorageRun.objects.exists()


def test_apply_without_a_host_says_so(person: Any, host: Host) -> None:
    template = make_template(host)
    answer = person.post(reverse("hosts:template_ask", args=[template.pk]), {"version": "1"})
    assert "No host is chosen" in text_of(answer)


def make_run(template: PoolTemplate, *outcomes: tuple[Host, str]) -> StorageRun:
    run = StorageRun.objects.create(
        template=template, template_name=template.name, template_version=1, asked_by_name="anna"
    )
    for host, outcome in outcomes:
        StorageOperation.objects.create(
            run=run, host=host, kind="apply", pool_name=template.name, asked_by_name="anna", outcome=outcome,
            ended_at=timezone.now() if outcome else None, sentence="libvirt refused it." if outcome else "",
            libvirt_text="internal error: <oops>" if outcome == "failed" else "", advice="Look at the server.",
            steps_data=[{"step": "define", "state": "ok", "words": "defined"}],
        )  # fmt: skip
    return run


def test_run_asks_for_itself_only_while_something_is_under_way(person: Any, host: Host) -> None:
    template = make_template(host)
    run = make_run(template, (host, ""))
    address = reverse("hosts:storage_run_live", args=[run.pk])
    assert "run-poll-" in person.get(address).content.decode()
    run.operations.update(ended_at=timezone.now(), outcome=OperationOutcome.DONE)
    assert "run-poll-" not in person.get(address).content.decode()


def test_run_says_libvirts_words_and_offers_the_host_again(person: Any, host: Host) -> None:
    other = make_host("jupiter")
    run = make_run(make_template(host, other), (host, "failed"), (other, "done"))
    page = person.get(reverse("hosts:storage_run", args=[run.pk])).content.decode()
    assert "internal error: &lt;oops&gt;" in page
    assert "Look at the server." in page
    assert page.count("Retry mercury") == 1
    assert "Retry jupiter" not in page


def test_retry_is_another_order_of_the_same_run_and_takes_the_place_of_the_old(
    person: Any, host: Host, no_workers: list[Any]
) -> None:
    run = make_run(make_template(host), (host, "failed"))
    old = run.operations.get()
    person.post(reverse("hosts:storage_retry", args=[old.pk]), {})
    assert run.operations.count() == 2
    page = person.get(reverse("hosts:storage_run", args=[run.pk])).content.decode()
    assert page.count('id="run-host-') == 1
    assert "1 under way" in page


def test_retry_after_the_template_was_deleted_is_explained(person: Any, host: Host) -> None:
    run = make_run(make_template(host), (host, "failed"))
    PoolTemplate.objects.all().delete()
    operation = run.operations.get()
    assert "was deleted" in text_of(person.get(reverse("hosts:storage_retry", args=[operation.pk])))
    assert person.post(reverse("hosts:storage_retry", args=[operation.pk])).status_code == 422
    assert person.get(reverse("hosts:storage_run", args=[run.pk])).status_code == 200


@pytest.mark.parametrize("only", ["", "trouble"])
def test_run_over_200_hosts_asks_the_database_a_few_times_only(
    person: Any, db: None, django_assert_max_num_queries: Any, only: str
) -> None:
    hosts = [make_host(f"host{number:03}", contact=Contact.SILENT) for number in range(200)]
    run = make_run(make_template(*hosts), *((host, "unknown") for host in hosts))
    with django_assert_max_num_queries(40):
        page = person.get(reverse("hosts:storage_run", args=[run.pk]), {"only": only})
    assert page.content.decode().count('id="run-host-') == 200


def test_deleting_a_template_says_that_pools_stay(person: Any, host: Host) -> None:
    store_definition(host, XML)
    template = make_template(host)
    address = reverse("hosts:template_delete", args=[template.pk])
    assert "The pool stays on the 1 host that has it" in text_of(person.get(address))
    person.post(address)
    assert not PoolTemplate.objects.exists()


def test_group_is_made_renamed_and_deleted(person: Any, host: Host) -> None:
    person.post(reverse("hosts:group_add"), {"name": "rack 3", "hosts": [host.pk]})
    group = HostGroup.objects.get()
    assert list(group.hosts.all()) == [host]
    person.post(reverse("hosts:group_edit", args=[group.pk]), {"name": "rack 4 💾", "hosts": []})
    group.refresh_from_db()
    assert group.name == "rack 4 💾"
    assert not group.hosts.exists()
    person.post(reverse("hosts:group_delete", args=[group.pk]))
    assert not HostGroup.objects.exists()


def test_second_group_of_a_name_is_refused_beside_the_field(person: Any, host: Host) -> None:
    HostGroup.objects.create(name="rack 3")
    answer = person.post(reverse("hosts:group_add"), {"name": "rack 3", "hosts": [host.pk]})
    assert answer.status_code == 422
    assert "Another group has this name" in text_of(answer)
    assert "checked" in answer.content.decode()


def test_nfs_walk_makes_the_line_and_opens_the_form_filled_in(person: Any, host: Host) -> None:
    given = {"server": "nas", "folder": "/srv/two words", "network": "10.0.0.0/24", "hosts": [host.pk], "pool": "VM",
             "target": "/mnt/vm"}  # fmt: skip
    page = person.get(reverse("hosts:nfs_export"), given).content.decode()
    assert "&quot;/srv/two words&quot; 10.0.0.0/24(rw,sync" in page
    link = re.search(r'id="nfs-template" href="([^"]*)"', page)
    assert link
    form = person.get(link[1].replace("&amp;", "&")).content.decode()
    assert 'value="/srv/two words"' in form
    assert "&lt;format type=&quot;nfs&quot;/&gt;" in form
    assert re.search(rf'name="hosts" value="{host.pk}" checked', form)


def test_nfs_walk_says_what_is_wrong_in_words(person: Any, host: Host) -> None:
    given = {"server": "nas", "folder": "srv", "network": "*", "pool": "VM", "target": "/mnt/vm"}
    assert "whole path" in text_of(person.get(reverse("hosts:nfs_export"), given))
