"""Pages of templates over 200 hosts: the database is asked a few times, however many hosts, guests and templates."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from hosts.models import Host, PoolContents, PoolTemplate, StorageOperation, StorageRun, TemplatePlacement
from tests.hosts.views.conftest import make_guest, make_host
from tests.hosts.views.test_template_pages import XML, text_of

MOST = 15  # without the tree and the dock, which every page has
PANE = {"HX-Request": "true"}
MANY = 200


@pytest.fixture
def hosts(db: None) -> list[Host]:
    """Each with the pool, a guest that runs on it, and another definition than the template's."""
    hosts = [make_host(f"host{number:03}") for number in range(MANY)]
    now = timezone.now()
    PoolContents.objects.bulk_create(
        PoolContents(host=host, pool_name="VM", definition_xml=XML.replace("/srv", "/old"), read_at=now)
        for host in hosts
    )
    for host in hosts:
        make_guest(host, f"on-{host.name}")
    return hosts


def place(hosts: list[Host], name: str = "VM", xml: str = XML) -> PoolTemplate:
    template = PoolTemplate.objects.create(name=name, xml=xml)
    TemplatePlacement.objects.bulk_create(TemplatePlacement(template=template, host=host) for host in hosts)
    return template


def test_page_of_a_template(
    person: Any, hosts: list[Host], no_workers: list[Any], django_assert_max_num_queries: Any
) -> None:
    template = place(hosts)
    with django_assert_max_num_queries(MOST):
        page = person.get(reverse("hosts:template", args=[template.pk]), headers=PANE).content.decode()
    assert page.count('data-state="differs"') == MANY
    assert "Running guests use it: on-host123 on host123 (running)" in page


def test_page_of_a_template_whose_hosts_are_to_be_read_rings_once(
    person: Any, hosts: list[Host], no_workers: list[Any], django_assert_max_num_queries: Any
) -> None:
    PoolContents.objects.all().delete()
    template = place(hosts)
    with django_assert_max_num_queries(MOST):
        person.get(reverse("hosts:template", args=[template.pk]), headers=PANE)
    assert [bell[:2] for bell in no_workers] == [("hosts.tasks.read_template_hosts", (template.pk,))]


def test_guests_of_a_template(
    person: Any, hosts: list[Host], no_workers: list[Any], django_assert_max_num_queries: Any
) -> None:
    template = place(hosts)
    with django_assert_max_num_queries(MOST):
        text = text_of(person.get(reverse("hosts:template_guests", args=[template.pk]), headers=PANE))
    assert "Guests that use it 200" in text
    assert "and 150 more" in text


def test_list_of_templates(person: Any, hosts: list[Host], django_assert_max_num_queries: Any) -> None:
    for number in range(10):
        place(hosts, f"pool{number}", XML.replace("VM", f"pool{number}"))
    place(hosts)
    with django_assert_max_num_queries(MOST):
        page = person.get(reverse("hosts:templates"), headers=PANE).content.decode()
    assert page.count('<tr id="template-') == 11


def test_question_about_all_hosts(person: Any, hosts: list[Host], django_assert_max_num_queries: Any) -> None:
    template = place(hosts)
    said = {"hosts": [str(host.pk) for host in hosts]}
    with django_assert_max_num_queries(MOST):
        page = person.post(reverse("hosts:template_ask", args=[template.pk]), said).content.decode()
    assert page.count('name="hosts"') == MANY


def test_question_about_trying_again_on_one_host(
    person: Any, hosts: list[Host], django_assert_max_num_queries: Any
) -> None:
    template = place(hosts)
    run = StorageRun.objects.create(template=template, template_name="VM", asked_by_name="anna")
    operation = StorageOperation.objects.create(
        run=run, host=hosts[7], kind="apply", pool_name="VM", asked_by_name="anna", ended_at=timezone.now(),
        outcome="failed",
    )  # fmt: skip
    with django_assert_max_num_queries(MOST):
        text = text_of(person.get(reverse("hosts:storage_retry", args=[operation.pk])))
    assert "Running guests use it: on-host007" in text


def test_guest_elsewhere_on_the_same_network_storage_is_named(
    person: Any, host: Host, no_workers: list[Any]
) -> None:
    elsewhere = make_host("elsewhere")
    make_guest(elsewhere, "far")
    template = place([host])
    text = text_of(person.get(reverse("hosts:template_guests", args=[template.pk]), headers=PANE))
    assert "far running on elsewhere" in text
