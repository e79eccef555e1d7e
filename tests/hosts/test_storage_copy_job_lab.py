"""How far the copy of a disk is while its guest moves."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from hosts.driver.connection import Connection
from hosts.errors import OperationAborted
from hosts.ports import MigrateFlag, TransferOrder
from hosts.storage_ports import VolumeOrder
from tests.lab import Lab
from tests.waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.storage]


def test_copy_of_a_disk_is_counted_while_it_runs(clean_lab: Lab, connect: Callable[..., Connection]) -> None:
    guest = clean_lab.create_guest("mercury", "web-1", pool="local", disk_mib=64)
    source, watcher = connect("mercury"), connect("mercury")
    connect("jupiter").storage.make_volume("local", VolumeOrder("web-1.img", "raw", 64 * 2**20))
    moving, watched = source.find_guest(guest.uuid), watcher.find_guest(guest.uuid)
    assert moving is not None
    assert watched is not None
    assert watched.read_copy_job("vda") is None
    assert watched.read_copy_job("vdz") is None
    parameters = {"bandwidth": 4, "migrate_uri": f"tcp://{clean_lab.hosts['jupiter'].address}"}
    flags = frozenset({MigrateFlag.LIVE, MigrateFlag.PEER2PEER, MigrateFlag.NON_SHARED_DISK})
    order = TransferOrder(guest.uuid, flags, parameters, clean_lab.hosts["jupiter"].peer_uri("tcp"))
    errors: list[BaseException] = []

    def move() -> None:
        try:
            moving.transfer(order, None)
        except OperationAborted as error:
            errors.append(error)

    thread = threading.Thread(target=move)
    thread.start()
    done, total = wait_until(
        lambda: (found := watched.read_copy_job("vda")) and found[1] and found, 20, "the copy is seen"
    )
    assert 0 <= done < total == 64 * 2**20
    wait_until(lambda: (watched.read_copy_job("vda") or (0, 0))[0] > done, 20, "the copy goes on")
    watched.abort_job()
    thread.join(30)
    assert errors
    wait_until(lambda: watched.read_copy_job("vda") is None, 10, "nothing is copied any more")
    clean_lab.hosts["mercury"].virsh("destroy", "web-1")
    assert watched.read_copy_job("vda") is None, "shut off"
