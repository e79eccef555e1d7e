"""What can be done with a pool: asked first, said with its consequence, ordered once."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from hosts.models import Host, StorageOperation
from hosts.services.storage_kinds import OperationKind
from hosts.views.pool_actions import ACTIONS
from hosts.views.virsh_lines import size_word, virsh_lines
from tests.hosts.views.storage_rows import contents_of, guest_on, host_with_pool

pytestmark = pytest.mark.usefixtures("bells", "db")
K = OperationKind


def ask(client: Any, host: Host, kind: str, pool: str = "VM") -> str:
    answer = client.get(reverse("hosts:pool_action", args=[host.pk, kind]), {"pool": pool})
    assert answer.status_code == 200
    return str(answer.content.decode())


def post(client: Any, host: Host, kind: str, **said: str) -> Any:
    return client.post(reverse("hosts:pool_action", args=[host.pk, kind]), {"pool": "VM"} | said)


@pytest.mark.parametrize("kind", list(ACTIONS))
def test_question_says_what_happens_who_uses_it_and_the_virsh_line(person: Any, kind: OperationKind) -> None:
    host = host_with_pool()
    page = ask(person, host, kind)
    assert "mercury" in page
    assert "no guest that this console knows" in page
    assert f"virsh pool-{virsh_lines(kind, 'VM')[0].split('pool-')[1]}" in page
    assert 'id="storage-confirm"' in page
    assert StorageOperation.objects.count() == 0


@pytest.mark.parametrize("kind", list(ACTIONS))
def test_confirmed_question_is_an_order_that_is_shown_until_it_ends(person: Any, kind: OperationKind) -> None:
    host = host_with_pool()
    answer = post(person, host, kind)
    order = StorageOperation.objects.get()
    assert (order.kind, order.pool_name, order.host, order.asked_by_name) == (kind, "VM", host, "anna")
    assert 'data-state="waiting"' in answer.content.decode()
    assert answer.headers["HX-Trigger"] == "storage-ordered"


def test_double_click_shows_the_order_that_is_under_way(person: Any) -> None:
    host = host_with_pool()
    post(person, host, "refresh")
    answer = post(person, host, "refresh")
    assert StorageOperation.objects.count() == 1
    assert "under way" in answer.content.decode()


def test_used_pool_is_stopped_only_when_its_name_was_typed(person: Any) -> None:
    host = host_with_pool()
    contents_of(host, "VM", "web.qcow2")
    guest_on(host, "/mnt/vm/web.qcow2", "web01")
    page = ask(person, host, "stop")
    assert "web01" in page
    assert 'name="confirmed"' in page
    for typed in ("", "vm", "VM2"):
        answer = post(person, host, "stop", confirmed=typed)
        assert answer.status_code == 422
        assert "Nothing was changed" in answer.content.decode()
    assert StorageOperation.objects.count() == 0
    assert post(person, host, "stop", confirmed="VM").status_code == 200
    assert StorageOperation.objects.get().kind == K.STOP


def test_used_pool_is_never_deleted(person: Any) -> None:
    host = host_with_pool()
    contents_of(host, "VM", "web.qcow2")
    guest_on(host, "/mnt/vm/web.qcow2", "web01", "shut off")
    page = ask(person, host, "delete-pool")
    assert "web01" in page
    assert 'id="storage-confirm"' not in page
    assert post(person, host, "delete-pool", confirmed="VM").status_code == 422
    assert StorageOperation.objects.count() == 0


def test_disabled_host_takes_no_order(person: Any) -> None:
    host = host_with_pool()
    host.enabled = False
    host.save()
    page = ask(person, host, "start")
    assert "is disabled" in page
    assert 'id="storage-confirm"' not in page
    assert post(person, host, "start").status_code == 422


@pytest.mark.parametrize("kind", ["apply", "create-volume", "nonsense"])
def test_kinds_that_are_no_pool_action_are_not_found(person: Any, kind: str) -> None:
    host = host_with_pool()
    assert person.get(reverse("hosts:pool_action", args=[host.pk, kind]), {"pool": "VM"}).status_code == 404
    assert post(person, host, kind).status_code == 404


def test_order_that_waits_can_be_withdrawn(person: Any) -> None:
    host = host_with_pool()
    post(person, host, "refresh")
    order = StorageOperation.objects.get()
    answer = person.post(reverse("hosts:operation_cancel", args=[order.pk])).content.decode()
    assert 'data-outcome="cancelled"' in answer
    answer = person.post(reverse("hosts:operation_cancel", args=[order.pk])).content.decode()
    assert "It has ended already" in answer


def test_outcome_is_told_with_advice_and_libvirts_words(person: Any) -> None:
    order = StorageOperation.objects.create(
        host=host_with_pool(), kind="start", pool_name="VM", ended_at=timezone.now(), outcome="failed",
        sentence="VM could not be started.", advice="Check the server.", libvirt_text="mount.nfs: <timed out>",
    )  # fmt: skip
    page = person.get(reverse("hosts:operation", args=[order.pk])).content.decode()
    for words in ("VM could not be started.", "Check the server.", "mount.nfs: &lt;timed out&gt;"):
        assert words in page
    assert "hx-trigger" not in page


def test_menu_offers_what_fits_the_state(person: Any) -> None:
    active, inactive = host_with_pool("mercury"), host_with_pool("jupiter", active=False, autostart=False)
    address = reverse("hosts:pool_menu", args=[active.pk])
    menu = person.get(address, {"pool": "VM"}).content.decode()
    assert "Stop…" in menu
    assert "Autostart off…" in menu
    assert "Start…" not in menu
    menu = person.get(reverse("hosts:pool_menu", args=[inactive.pk]), {"pool": "VM"}).content.decode()
    assert "Start…" in menu
    assert "Autostart on…" in menu
    assert "New volume…" not in menu


@pytest.mark.parametrize(
    ("kind", "pool", "volume", "arguments", "lines"),
    [
        (K.START, "two words", "", {}, ("virsh pool-start 'two words'",)),
        (K.STOP, "-rf", "", {}, ("virsh pool-destroy --pool -rf",)),
        (K.AUTOSTART_OFF, "VM", "", {}, ("virsh pool-autostart VM --disable",)),
        (K.DELETE, "VM", "", {}, ("virsh pool-destroy VM", "virsh pool-delete VM", "virsh pool-undefine VM")),
        (
            K.VOLUME_CREATE, "VM", "a.qcow2",
            {"format": "qcow2", "capacity_bytes": 8 << 30, "preallocation": "metadata"},
            ("virsh vol-create-as VM a.qcow2 8GiB --format qcow2 --prealloc-metadata",),
        ),
        (
            K.VOLUME_CREATE, "VM", "a.qcow2",
            {"format": "qcow2", "capacity_bytes": 512 << 20, "preallocation": "off", "backing_path": "/b c",
             "backing_format": "raw"},
            (("virsh vol-create-as VM a.qcow2 512MiB --format qcow2 --allocation 0 --backing-vol '/b c' "
             "--backing-vol-format raw"),),
        ),
        (K.VOLUME_CREATE, "VM", "", {}, ("virsh vol-create-as VM NAME SIZE",)),
        (K.VOLUME_CLONE, "VM", "a", {"new_name": "b;rm"}, ("virsh vol-clone a 'b;rm' --pool VM",)),
        (K.VOLUME_CLONE, "VM", "a", {}, ("virsh vol-clone a NEW_NAME --pool VM",)),
        (K.VOLUME_RESIZE, "VM", "a", {"capacity_bytes": 1024}, ("virsh vol-resize a 1KiB --pool VM",)),
        (K.VOLUME_WIPE, "VM", "a", {"algorithm": "zero"}, ("virsh vol-wipe a --pool VM --algorithm zero",)),
        (K.VOLUME_DOWNLOAD, "VM", "a", {}, ("virsh vol-download a a --pool VM --sparse",)),
        (K.VOLUME_UPLOAD, "VM", "a", {"create": False}, ("virsh vol-upload a FILE --pool VM --sparse",)),
    ],
)  # fmt: skip
def test_virsh_lines(kind: Any, pool: str, volume: str, arguments: Any, lines: tuple[str, ...]) -> None:
    assert virsh_lines(kind, pool, volume, arguments) == lines


def test_sizes_of_virsh_are_exact() -> None:
    assert [size_word(count) for count in (8 << 30, 1536 << 20, 513, 0)] == ["8GiB", "1536MiB", "513B", "0B"]
