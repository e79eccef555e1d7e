"""A guest that arrived paused and never ran is lost when it is sent on: known before it is tried."""

from __future__ import annotations

import pytest

from hosts.driver.connection import open_connection
from hosts.ports import ConnectionSpec
from jobs.preflight.context import PreflightContext
from jobs.preflight.registry import run_checks
from tests.jobs.builders import context, guest, host_facts, offline, side, status
from tests.lab import Lab

CHECK = "state.paused-since-arrival"


def paused(**changes: object) -> PreflightContext:
    arrived = guest(status=status("paused/user"), extra={"ran_here": "no"})
    return context(**{"guest": arrived, **changes})


def said(checked: PreflightContext) -> bool:
    return CHECK in {finding.id for finding in run_checks(checked)}


def test_paused_since_arrival_blocks() -> None:
    assert said(paused())


@pytest.mark.parametrize(
    "passing",
    [
        context(),
        paused(guest=guest(status=status("paused/user"))),
        paused(source=side("mercury", host_facts("mercury", hypervisor_version=10_000_000))),
    ],
    ids=["running", "ran here", "QEMU 10"],
)
def test_others_pass(passing: PreflightContext) -> None:
    assert not said(passing)


def test_offline_move_sends_no_memory() -> None:
    assert CHECK not in {finding.id for finding in run_checks(offline())}


@pytest.mark.lab
def test_real_qemu_loses_the_guest_that_is_blocked_and_moves_it_after_it_ran(clean_lab: Lab) -> None:
    mercury, jupiter = clean_lab.hosts["mercury"], clean_lab.hosts["jupiter"]
    lost, kept = (clean_lab.create_guest("mercury", name, memory_mib=128) for name in ("lost", "kept"))
    link = open_connection(ConnectionSpec("jupiter", jupiter.uri("tcp")))
    for one in (lost, kept):
        one.wait_until_answering()
        mercury.virsh(
            "migrate",
            one.name,
            jupiter.peer_uri("tcp"),
            "--live",
            "--p2p",
            "--suspend",
            "--persistent",
            "--undefinesource",
        )
        reading = link.find_guest_reading(one.uuid)
        assert reading is not None
        assert reading.extra.get("ran_here") == "no"
    jupiter.virsh("resume", kept.name)
    kept.wait_until_answering()
    jupiter.virsh("suspend", kept.name)
    ran = link.find_guest_reading(kept.uuid)
    assert ran is not None
    assert "ran_here" not in ran.extra
    link.close()
    for one in (lost, kept):
        jupiter.virsh(
            "migrate", one.name, mercury.peer_uri("tcp"), "--live", "--p2p", "--persistent", check=False
        )
    assert lost.where() == {"jupiter": "shut off"}, (
        "this QEMU has been mended: the check's version is to be corrected"
    )
    assert kept.where()["mercury"] == "paused"
