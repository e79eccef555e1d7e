"""Contents of volumes as streams, byte for byte, and what a broken stream leaves behind."""

from __future__ import annotations

import itertools
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hosts.driver import connection as driver_connection
from hosts.driver.connection import Connection
from hosts.driver.storage import Storage
from hosts.driver.storage_folders import FORGOTTEN_AFTER_S
from hosts.errors import HostUnreachable, OperationFailed, OutcomeUnknown, Refused
from hosts.storage_ports import PASSING_POOL_PREFIX, Hole, Piece, Preallocation, VolumeOrder
from tests.hosts.storage_lab import IMAGES, MIB, contents, flat
from tests.lab.host import LabHost
from tests.waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.storage]

Connect = Callable[..., Connection]
NVRAM = "/var/lib/libvirt/qemu/nvram"
NOISE = os.urandom(5 * MIB)
# Holes at the beginning, in the middle and at the end; pieces that fit no packet and no block.
HOLED: tuple[Piece, ...] = (
    Hole(3 * MIB + 5),
    NOISE[:700_001],
    Hole(4 * MIB),
    b"abc",
    Hole(MIB),
    Hole(7),
    NOISE,
)
LOST_WITHIN_S = 10


def raw(storage: Storage, name: str, size: int = 16 * MIB) -> None:
    storage.make_volume("local", VolumeOrder(name, "raw", size))


def test_raw_volume_comes_back_as_it_was_written_and_stays_sparse(storage: Storage, mercury: LabHost) -> None:
    raw(storage, "a.img")
    written = storage.write_volume("local", "a.img", HOLED)
    assert written == len(flat(HOLED))
    expected = flat(HOLED).ljust(16 * MIB, b"\0")
    assert mercury.path(f"{IMAGES}/local/a.img").read_bytes() == expected
    with storage.read_volume("local", "a.img") as pieces:
        got = list(pieces)
    assert flat(got) == expected
    assert sum(piece.length for piece in got if isinstance(piece, Hole)) > 9 * MIB
    assert all(len(piece) <= 256 * 1024 for piece in got if isinstance(piece, bytes))
    facts = storage.find_volume("local", "a.img")
    assert facts is not None
    assert (facts.capacity_bytes, facts.allocation_bytes < 7 * MIB) == (16 * MIB, True)
    assert storage.read_size("local", "a.img") == 16 * MIB


def test_holes_blot_out_what_the_volume_held_before(storage: Storage, mercury: LabHost) -> None:
    raw(storage, "a.img")
    storage.write_volume("local", "a.img", [b"\xff" * (16 * MIB)])
    storage.write_volume("local", "a.img", HOLED)
    assert mercury.path(f"{IMAGES}/local/a.img").read_bytes() == flat(HOLED).ljust(16 * MIB, b"\0")
    storage.write_volume("local", "a.img", [])
    assert mercury.path(f"{IMAGES}/local/a.img").read_bytes() == bytes(16 * MIB)


def test_writing_and_reading_begin_at_an_offset(storage: Storage, mercury: LabHost) -> None:
    raw(storage, "a.img")
    storage.write_volume("local", "a.img", [NOISE, NOISE, NOISE])
    storage.write_volume("local", "a.img", [Hole(MIB + 3), b"tail"], offset=5 * MIB + 1)
    expected = (NOISE + NOISE[:1] + bytes(MIB + 3) + b"tail").ljust(16 * MIB, b"\0")
    assert mercury.path(f"{IMAGES}/local/a.img").read_bytes() == expected
    assert contents(storage, "local", "a.img", offset=MIB + 1) == expected[MIB + 1 :]
    assert contents(storage, "local", "a.img", offset=4 * MIB, length=2 * MIB) == expected[4 * MIB : 6 * MIB]


def test_qcow2_file_is_copied_as_a_file(storage: Storage, mercury: LabHost, connect: Connect) -> None:
    """The new volume has a header and tables of its own before: nothing of them may shine through."""
    storage.make_volume("local", VolumeOrder("a.qcow2", "qcow2", 64 * MIB, Preallocation.METADATA))
    mercury.path("/run/noise").write_bytes(NOISE)
    mercury.run(
        ["qemu-io", "-c", "write -q -s /run/noise 11M 5M", "-c", "discard 20M 4M", f"{IMAGES}/local/a.qcow2"]
    )
    jupiter = connect("jupiter").storage
    jupiter.make_volume("local", VolumeOrder("b.qcow2", "qcow2", 64 * MIB))
    with storage.read_volume("local", "a.qcow2") as pieces:
        written = jupiter.write_volume("local", "b.qcow2", pieces)
    assert written == storage.read_size("local", "a.qcow2") == jupiter.read_size("local", "b.qcow2")
    assert contents(storage, "local", "a.qcow2") == contents(jupiter, "local", "b.qcow2")
    facts, copy = storage.find_volume("local", "a.qcow2"), jupiter.find_volume("local", "b.qcow2")
    assert facts is not None
    assert copy is not None
    assert (copy.format, copy.capacity_bytes) == ("qcow2", 64 * MIB)
    assert copy.allocation_bytes <= facts.allocation_bytes + MIB


