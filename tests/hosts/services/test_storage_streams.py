"""What is left of an upload that ends early, whatever ended it."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from hosts.errors import Refused
from hosts.models import StorageOperation
from hosts.services import spool
from hosts.services.storage_kinds import OperationKind
from hosts.services.storage_streams import download, upload
from hosts.services.storage_watch import CancelledByPerson, Fenced, Watch
from tests.hosts.services.storage import make_host, make_pool

pytestmark = pytest.mark.django_db


class Breaking:
    """A pool that takes a volume, and whose stream breaks."""

    def __init__(self, error: BaseException) -> None:
        self.error, self.volumes = error, set[str]()

    def find_pool(self, name: str) -> None:
        return None

    def find_volume(self, pool: str, name: str) -> None:
        return None

    def make_volume(self, pool: str, order: Any) -> None:
        self.volumes.add(order.name)

    def delete_volume(self, pool: str, name: str) -> None:
        self.volumes.remove(name)

    def write_volume(self, *words: Any, **more: Any) -> int:
        raise self.error


@pytest.mark.parametrize(
    ("error", "left"),
    [(CancelledByPerson(), set()), (OSError("the spool's disk is broken"), set()), (Fenced(), {"up.img"})],
    ids=lambda value: type(value).__name__,
)
def test_volume_that_was_made_for_an_upload_goes_unless_it_may_be_others_by_now(
    error: BaseException, left: set[str], tmp_path: Path, settings: Any
) -> None:
    settings.SPOOL_DIR = tmp_path
    token = spool.create(1, "up.img", 3)
    spool.append(token, 1, 0, [b"abc"])
    operation = StorageOperation.objects.create(
        host=make_host("mercury", make_pool("VM")), pool_name="VM", volume_name="up.img", asked_by_name="anna",
        kind=OperationKind.VOLUME_UPLOAD, claimed_at=timezone.now(),
        arguments_data={"spool": token, "create": True},
    )  # fmt: skip
    storage = Breaking(error)
    with pytest.raises(type(error)):
        upload(operation, storage, Watch(operation))  # type: ignore[arg-type]
    assert storage.volumes == left


class Giving:
    """A pool with one volume of three bytes."""

    def read_size(self, pool: str, name: str) -> int:
        return 3

    def read_volume(self, pool: str, name: str) -> Any:
        return nullcontext(iter([b"abc"]))


def full_disk(token: str) -> Any:
    return Path("/dev/full").open("wb", buffering=0)


def test_full_disk_of_the_server_is_told_and_nothing_of_the_download_stays(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SPOOL_DIR = tmp_path
    monkeypatch.setattr(spool, "open_writer", full_disk)
    operation = StorageOperation.objects.create(
        host=make_host("mercury", make_pool("VM")), pool_name="VM", volume_name="down.img", asked_by_name="anna",
        kind=OperationKind.VOLUME_DOWNLOAD, claimed_at=timezone.now(),
    )  # fmt: skip
    with pytest.raises(Refused, match="No space left on device"):
        download(operation, Giving(), Watch(operation))  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
