"""The upload as a browser speaks it: begun, sent in slices, gone on with, ordered."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from hosts.models import Host, StorageOperation
from hosts.services import spool
from tests.hosts.views.storage_rows import contents_of, guest_on, host_with_pool

pytestmark = pytest.mark.usefixtures("bells", "db")
FILE = b"0123456789" * 100
FORM = {
    "pool": "VM", "into": "", "name": "new.qcow2", "format": "qcow2", "file_name": "disk <b>.qcow2",
    "file_size": str(len(FILE)), "file_stamp": "1700000000000",
}  # fmt: skip


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Any) -> None:
    settings.SPOOL_DIR = tmp_path / "spool"


@pytest.fixture
def host() -> Host:
    host = host_with_pool()
    contents_of(host, "VM", "web.qcow2")
    return host


def begin(client: Any, host: Host, **said: str) -> dict[str, Any]:
    answer = client.post(reverse("hosts:volume_upload", args=[host.pk]), FORM | said)
    assert answer.status_code == 204, answer.content.decode()
    told: dict[str, Any] = json.loads(answer.headers["HX-Trigger"])["upload-begin"]
    return told


def send(client: Any, told: dict[str, Any], offset: int, data: bytes) -> Any:
    return client.put(f"{told['send']}?offset={offset}", data, content_type="application/octet-stream")


def order(client: Any, told: dict[str, Any]) -> Any:
    return client.post(told["order_address"], told["values"])


def test_upload_from_the_first_slice_to_the_order(person: Any, host: Host) -> None:
    told = begin(person, host)
    assert told["offset"] == 0
    assert send(person, told, 0, FILE[:600]).json() == {"offset": 600, "size": 1000}
    assert send(person, told, 600, FILE[600:]).json()["offset"] == 1000
    answer = order(person, told)
    assert answer.headers["HX-Trigger"] == "storage-ordered"
    ordered = StorageOperation.objects.get()
    assert (ordered.kind, ordered.pool_name, ordered.volume_name) == ("upload-volume", "VM", "new.qcow2")
    assert ordered.arguments_data == {"spool": told["values"]["spool"], "create": True, "format": "qcow2"}
    assert f'data-operation="{ordered.pk}"' in answer.content.decode()


def test_slice_larger_than_djangos_limit_goes_through(person: Any, host: Host) -> None:
    slice_bytes = 8 * 1024 * 1024
    told = begin(person, host, file_size=str(slice_bytes))
    assert send(person, told, 0, b"\0" * slice_bytes).json()["offset"] == slice_bytes


def test_slice_at_the_wrong_place_is_answered_with_the_right_one(person: Any, host: Host) -> None:
    told = begin(person, host)
    send(person, told, 0, FILE[:600])
    for offset in (0, 599, 601, -3):
        answer = send(person, told, offset, b"x")
        assert (answer.status_code, answer.json()["offset"]) == (409, 600)
    assert person.get(told["send"]).json() == {"offset": 600, "size": 1000}


def test_same_file_to_the_same_place_goes_on_where_it_was(person: Any, host: Host) -> None:
    told = begin(person, host)
    send(person, told, 0, FILE[:600])
    again = begin(person, host)
    assert (again["send"], again["offset"]) == (told["send"], 600)
    assert begin(person, host, name="other.qcow2")["offset"] == 0
    assert begin(person, host, file_stamp="1700000000001")["offset"] == 0


def test_upload_of_another_person_is_neither_seen_nor_touched(
    person: Any, host: Host, django_user_model: Any
) -> None:
    told = begin(person, host)
    send(person, told, 0, FILE)
    other = Client()
    other.force_login(django_user_model.objects.create_user("bert"))
    assert other.get(told["send"]).status_code == 404
    assert send(other, told, 0, b"x").status_code == 404
    assert other.delete(told["send"]).status_code == 404
    assert order(other, told).status_code == 422
    assert person.get(told["send"]).json()["offset"] == 1000
    assert StorageOperation.objects.count() == 0


def test_order_whose_answer_was_lost_is_shown_not_made_again(person: Any, host: Host) -> None:
    told = begin(person, host)
    send(person, told, 0, FILE)
    order(person, told)
    assert order(person, told).status_code == 200
    spool.remove(told["values"]["spool"])
    StorageOperation.objects.update(
        outcome="done", ended_at=StorageOperation.objects.get().asked_at, sentence="Written."
    )
    assert "Written." in order(person, told).content.decode()
    assert StorageOperation.objects.count() == 1


def test_incomplete_file_is_not_ordered(person: Any, host: Host) -> None:
    told = begin(person, host)
    send(person, told, 0, FILE[:600])
    answer = order(person, told)
    assert answer.status_code == 422
    assert "only 600 of 1000 bytes" in answer.content.decode()
    assert StorageOperation.objects.count() == 0


def test_more_than_announced_is_refused(person: Any, host: Host) -> None:
    told = begin(person, host)
    assert send(person, told, 0, FILE + b"x").status_code == 409
    assert person.get(told["send"]).json()["offset"] == 0


def test_cancelled_upload_leaves_nothing(person: Any, host: Host) -> None:
    told = begin(person, host)
    assert person.delete(told["send"]).status_code == 200
    assert person.get(told["send"]).status_code == 404
    assert spool.find(told["values"]["spool"]) is None


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"file_name": "", "file_size": ""}, "Choose a file"),
        ({"file_size": "0"}, "The file is empty"),
        ({"name": "web.qcow2"}, "has a volume of this name already"),
        ({"name": "../../x"}, "cannot be the name of a volume"),
        ({"file_size": str(1 << 60)}, "room for"),
    ],
)
def test_what_cannot_work_is_said_before_the_first_byte(
    person: Any, host: Host, said: dict[str, str], words: str
) -> None:
    answer = person.post(reverse("hosts:volume_upload", args=[host.pk]), FORM | said)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert "<b>." not in answer.content.decode()


def test_volume_in_use_is_not_overwritten(person: Any, host: Host) -> None:
    guest_on(host, "/mnt/vm/web.qcow2", "web05")
    address = reverse("hosts:volume_upload", args=[host.pk])
    assert "web05" in person.get(address, {"pool": "VM", "into": "web.qcow2"}).content.decode()
    assert person.post(address, FORM | {"into": "web.qcow2"}).status_code == 422


def test_unused_volume_is_overwritten_by_a_file(person: Any, host: Host) -> None:
    told = begin(person, host, into="web.qcow2")
    send(person, told, 0, FILE)
    order(person, told)
    ordered = StorageOperation.objects.get()
    assert ordered.volume_name == "web.qcow2"
    assert ordered.arguments_data["create"] is False


def test_slice_without_the_token_of_the_session_is_refused(host: Host, django_user_model: Any) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(django_user_model.objects.create_user("carl"))
    told = {"send": reverse("hosts:spool", args=["a" * 32])}
    assert send(strict, told, 0, b"x").status_code == 403