def test_two_threads_read_and_write_at_once(storage: Storage, connect: Connect) -> None:
    jupiter = connect("jupiter").storage
    raw(storage, "a.img")
    raw(jupiter, "a.img")
    storage.write_volume("local", "a.img", HOLED)
    pieces: queue.Queue[Piece | None] = queue.Queue(4)

    def read() -> None:
        with storage.read_volume("local", "a.img") as found:
            for piece in found:
                pieces.put(piece)
        pieces.put(None)

    thread = threading.Thread(target=read)
    thread.start()
    jupiter.write_volume("local", "a.img", iter(pieces.get, None))
    thread.join(30)
    assert contents(storage, "local", "a.img") == contents(jupiter, "local", "a.img")


def test_shared_storage_carries_streams_too(storage: Storage) -> None:
    storage.make_volume("VM", VolumeOrder("a.img", "raw", 16 * MIB))
    storage.write_volume("VM", "a.img", HOLED)
    assert contents(storage, "VM", "a.img") == flat(HOLED).ljust(16 * MIB, b"\0")


def test_reader_who_leaves_early_disturbs_nothing(storage: Storage, mercury: LabHost) -> None:
    raw(storage, "a.img")
    storage.write_volume("local", "a.img", [NOISE, NOISE, NOISE])
    for _ in range(20):
        with storage.read_volume("local", "a.img") as pieces:
            next(pieces)
    with pytest.raises(KeyError), storage.read_volume("local", "a.img"):
        raise KeyError
    assert contents(storage, "local", "a.img") == (NOISE * 4)[: 15 * MIB].ljust(16 * MIB, b"\0")
    opened = f"ls -l /proc/{mercury.libvirtd_pid()}/fd | grep -c a.img"
    wait_until(
        lambda: mercury.run(["sh", "-c", opened], check=False).stdout.strip() == "0", 10, "files closed"
    )


def test_slow_reader_is_not_buried_in_what_the_host_sends(storage: Storage) -> None:
    """libvirt's streams have no brake: without windows the whole volume would wait in our memory."""
    raw(storage, "a.img", 256 * MIB)
    storage.write_volume("local", "a.img", itertools.repeat(NOISE, 51))

    def resident_bytes() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    before = resident_bytes()
    with storage.read_volume("local", "a.img") as pieces:
        next(pieces)
        for _ in range(200):  # each answer comes behind what the host has sent until then
            storage.read_size("local", "a.img")
        assert resident_bytes() - before < 64 * MIB


def test_tebibyte_of_nothing_is_read_at_once(storage: Storage) -> None:
    raw(storage, "a.img", 2**40)
    storage.write_volume("local", "a.img", [NOISE, Hole(2**39), NOISE])
    began = time.monotonic()
    with storage.read_volume("local", "a.img") as pieces:
        got = list(pieces)
    assert time.monotonic() - began < 10
    assert sum(piece.length if isinstance(piece, Hole) else len(piece) for piece in got) == 2**40
    assert b"".join(piece for piece in got if isinstance(piece, bytes)).strip(b"\0").count(NOISE) == 2


def test_volume_that_shrinks_while_it_is_read_is_no_success(storage: Storage, mercury: LabHost) -> None:
    raw(storage, "a.img", 64 * MIB)
    storage.write_volume("local", "a.img", itertools.repeat(NOISE, 12))
    with storage.read_volume("local", "a.img") as pieces:
        next(pieces)
        mercury.run(["truncate", "-s", "40M", f"{IMAGES}/local/a.img"])
        with pytest.raises(OperationFailed, match="it ended at"):
            list(pieces)


def test_what_the_pieces_raise_ends_the_stream_and_goes_on(storage: Storage) -> None:
    raw(storage, "a.img")

    def broken() -> Iterator[Piece]:
        yield NOISE
        raise KeyError("the source has gone")

    with pytest.raises(KeyError, match="the source has gone"):
        storage.write_volume("local", "a.img", broken())
    assert storage.write_volume("local", "a.img", [b"x"]) == 1
    assert storage.delete_volume("local", "a.img").changed


def test_pool_that_becomes_full_in_the_middle_says_so(storage: Storage, full_pool: str) -> None:
    """Many times, because libvirt itself forgets the error now and then."""
    for _ in range(60):
        storage.make_volume(full_pool, VolumeOrder("a.img", "raw", 16 * MIB))
        with pytest.raises(OperationFailed, match="storage there is full"):
            storage.write_volume(full_pool, "a.img", itertools.repeat(NOISE, 3))
        assert storage.delete_volume(full_pool, "a.img").changed, "the host goes on"
    storage.make_volume(full_pool, VolumeOrder("b.img", "raw", MIB))
    assert storage.write_volume(full_pool, "b.img", [b"x"]) == 1


def test_more_than_was_announced_is_refused(storage: Storage) -> None:
    raw(storage, "a.img")
    with pytest.raises(OperationFailed):
        storage.write_volume("local", "a.img", [NOISE], length=MIB)


