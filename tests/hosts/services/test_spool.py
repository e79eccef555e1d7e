"""Files between a browser and a worker: in order, within bounds, and nobody else's."""

from __future__ import annotations

import os
import stat
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hosts.models import StorageOperation
from hosts.services import spool
from hosts.services.spool import SpoolRefused
from tests.hosts.views.conftest import make_host

ANNA, BERT = 1, 2


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.SPOOL_DIR = tmp_path / "spool"
    settings.SPOOL_LIMIT_GIB = 0
    return tmp_path / "spool"


def test_slices_make_the_file_and_the_worker_reads_it() -> None:
    token = spool.create(ANNA, "disk 😀.qcow2", 10)
    assert spool.append(token, ANNA, 0, [b"abc", b"de"]) == 5
    assert not spool.get(token, ANNA).complete
    assert spool.append(token, ANNA, 5, [b"fghij"]) == 10
    assert spool.get(token, ANNA).complete
    with spool.open_reader(token) as file:
        assert file.read() == b"abcdefghij"


def test_wrong_offset_is_refused_and_says_where_to_go_on() -> None:
    token = spool.create(ANNA, "disk", 10)
    spool.append(token, ANNA, 0, [b"abc"])
    for offset in (0, 2, 4, -1):
        with pytest.raises(SpoolRefused) as refused:
            spool.append(token, ANNA, offset, [b"x"])
        assert refused.value.stored_bytes == 3
    assert spool.size(token) == 3


def test_what_came_before_an_interruption_stays() -> None:
    def broken() -> Any:
        yield b"abc"
        raise ConnectionError("the browser went away")

    token = spool.create(ANNA, "disk", 10)
    with pytest.raises(ConnectionError):
        spool.append(token, ANNA, 0, broken())
    assert spool.size(token) == 3
    assert spool.append(token, ANNA, 3, [b"defghij"]) == 10
    assert spool.path(token).read_bytes() == b"abcdefghij"


def test_more_than_was_announced_is_refused_and_nothing_of_it_kept() -> None:
    token = spool.create(ANNA, "disk", 4)
    spool.append(token, ANNA, 0, [b"ab"])
    with pytest.raises(SpoolRefused, match="announced"):
        spool.append(token, ANNA, 2, [b"c", b"de"])
    assert spool.path(token).read_bytes() == b"ab"


def test_only_its_owner_may_send_or_see_it() -> None:
    token = spool.create(ANNA, "disk", 4)
    for call in (lambda: spool.append(token, BERT, 0, [b"x"]), lambda: spool.get(token, BERT)):
        with pytest.raises(SpoolRefused, match="no longer waiting"):
            call()
    assert spool.size(token) == 0


@pytest.mark.parametrize(
    "token", ["", ".", "..", "../secrets/key_ring", "a" * 31, "a" * 33, "a" * 31 + "/", "a\0"]
)
def test_what_is_no_token_never_becomes_a_path(token: str) -> None:
    assert spool.find(token) is None
    for call in (spool.path, spool.size, spool.open_reader, spool.open_writer, spool.remove):
        with pytest.raises(SpoolRefused):
            call(token)


def test_names_of_files_never_become_paths(folder: Path) -> None:
    token = spool.create(ANNA, "../../etc/<script>", 1)
    assert {file.name for file in folder.iterdir()} == {token, f"{token}.json"}
    assert spool.get(token, ANNA).name == "../../etc/<script>"


def test_nobody_else_on_the_machine_can_read_it(folder: Path) -> None:
    token = spool.create(ANNA, "disk", 1)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(spool.path(token).stat().st_mode) == 0o600


def test_folder_that_others_could_read_is_closed(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o755)
    spool.create(ANNA, "disk", 1)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_larger_than_the_disk_is_refused_before_anything_is_sent(folder: Path) -> None:
    with pytest.raises(SpoolRefused, match="room for"):
        spool.create(ANNA, "disk", 1 << 60)
    assert list(folder.iterdir()) == []


