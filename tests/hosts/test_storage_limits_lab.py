"""A file server that is gone holds libvirt's answer without end: what is given up then, and what goes on beside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from hosts.driver import limits
from hosts.driver.connection import Connection
from hosts.driver.pool import borrow
from hosts.driver.storage import Storage
from hosts.errors import OutcomeUnknown, Refused
from tests.hosts.conftest import SpecFor
from tests.lab import Lab
from tests.lab.host import LabHost
from tests.waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.storage]

HUNG = """<pool type='netfs'><name>hung</name><source><host name='10.0.0.5'/><dir path='/srv'/><format type='nfs'/>
</source><target><path>/var/lib/libvirt/hung</path></target></pool>"""
MOUNT = """#!/bin/sh
case "$*" in *hung*) touch /run/hangs; while [ -e /run/hangs ]; do sleep 0.2; done; exit 1 ;; esac
exec /run/mount.real "$@"
"""


@pytest.fixture
def mercury(clean_lab: Lab) -> Iterator[LabHost]:
    """Its mount of anything that is called hung waits as long as /run/hangs is there."""
    host = clean_lab.hosts["mercury"]
    host.path("/run/mount.slow").write_text(MOUNT)
    host.run(["sh", "-c", "chmod 755 /run/mount.slow; cp /usr/bin/mount /run/mount.real"])
    host.run(["mount", "--bind", "/run/mount.slow", "/usr/bin/mount"])
    yield host
    host.path("/run/hangs").unlink(missing_ok=True)
    host.run(["umount", "/usr/bin/mount"])
    host.virsh("pool-undefine", "hung", check=False)


@pytest.fixture
def storage(mercury: LabHost, connect: Callable[..., Connection]) -> Storage:
    found = connect("mercury").storage
    found.define_pool(HUNG)
    found.build_pool("hung")
    return found


def test_start_that_comes_to_no_end_is_given_up_and_the_connection_with_it(
    mercury: LabHost, storage: Storage, spec_for: SpecFor, connect: Callable[..., Connection],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(limits, "DONE_WITHIN_S", 1.0)
    began = time.monotonic()
    with (
        pytest.raises(OutcomeUnknown, match="does not come to an end") as caught,
        borrow(spec_for("mercury")) as hanging,
    ):
        hanging.storage.start_pool("hung")
    assert time.monotonic() - began < 10
    assert "file servers" in caught.value.remedy
    assert not hanging.is_alive(), "nobody else is given this connection"
    assert mercury.path("/run/hangs").exists(), "the host is still at it"
    others = connect("mercury").storage
    assert {reading.facts.name for reading in others.read_pools()} >= {"local", "hung"}, (
        "the others are answered"
    )
    assert others.refresh_pool("local").after["volumes"] == "0"
    mercury.path("/run/hangs").unlink()
    wait_until(lambda: limits._stuck["mercury"] == 0, 10, "the thread ends when the host answers at last")


def test_host_that_holds_many_calls_is_asked_nothing_more(
    mercury: LabHost, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(limits._stuck, "mercury", limits.MAX_STUCK)
    with pytest.raises(Refused, match="Nothing more is asked of it"):
        storage.start_pool("hung")
