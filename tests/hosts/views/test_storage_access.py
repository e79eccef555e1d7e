"""The pages of storage against people who mean harm: links, forms of other sites, names that are paths, hostile XML."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from hosts.models import AuditEntry, Host, HostGroup, PoolTemplate, StorageOperation, StorageRun, Volume
from hosts.urls import urlpatterns
from tests.hosts.views.storage_rows import contents_of, host_with_pool, volume
from tests.hosts.views.test_template_forms import FORM
from tests.hosts.views.test_template_pages import XML, text_of

PATHS = ("../../etc/passwd", "/etc/passwd", "a/../../b", "x" * 5000, "a\nb", "a\x00b")
NAMES = [str(pattern.name) for pattern in urlpatterns if str(pattern.pattern).startswith("storage/")]
ENTITIES = "".join(f'<!ENTITY {new} "{f"&{old};" * 10}">' for old, new in itertools.pairwise("abcdefghij"))
BOMB = f'<!DOCTYPE p [<!ENTITY a "lol">{ENTITIES}]><pool type="dir"><name>&j;</name></pool>'
OUTSIDE = (
    '<!DOCTYPE p [<!ENTITY f SYSTEM "file:///etc/passwd">]><pool type="dir"><name>VM</name>'
    "<target><path>&f;</path></target></pool>"
)
INCLUDED = (
    '<pool type="dir" xmlns:xi="http://www.w3.org/2001/XInclude"><name>VM</name><target><path>/srv/vm</path>'
    '<xi:include href="file:///etc/passwd" parse="text"/></target></pool>'
)


@pytest.fixture
def host(db: None) -> Host:
    """With one of everything that an address may name, all of the same key."""
    host = host_with_pool()
    contents = contents_of(host)
    volume(contents, "web.qcow2", pk=host.pk)
    template = PoolTemplate.objects.create(pk=host.pk, name="VM", xml=XML)
    template.placements.create(host=host)
    HostGroup.objects.create(pk=host.pk, name="rack 3")
    run = StorageRun.objects.create(pk=host.pk, template=template, template_name="VM", asked_by_name="anna")
    StorageOperation.objects.create(
        pk=host.pk, run=run, host=host, kind="apply", pool_name="VM", asked_by_name="anna", outcome="failed",
        ended_at=timezone.now(),
    )  # fmt: skip
    return host


def address_of(name: str, host: Host) -> str:
    converters = next(item for item in urlpatterns if item.name == name).pattern.converters
    values = {"pk": host.pk, "name": "VM", "kind": "stop", "token": "0" * 32}
    return reverse(f"hosts:{name}", kwargs={key: values[key] for key in converters})


def stored() -> list[Any]:
    """All that a person can change or order here."""
    kinds = (Host, HostGroup, PoolTemplate, StorageRun, StorageOperation, Volume, AuditEntry)
    return [list(kind.objects.order_by("pk").values_list()) for kind in kinds]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_changed_or_ordered_by_following_a_link(
    person: Any, host: Host, no_workers: list[Any], name: str
) -> None:
    before = stored()
    answer = person.get(
        address_of(name, host), {"pool": "VM", "volume": "web.qcow2", "dry": "1", "hosts": host.pk}
    )
    assert answer.status_code < 500
    assert stored() == before
    assert not [bell for bell in no_workers if "operation" in bell[0]]


@pytest.mark.parametrize("name", NAMES)
def test_form_of_another_site_is_refused(host: Host, django_user_model: Any, name: str) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(django_user_model.objects.create_user("ben"))
    before = stored()
    said = {"pool": "VM", "volume": "web.qcow2", "hosts": host.pk, "confirmed": "VM"}
    assert strict.post(address_of(name, host), said).status_code == 403
    assert stored() == before


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kind", ["start", "stop", "delete-pool", "undefine", "refresh"])
def test_pool_name_that_is_a_path_orders_nothing(
    person: Any, host: Host, no_workers: list[Any], kind: str, path: str
) -> None:
    answer = person.post(
        reverse("hosts:pool_action", args=[host.pk, kind]), {"pool": path, "confirmed": path}
    )
    assert answer.status_code in {404, 422}
    assert not StorageOperation.objects.filter(ended_at=None).exists()


@pytest.mark.parametrize("path", [path for path in PATHS if "\n" not in path])
def test_page_of_a_pool_whose_name_is_a_path_is_not_found(person: Any, host: Host, path: str) -> None:
    for address in ("hosts:pool_menu", "hosts:pool_operations", "hosts:volume", "hosts:volume_menu"):
        said = {"pool": path, "volume": path, "name": path}
        assert person.get(reverse(address, args=[host.pk]), said).status_code in {200, 400, 404}, address
    assert person.get(reverse("hosts:pool", args=[host.pk, path])).status_code == 404
    answer = person.get(reverse("hosts:pool_compare", args=[path]))
    assert answer.status_code in {200, 404}
    assert "root:x:0" not in answer.content.decode()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "kind", ["delete-volume", "wipe-volume", "clone-volume", "resize-volume", "download-volume"]
)
def test_volume_name_that_is_a_path_orders_nothing(
    person: Any, host: Host, no_workers: list[Any], kind: str, path: str
) -> None:
    said = {"pool": "VM", "volume": path, "name": path, "confirmed": path, "amount": "9", "unit": "GiB"}
    answer = person.post(reverse("hosts:volume_action", args=[host.pk, kind]), said)
    assert answer.status_code in {404, 422}
    assert not StorageOperation.objects.filter(ended_at=None).exists()


@pytest.mark.parametrize("text", [BOMB, OUTSIDE, INCLUDED])
@pytest.mark.parametrize("way", ["paste", "file"])
def test_hostile_xml_is_not_followed_when_it_is_imported(
    person: Any, host: Host, way: str, text: str
) -> None:
    said: dict[str, Any] = {"way": way, "pasted": text}
    if way == "file":
        said["file"] = SimpleUploadedFile("vm.xml", text.encode())
    answer = person.post(reverse("hosts:template_import"), said)
    assert answer.status_code in {200, 422}
    assert "root:x:0" not in answer.content.decode()
    assert len(answer.content) < 400_000
    if text is not INCLUDED:
        assert "document type definition" in text_of(answer)


@pytest.mark.parametrize("name", ["../VM", "/etc", "x" * 251, "a\nb", "😀" * 100])
def test_template_whose_name_cannot_be_a_file_is_not_saved(person: Any, host: Host, name: str) -> None:
    answer = person.post(reverse("hosts:template_add"), FORM | {"pool-name": name})
    assert answer.status_code == 422
    assert PoolTemplate.objects.count() == 1


@pytest.mark.parametrize("path", ["/mnt/../etc", "/etc", "/", "mnt/vm", "/proc/self", "/mnt/" + "x" * 5000])
def test_template_with_a_path_of_the_system_is_not_saved(person: Any, host: Host, path: str) -> None:
    answer = person.post(
        reverse("hosts:template_add"), FORM | {"pool-name": "other", "pool-target_path": path}
    )
    assert answer.status_code == 422
    assert PoolTemplate.objects.count() == 1


@pytest.mark.parametrize(
    "token", ["../../etc/passwd", "..", "0" * 32, "0" * 5000, "%2e%2e", "a\x00b", "A" * 32]
)
def test_token_that_nobody_was_given_opens_nothing(person: Any, host: Host, token: str) -> None:
    for name in ("spool", "spool_fetch"):
        address = f"/storage/spool/{token}/{'file/' if name == 'spool_fetch' else ''}"
        assert person.get(address).status_code == 404
        assert person.delete(address).status_code in {404, 405}
        assert person.put(f"{address}?offset=0", b"x").status_code in {404, 405}
    said = {"spool": token, "pool": "VM", "volume": "new.img", "create": "1"}
    assert person.post(reverse("hosts:volume_uploaded", args=[host.pk]), said).status_code == 422
    assert StorageOperation.objects.count() == 1


def test_long_names_of_groups_and_notes_are_refused_not_cut(person: Any, host: Host) -> None:
    assert person.post(reverse("hosts:group_add"), {"name": "x" * 64}).status_code == 422
    answer = person.post(reverse("hosts:template_add"), FORM | {"pool-name": "other", "note": "x" * 501})
    assert answer.status_code == 422
    assert (HostGroup.objects.count(), PoolTemplate.objects.count()) == (1, 1)
