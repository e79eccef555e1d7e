"""What only the hosts themselves can tell is found before a move, and again when it starts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from hosts.models import Host
from hosts.services.connections import borrowed
from jobs.engine.phases import Phase
from jobs.models import Migration
from jobs.options import MoveOptions
from jobs.preflight.registry import NOT_EVALUATED
from jobs.services import execution, preparation
from tests.jobs.console import Console
from tests.lab import Lab
from tests.lab.guest import LabGuest
from tests.lab.host import LabHost

pytestmark = pytest.mark.lab


@pytest.fixture
def over_ssh(lab: Lab, bells: None, transactional_db: None) -> Iterator[Console]:
    console = Console(lab, transport="ssh").connect()
    yield console
    console.close()


@pytest.fixture
def guest(lab: Lab) -> Iterator[LabGuest]:
    """A running guest on mercury, on shared storage."""
    found = lab.guests.get("probed")
    if found is None or found.where() != {"mercury": "running"} or not found.ping(1):
        lab.reset()
        found = lab.create_guest("mercury", "probed")
        found.wait_until_answering()
    yield found
    for host in lab.hosts.values():
        host.restore()


def blockers_of(migration: Migration) -> list[str]:
    return [finding["id"] for finding in migration.findings_data if finding["severity"] == "blocker"]


FAULTS: dict[str, tuple[Callable[[LabHost, LabHost], None], str]] = {
    "skewed clock": (lambda source, destination: destination.skew_clock(-20), "time.host"),
    "other user": (
        lambda source, destination: destination.set_qemu_user("libvirt-qemu", 4343),
        "ids.qemu-user",
    ),
    "ports dropped": (
        lambda source, destination: destination.block_ports(49152, 49215),
        "network.migration-ports",
    ),
    "ports rejected": (
        lambda source, destination: destination.block_ports(49152, 49215, "reject"),
        "network.migration-ports",
    ),
    "last port dropped": (
        lambda source, destination: destination.block_ports(49215, 49215),
        "network.migration-ports",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_after_the_request_stops_the_move_with_nothing_changed(
    over_ssh: Console, guest: LabGuest, fault: str
) -> None:
    """Asked for while all was well; the stored readings are fresh, and are not trusted."""
    migration = over_ssh.request(guest, "mercury", "jupiter")
    make, check_id = FAULTS[fault]
    make(over_ssh.lab.hosts["mercury"], over_ssh.lab.hosts["jupiter"])
    execution.run(migration.pk)
    ended = over_ssh.reread(migration)
    assert ended.phase == Phase.FAILED
    assert blockers_of(ended) == [check_id]
    assert guest.where() == {"mercury": "running"}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda source, destination: source.forget_peers(), "does not know the host key"),
        (lambda source, destination: destination.refuse_root(), "cannot log in to libvirt"),
    ],
    ids=["host key not known", "key refused"],
)
def test_refused_login_of_the_source_is_found(
    over_ssh: Console, guest: LabGuest, make: Callable[[LabHost, LabHost], None], words: str
) -> None:
    jupiter = over_ssh.lab.hosts["jupiter"]
    over_ssh.set_host("jupiter", peer_address=jupiter.peer_uri("ssh"))
    migration = over_ssh.request(guest, "mercury", "jupiter")
    with borrowed(over_ssh.hosts["mercury"]), borrowed(over_ssh.hosts["jupiter"]):
        pass  # the console's own connections stand already and stay
    make(over_ssh.lab.hosts["mercury"], jupiter)
    execution.run(migration.pk)
    ended = over_ssh.reread(migration)
    assert blockers_of(ended) == ["libvirt.reachable"]
    found = next(finding for finding in ended.findings_data if finding["id"] == "libvirt.reachable")
    assert words in found["message"]
    assert found["commands"]
    assert (found["fix"] is not None) is ("host key" in words)


def test_of_healthy_hosts_only_what_nobody_can_tell_is_said(over_ssh: Console, guest: LabGuest) -> None:
    """No host of the lab keeps time: they share the kernel's clock, and none of them can say whether it is right."""
    moved = over_ssh.move(guest, "mercury", "jupiter")
    assert moved.phase == Phase.SUCCEEDED
    assert {finding["severity"] for finding in moved.findings_data} == {"info"}
    unknown = [finding for finding in moved.findings_data if finding["id"] == NOT_EVALUATED]
    assert {finding["subject"] for finding in unknown} == {
        "whether the clock of mercury is synchronised",
        "whether the clock of jupiter is synchronised",
    }


def test_hosts_that_cannot_be_asked_are_warned_of_and_still_move(console: Console, guest: LabGuest) -> None:
    moved = console.move(guest, "mercury", "jupiter")
    assert moved.phase == Phase.SUCCEEDED
    unknown = [finding for finding in moved.findings_data if finding["id"] == NOT_EVALUATED]
    assert {finding["severity"] for finding in unknown} == {"warning"}
    assert "what only mercury itself can tell" in {finding["subject"] for finding in unknown}


def test_both_hosts_are_read_anew_within_a_second_and_a_half(over_ssh: Console, guest: LabGuest) -> None:
    migration = over_ssh.request(guest, "mercury", "jupiter")
    source, destination = (Host.objects.get(name=name) for name in ("mercury", "jupiter"))
    with borrowed(source) as here, borrowed(destination) as there:
        started = time.monotonic()
        readings = preparation._read(migration, source, destination, MoveOptions(), here, there)
        took_s = time.monotonic() - started
    assert readings.source_probe is not None
    assert readings.source_probe.why_unknown == ""
    assert took_s < 1.5
