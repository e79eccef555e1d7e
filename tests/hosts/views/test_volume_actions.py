"""Volumes: their page, and what can be done with them."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from hosts.models import Host, StorageOperation
from hosts.services import spool
from tests.hosts.views.conftest import GIB
from tests.hosts.views.storage_rows import contents_of, guest_on, host_with_pool, volume

pytestmark = pytest.mark.usefixtures("bells", "db")
CREATE = {
    "pool": "VM", "name": "new.qcow2", "format": "qcow2", "amount": "8", "unit": "GiB", "preallocation": "off",
    "backing": "", "backing_format": "",
}  # fmt: skip


@pytest.fixture
def host() -> Host:
    host = host_with_pool()
    contents_of(host, "VM", "web.qcow2", "base.qcow2")
    return host


def create(client: Any, host: Host, **said: str) -> Any:
    return client.post(reverse("hosts:volume_create", args=[host.pk]), CREATE | said)


def act(client: Any, host: Host, kind: str, **said: str) -> Any:
    values = {"pool": "VM", "volume": "web.qcow2"} | said
    return client.post(reverse("hosts:volume_action", args=[host.pk, kind]), values)


def ask(client: Any, host: Host, kind: str) -> str:
    address = reverse("hosts:volume_action", args=[host.pk, kind])
    answer = client.get(address, {"pool": "VM", "volume": "web.qcow2"})
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_volume_is_ordered_as_it_was_described(person: Any, host: Host) -> None:
    assert create(person, host, amount="1.5", unit="TiB").status_code == 200
    order = StorageOperation.objects.get()
    assert (order.kind, order.pool_name, order.volume_name) == ("create-volume", "VM", "new.qcow2")
    assert order.arguments_data["capacity_bytes"] == 1536 * GIB
    assert order.arguments_data["format"] == "qcow2"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"name": ""}, "Give it a name"),
        ({"name": "web.qcow2"}, "has a volume of this name already"),
        ({"name": "../web"}, "cannot be the name of a volume"),
        ({"name": " web"}, "cannot be the name of a volume"),
        ({"name": "a\nb"}, "cannot be the name of a volume"),
        ({"name": "ä" * 200}, "more than 255 bytes"),
        ({"amount": ""}, "Give a size"),
        ({"amount": "-1"}, "greater than or equal"),
        ({"amount": "0"}, "greater than or equal"),
        ({"unit": "bytes"}, "Select a valid choice"),
        ({"format": "raw", "preallocation": "metadata"}, "A raw volume has no metadata"),
        ({"format": "raw", "backing": "base.qcow2"}, "A raw volume has no backing file"),
        ({"backing": "nowhere"}, "The pool has no such volume"),
        ({"backing": "/other/base.img"}, "Say its format"),
        ({"backing": "base.qcow2", "preallocation": "full"}, "is not preallocated"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(
    person: Any, host: Host, said: dict[str, str], words: str
) -> None:
    answer = create(person, host, **said)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert StorageOperation.objects.count() == 0


@pytest.mark.parametrize(
    ("backing", "path", "wanted"),
    [("base.qcow2", "/mnt/vm/base.qcow2", "qcow2"), ("/mnt/vm/base.qcow2", "/mnt/vm/base.qcow2", "qcow2")],
)
def test_backing_file_is_a_volume_of_the_pool_or_a_path(
    person: Any, host: Host, backing: str, path: str, wanted: str
) -> None:
    create(person, host, backing=backing)
    arguments = StorageOperation.objects.get().arguments_data
    assert (arguments["backing_path"], arguments["backing_format"]) == (path, wanted)


def test_backing_files_are_offered_as_one_types(person: Any, host: Host) -> None:
    address = reverse("hosts:volume_backing", args=[host.pk])
    page = person.get(address, {"pool": "VM", "backing": "BASE"}).content.decode()
    assert "base.qcow2" in page
    assert "web.qcow2" not in page


def test_pool_of_block_devices_has_no_formats(person: Any) -> None:
    host = host_with_pool(type="logical")
    page = person.get(reverse("hosts:volume_create", args=[host.pk]), {"pool": "VM"}).content.decode()
    assert 'name="format"' not in page
    assert create(person, host).status_code == 200
    assert StorageOperation.objects.get().arguments_data["format"] == ""


def test_virsh_line_follows_what_is_typed_and_orders_nothing(person: Any, host: Host) -> None:
    address = reverse("hosts:volume_create", args=[host.pk])
    line = person.get(address, CREATE | {"name": "it's", "preview": "1"}).content.decode()
    assert "vol-create-as VM &#x27;it&#x27;&quot;&#x27;&quot;&#x27;s&#x27; 8GiB --format qcow2" in line
    assert "SIZE" in person.get(address, CREATE | {"amount": "", "preview": "1"}).content.decode()
    address = reverse("hosts:volume_action", args=[host.pk, "clone-volume"])
    said = {"pool": "VM", "volume": "web.qcow2", "new_name": "b c", "preview": "1"}
    assert "vol-clone web.qcow2 &#x27;b c&#x27; --pool VM" in person.get(address, said).content.decode()
    assert StorageOperation.objects.count() == 0


def test_clone_and_resize_are_ordered(person: Any, host: Host) -> None:
    assert act(person, host, "clone-volume", new_name="copy.qcow2").status_code == 200
    assert StorageOperation.objects.get().arguments_data == {"new_name": "copy.qcow2"}
    StorageOperation.objects.all().delete()
    assert act(person, host, "resize-volume", amount="20", unit="GiB").status_code == 200
    assert StorageOperation.objects.get().arguments_data == {"capacity_bytes": 20 * GIB}


@pytest.mark.parametrize("amount", ["8", "4", "0.5"])
def test_volume_never_gets_smaller(person: Any, host: Host, amount: str) -> None:
    answer = act(person, host, "resize-volume", amount=amount, unit="GiB")
    assert answer.status_code == 422
    assert "only grows" in answer.content.decode()


def test_clone_wants_a_name_that_is_free(person: Any, host: Host) -> None:
    for name in ("", "base.qcow2", "../x"):
        assert act(person, host, "clone-volume", new_name=name).status_code == 422
    assert StorageOperation.objects.count() == 0


def test_wipe_wants_the_name_typed(person: Any, host: Host) -> None:
    for typed in ("", "web", "WEB.QCOW2"):
        answer = act(person, host, "wipe-volume", algorithm="zero", typed=typed)
        assert answer.status_code == 422
        assert "Nothing was wiped" in answer.content.decode()
    assert StorageOperation.objects.count() == 0
    assert act(person, host, "wipe-volume", algorithm="random", typed="web.qcow2").status_code == 200
    assert StorageOperation.objects.get().arguments_data == {"algorithm": "random"}


@pytest.mark.parametrize("kind", ["delete-volume", "wipe-volume"])
@pytest.mark.parametrize("state", ["running", "shut off"])
def test_used_volume_is_not_destroyed_and_its_guests_are_named(
    person: Any, host: Host, kind: str, state: str
) -> None:
    guest = guest_on(host, "/mnt/vm/web.qcow2", "<b>web07", state)
    page = ask(person, host, kind)
    assert "&lt;b&gt;web07" in page
    assert "<b>web07" not in page
    assert reverse("hosts:guest", args=[guest.pk]) in page
    assert 'id="storage-confirm"' not in page
    assert act(person, host, kind, algorithm="zero", typed="web.qcow2").status_code == 422
    assert StorageOperation.objects.count() == 0


def test_layer_below_another_volume_is_not_deleted(person: Any, host: Host) -> None:
    volume(host.pool_contents.get(), "top.qcow2", backing_path="/mnt/vm/web.qcow2")
    assert "top.qcow2" in ask(person, host, "delete-volume")
    assert act(person, host, "delete-volume").status_code == 422


def test_unused_volume_is_deleted(person: Any, host: Host) -> None:
    assert act(person, host, "delete-volume").status_code == 200
    assert StorageOperation.objects.get().kind == "delete-volume"


def test_download_of_a_volume_in_use_is_warned_of(person: Any, host: Host) -> None:
    guest_on(host, "/mnt/vm/web.qcow2")
    page = ask(person, host, "download-volume")
    assert "A running guest uses it" in page
    assert 'id="storage-confirm"' in page


def test_volume_nobody_knows_is_not_found(person: Any, host: Host) -> None:
    assert act(person, host, "delete-volume", volume="nothing").status_code == 404
    address = reverse("hosts:volume", args=[host.pk])
    assert person.get(address, {"pool": "VM", "volume": "nothing"}).status_code == 404
    assert person.get(address).status_code == 404


def test_page_shows_chain_both_ways_guests_and_the_line_for_a_new_guest(person: Any, host: Host) -> None:
    contents = host.pool_contents.get()
    volume(contents, "middle.qcow2", backing_path="base.qcow2")
    volume(contents, "top.qcow2", backing_path="/mnt/vm/middle.qcow2")
    address = reverse("hosts:volume", args=[host.pk])
    page = person.get(address, {"pool": "VM", "volume": "middle.qcow2"}).content.decode()
    chain = page[page.index('class="chain"') :]
    assert chain.index("top.qcow2") < chain.index("middle.qcow2</b>") < chain.index("base.qcow2")
    assert "virt-install" not in page
    page = person.get(address, {"pool": "VM", "volume": "top.qcow2"}).content.decode()
    assert "virt-install" in page
    assert "cache=none" in page
    guest_on(host, "/mnt/vm/top.qcow2", "web09")
    page = person.get(address, {"pool": "VM", "volume": "top.qcow2"}).content.decode()
    assert "web09" in page
    assert "virt-install" not in page


def test_finished_download_is_offered_to_its_owner_only(
    person: Any, host: Host, settings: Any, tmp_path: Any, django_user_model: Any
) -> None:
    settings.SPOOL_DIR = tmp_path / "spool"
    anna = django_user_model.objects.get(username="anna")
    act(person, host, "download-volume")
    order = StorageOperation.objects.get()
    token = spool.create(anna.pk, "web 😀.qcow2", 10)
    spool.append(token, anna.pk, 0, [b"0123456789"])
    StorageOperation.objects.update(
        outcome="done", ended_at=order.asked_at, sentence="Ready.", arguments_data={"spool": token}
    )
    address = reverse("hosts:spool_fetch", args=[token])
    assert address in person.get(reverse("hosts:operation", args=[order.pk])).content.decode()
    answer = person.get(address)
    assert b"".join(answer.streaming_content) == b"0123456789"
    assert "attachment" in answer.headers["Content-Disposition"]
    assert answer.headers["Content-Length"] == "10"
    part = person.get(address, headers={"Range": "bytes=4-"})
    assert (part.status_code, b"".join(part.streaming_content)) == (206, b"456789")
    assert part.headers["Content-Range"] == "bytes 4-9/10"
    assert person.get(address, headers={"Range": "bytes=10-"}).status_code == 416
    person.force_login(django_user_model.objects.create_user("bert"))
    assert person.get(address).status_code == 404
    assert address not in person.get(reverse("hosts:operation", args=[order.pk])).content.decode()