@pytest.mark.parametrize("fault", ["kill_libvirtd", "pause_libvirtd", "link_down"])
@pytest.mark.parametrize("way", ["read", "write"])
def test_host_that_is_lost_in_the_middle_ends_the_stream(
    mercury: LabHost, connect: Connect, fault: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver_connection, "KEEPALIVE_INTERVAL_S", 1)
    monkeypatch.setattr(driver_connection, "KEEPALIVE_COUNT", 1)
    storage = connect("mercury").storage
    raw(storage, "a.img", 512 * MIB)
    began = time.monotonic()

    def pieces() -> Iterator[Piece]:
        for number in range(2048):
            if number == 40:
                getattr(mercury, fault)()
            yield NOISE[: 256 * 1024]

    if way == "write":
        with pytest.raises(OutcomeUnknown):
            storage.write_volume("local", "a.img", pieces())
    else:
        storage.write_volume("local", "a.img", [NOISE] * 100)
        with pytest.raises(HostUnreachable), storage.read_volume("local", "a.img") as found:
            for _ in zip(found, pieces(), strict=False):
                pass
    assert time.monotonic() - began < LOST_WITHIN_S
    mercury.restore()


def test_volume_that_is_not_there_is_refused_before_anything_flows(storage: Storage) -> None:
    with pytest.raises(Refused, match="no volume nothing"), storage.read_volume("local", "nothing"):
        pass
    with pytest.raises(Refused, match="no volume nothing"):
        storage.write_volume("local", "nothing", [b"x"])
    with pytest.raises(Refused, match="no volume nothing"):
        storage.read_size("local", "nothing")


# Folders that no pool covers


def passing_pools(host: LabHost) -> list[str]:
    names = host.virsh("pool-list", "--all", "--name").split()
    return [name for name in names if name.startswith(PASSING_POOL_PREFIX)]


def test_folder_is_reached_for_a_moment(storage: Storage, mercury: LabHost, connect: Connect) -> None:
    mercury.run(["sh", "-c", f"mkdir -p {NVRAM}; printf variables >{NVRAM}/a_VARS.fd"])
    with storage.folder_pool(f"{NVRAM}/") as name:
        assert passing_pools(mercury) == [name]
        assert name not in {pool.name for pool in connect("mercury").read_facts().pools}
        assert contents(storage, name, "a_VARS.fd") == b"variables"
        storage.make_volume(name, VolumeOrder("b_VARS.fd", "raw", 9))
        storage.write_volume(name, "b_VARS.fd", [b"variables"])
    assert mercury.path(f"{NVRAM}/b_VARS.fd").read_bytes() == b"variables"
    assert passing_pools(mercury) == []
    mercury.run(["rm", f"{NVRAM}/a_VARS.fd", f"{NVRAM}/b_VARS.fd"])


def test_pool_goes_when_its_block_fails(storage: Storage, mercury: LabHost) -> None:
    with pytest.raises(KeyError), storage.folder_pool(NVRAM):
        raise KeyError
    assert passing_pools(mercury) == []


def test_two_in_one_folder_do_not_disturb_each_other(
    storage: Storage, mercury: LabHost, connect: Connect
) -> None:
    other = connect("mercury").storage
    mercury.run(["sh", "-c", f"printf variables >{NVRAM}/a_VARS.fd"])
    with storage.folder_pool(NVRAM) as first:
        with other.folder_pool(NVRAM) as second:
            assert first != second
            assert len(passing_pools(mercury)) == 2
        assert contents(storage, first, "a_VARS.fd") == b"variables"
    assert passing_pools(mercury) == []
    mercury.run(["rm", f"{NVRAM}/a_VARS.fd"])


def test_pool_that_covers_the_folder_is_used_and_left_alone(storage: Storage, mercury: LabHost) -> None:
    with storage.folder_pool(f"{IMAGES}/local/") as name:
        assert name == "local"
    assert "running" in mercury.virsh("pool-info", "local")


def test_pool_that_a_killed_worker_left_is_swept_away(storage: Storage, mercury: LabHost) -> None:
    long_ago = int(time.time()) - FORGOTTEN_AFTER_S - 60
    old, young = (f"{PASSING_POOL_PREFIX}{made:08x}aabbcc" for made in (long_ago, int(time.time())))
    mercury.virsh("pool-create-as", old, "dir", "--target", f"{NVRAM}/.")
    mercury.virsh("pool-create-as", young, "dir", "--target", f"{NVRAM}/../nvram")
    with storage.folder_pool(NVRAM):
        assert old not in passing_pools(mercury)
    assert passing_pools(mercury) == [young], "it may be somebody's at this moment"


def test_folder_that_is_not_there_is_named_plainly(storage: Storage, mercury: LabHost) -> None:
    with pytest.raises(OperationFailed, match="directory '/nowhere'"), storage.folder_pool("/nowhere"):
        pass
    with pytest.raises(Refused, match="must start with a slash"), storage.folder_pool("nowhere"):
        pass
    assert passing_pools(mercury) == []