def test_room_promised_to_uploads_under_way_is_not_given_twice() -> None:
    before = spool.largest_bytes()
    spool.create(ANNA, "disk", 1 << 20)
    assert spool.largest_bytes() <= before - (1 << 20) + (64 << 20)  # others write to this disk, too
    spool.create(ANNA, "most", int(before * 0.9))
    with pytest.raises(SpoolRefused, match="room for"):
        spool.create(ANNA, "as much again", int(before * 0.9))


def test_limit_of_the_setting_holds(settings: Any) -> None:
    settings.SPOOL_LIMIT_GIB = 1
    assert spool.largest_bytes() <= 1 << 30
    with pytest.raises(SpoolRefused, match="1 GiB"):
        spool.create(ANNA, "disk", (1 << 30) + 1)


def test_second_window_cannot_write_at_the_same_moment() -> None:
    token = spool.create(ANNA, "disk", 10)

    def meanwhile() -> Any:
        yield b"abc"
        with pytest.raises(SpoolRefused, match="another window"):
            spool.append(token, ANNA, 0, [b"xyz"])
        yield b"de"

    assert spool.append(token, ANNA, 0, meanwhile()) == 5
    assert spool.path(token).read_bytes() == b"abcde"


@pytest.mark.django_db
def test_upload_that_was_begun_is_found_by_its_identity_until_an_operation_has_it() -> None:
    token = spool.create(ANNA, "disk", 4, identity="1:VM:a:4:123")
    found = spool.find_begun(ANNA, "1:VM:a:4:123")
    assert found is not None
    assert found.token == token
    assert spool.find_begun(BERT, "1:VM:a:4:123") is None
    assert spool.find_begun(ANNA, "1:VM:b:4:123") is None
    spool.append(token, ANNA, 0, [b"abcd"])
    assert spool.find_begun(ANNA, "1:VM:a:4:123") is not None
    StorageOperation.objects.create(
        host=make_host(),
        kind="upload-volume",
        pool_name="VM",
        volume_name="a",
        arguments_data={"spool": token},
    )
    assert spool.find_begun(ANNA, "1:VM:a:4:123") is None


def test_worker_writes_with_holes() -> None:
    token = spool.create(ANNA, "disk", 1 << 20)
    with spool.open_writer(token) as file:
        file.write(b"start")
        file.truncate(1 << 20)
    assert spool.get(token, ANNA).complete


def test_removed_twice_is_removed() -> None:
    token = spool.create(ANNA, "disk", 4)
    spool.remove(token)
    spool.remove(token)
    assert spool.find(token) is None
    with pytest.raises(SpoolRefused, match="no longer waiting"):
        spool.open_reader(token)


def _age(token: str, folder: Path, hours: float) -> None:
    for name in (token, f"{token}.json"):
        moment = (folder / name).stat().st_mtime - hours * 3600
        os.utime(folder / name, (moment, moment))


@pytest.mark.django_db
def test_sweep_takes_what_nobody_touched_and_leaves_strangers_alone(folder: Path) -> None:
    old, new = spool.create(ANNA, "old", 4), spool.create(ANNA, "new", 4)
    _age(old, folder, 25)
    (folder / "README").write_text("not ours")
    os.utime(folder / "README", (0, 0))
    assert spool.sweep(timedelta(hours=24)) == 1
    assert {file.name for file in folder.iterdir()} == {new, f"{new}.json", "README"}


@pytest.mark.django_db
def test_sweep_keeps_what_an_operation_under_way_needs(folder: Path) -> None:
    token = spool.create(ANNA, "old", 4)
    _age(token, folder, 25)
    StorageOperation.objects.create(
        host=make_host(), kind="upload", pool_name="VM", volume_name="a", arguments_data={"spool": token}
    )
    assert spool.sweep(timedelta(hours=24)) == 0
    assert spool.find(token) is not None
