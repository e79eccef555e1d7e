"""Moves between real hosts through the services: what was asked for, what both hosts say, what the row says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from jobs.engine.phases import Phase
from jobs.models import Migration
from tests.jobs.console import Console, OnHost, check_ended_row
from tests.lab import Lab
from tests.lab.guest import LabGuest
from tests.waiting import wait_until

pytestmark = pytest.mark.lab

NAMES = ("mercury", "jupiter")
PRECOPY = ["queued", "preparing", "transferring", "confirming", "succeeded"]
POSTCOPY = ["queued", "preparing", "transferring", "postcopy", "confirming", "succeeded"]
# "..MP-BIOS bug: 8254 timer" is what the emulated board always says; the kernel shouts its own.
BROKEN = re.compile(r"BUG:|Kernel panic|Oops|soft lockup|I/O error")


@dataclass
class Traveller:
    """A guest that goes from test to test, to and fro, so that each move also meets what earlier ones left."""

    console: Console
    guest: LabGuest
    uuid: str
    here: str

    @property
    def there(self) -> str:
        return NAMES[1 - NAMES.index(self.here)]

    def move(self, **options: Any) -> Migration:
        return self.console.move(self.guest, self.here, self.there, **options)


@pytest.fixture
def traveller(console: Console) -> Traveller:
    """It runs on exactly one host and is defined there; a guest that an earlier test left otherwise is replaced."""
    lab = console.lab
    guest = lab.guests.get("traveller")
    if guest is not None:
        known = console.on_hosts(guest.uuid) if guest.where() else {}
        if [known[name].state for name in known] == ["running"] and guest.ping(2):
            (here,) = known
            lab.hosts[here].virsh("autostart", "--disable", guest.name)
            return Traveller(console, guest, guest.uuid, here)
    lab.reset()
    guest = lab.create_guest("mercury", "traveller")
    guest.wait_until_answering()
    return Traveller(console, guest, guest.uuid, "mercury")


@pytest.fixture
def emptied(console: Console) -> Iterator[Lab]:
    """For guests of a test's own: they are removed when it ends."""
    before = set(console.lab.guests)
    yield console.lab
    for name, guest in console.lab.guests.items():
        if name not in before:
            console.lab.remove_guest(guest)


def check_alive(guest: LabGuest, before: int, serial_hosts: tuple[str, ...] = NAMES) -> None:
    """It answers, goes on counting, and no number is missing on its disk."""
    wait_until(lambda: guest.ping(0.5), 30, f"{guest.name} answers pings")
    wait_until(lambda: guest.disk_sequence() > before + 1, 15, f"{guest.name} goes on counting")
    numbers = guest.disk_numbers()
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    for host in serial_hosts:
        assert not BROKEN.search(guest.serial_text(host))


def check_success(migration: Migration, *, phases: list[str] = PRECOPY) -> None:
    """What must hold of every row of a guest that was moved."""
    assert migration.phase == Phase.SUCCEEDED, (migration.outcome_sentence, migration.error_text)
    assert check_ended_row(migration) == phases
    assert migration.verdict == "moved"
    assert (migration.error_text, migration.error_meaning, migration.error_remedy) == ("", "", "")
    assert migration.leftovers_data == []
    hosts, disks = migration.verified_data[:2], migration.verified_data[2:]
    assert [": asked, " in sentence for sentence in hosts] == [True, True]
    assert bool(disks) == bool(migration.volumes_data)
    assert migration.worker
    assert migration.saved_xml["inactive" if "inactive" in migration.saved_xml else "active"].startswith(
        "<domain"
    )
    assert migration.plan_digest


def check_measured(migration: Migration) -> None:
    """Duration and downtime are libvirt's own, from the record of this very job."""
    statistics = migration.statistics_data
    assert statistics["type"] == "completed"
    assert migration.duration_ms == statistics["time_elapsed_ms"]
    assert migration.downtime_ms == statistics["downtime_ms"]
    took_ms = (migration.ended_at - migration.started_at).total_seconds() * 1000  # type: ignore[operator]
    assert 0 < migration.downtime_ms <= migration.duration_ms <= took_ms  # type: ignore[operator]


@dataclass(frozen=True)
class Way:
    """One way to move a running guest, and what it changes in the expectation."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)
    peer: str = "tcp"
    words: tuple[str, ...] = ()  # in the virsh line
    measured: bool = True
    phases: tuple[str, ...] = tuple(PRECOPY)


WAYS = (
    Way("peer-to-peer", words=("--live", "--p2p", "--persistent", "--undefinesource")),
    Way("direct", {"control": "direct"}, words=("--live",)),
    Way("tunnelled", {"control": "tunnelled"}, words=("--p2p", "--tunnelled")),
    Way("tls", {"tls": True}, peer="tls", words=("--tls",)),
    Way("parallel", {"parallel": True, "parallel_connections": 3}, words=("--parallel-connections 3",)),
    Way("non-live", {"kind": "non-live"}),
    Way(
        "post-copy",
        {
            "postcopy": True,
            "bandwidth_mib_per_s": 20,
            "timeout_s": 1,
            "timeout_action": "postcopy",
            "postcopy_bandwidth_mib_per_s": 40,
        },
        words=("--postcopy", "--timeout 1", "--timeout-postcopy"),
        measured=False,
        phases=tuple(POSTCOPY),
    ),
    # A quiet guest has arrived before its second pass: nothing is left to be copied afterwards.
    Way(
        "post-copy after pre-copy",
        {"postcopy": True, "postcopy_after_precopy": True},
        words=("--postcopy", "--postcopy-after-precopy"),
    ),
    Way("auto-converge", {"auto_converge": True, "bandwidth_mib_per_s": 200}, words=("--auto-converge",)),
    Way("abort on error", {"abort_on_error": True, "change_protection": True}),
)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_running_guest_moves(traveller: Traveller, way: Way) -> None:
    console, guest, here, there = traveller.console, traveller.guest, traveller.here, traveller.there
    peer = f"qemu+{way.peer}://{console.lab.hosts[there].address}/system"
    console.set_host(there, peer_address=peer)
    before = guest.disk_sequence()
    with guest.ping_gap_ms() as gap:
        migration = traveller.move(**way.options)
        check_alive(guest, before)
    check_success(migration, phases=list(way.phases))
    assert console.on_hosts(traveller.uuid) == {
        there: OnHost(guest.name, "running", persistent=True, autostart=False)
    }
    assert console.inventory(traveller.uuid) == {there: "running"}
    assert migration.source_state == "not there"
    assert migration.destination_state.startswith("running")
    assert all(word in migration.virsh_line for word in way.words)
    assert (migration.source_name, migration.destination_name) == (here, there)
    assert "<" not in migration.outcome_sentence
    if way.measured:
        check_measured(migration)
        # Outside it cannot have been shorter than libvirt says, but for one interval between two pings.
        assert gap.longest_ms + 40 >= (migration.downtime_ms or 0)


def test_timeout_suspends_the_guest_and_it_goes_on_at_the_destination(traveller: Traveller) -> None:
    guest, before = traveller.guest, traveller.guest.disk_sequence()
    migration = traveller.move(
        bandwidth_mib_per_s=20, timeout_s=1, timeout_action="suspend", auto_converge=True
    )
    check_success(migration)
    check_measured(migration)
    sentences = [line.sentence for line in migration.transitions.all()]
    assert any("Paused the guest after 1 s, as asked" in sentence for sentence in sentences)
    assert migration.destination_state.startswith("running")
    check_alive(guest, before)


def test_suspended_guest_waits_at_the_destination(traveller: Traveller) -> None:
    console, guest, there = traveller.console, traveller.guest, traveller.there
    before = guest.disk_sequence()
    migration = traveller.move(suspend=True)
    check_success(migration)
    assert console.on_hosts(traveller.uuid) == {
        there: OnHost(guest.name, "paused", persistent=True, autostart=False)
    }
    assert console.inventory(traveller.uuid) == {there: "paused"}
    assert migration.destination_state.startswith("paused")
    assert not guest.ping(0.5)
    console.lab.hosts[there].virsh("resume", guest.name)
    check_alive(guest, before)


def test_guest_paused_before_the_move_is_paused_after_it(traveller: Traveller) -> None:
    console, guest, here, there = traveller.console, traveller.guest, traveller.here, traveller.there
    before = guest.disk_sequence()
    console.lab.hosts[here].virsh("suspend", guest.name)
    migration = traveller.move(kind="non-live")
    check_success(migration)
    assert console.on_hosts(traveller.uuid) == {
        there: OnHost(guest.name, "paused", persistent=True, autostart=False)
    }
    console.lab.hosts[there].virsh("resume", guest.name)
    check_alive(guest, before)


def test_bandwidth_cap_of_a_host_holds_back_a_move_that_asked_for_more(traveller: Traveller) -> None:
    traveller.console.set_host(traveller.there, bandwidth_cap_mib_per_s=40)
    migration = traveller.move(bandwidth_mib_per_s=4000)
    check_success(migration)
    check_measured(migration)
    assert migration.plan_data["order"]["parameters"]["bandwidth"] == 40
    assert "--bandwidth 40" in migration.virsh_line
    rate = migration.statistics_data["memory_processed_bytes"] / (migration.duration_ms / 1000)  # type: ignore[operator]
    assert rate < 60 * 2**20


def test_autostart_is_carried_to_the_new_host(traveller: Traveller) -> None:
    console, guest, here, there = traveller.console, traveller.guest, traveller.here, traveller.there
    console.lab.hosts[here].virsh("autostart", guest.name)
    migration = traveller.move()
    check_success(migration)
    assert console.on_hosts(traveller.uuid) == {
        there: OnHost(guest.name, "running", persistent=True, autostart=True)
    }
    assert migration.source_autostart is True
    assert any("starts with" in line.sentence for line in migration.transitions.all())


def test_kept_definition_stays_shut_off_and_does_not_start_by_itself(traveller: Traveller) -> None:
    """A source that starts its old definition at the next boot would run the guest twice."""
    console, guest, here, there = traveller.console, traveller.guest, traveller.here, traveller.there
    before = guest.disk_sequence()
    console.lab.hosts[here].virsh("autostart", guest.name)
    migration = traveller.move(undefine_source=False)
    check_success(migration)
    assert console.on_hosts(traveller.uuid) == {
        here: OnHost(guest.name, "shut off", persistent=True, autostart=False),
        there: OnHost(guest.name, "running", persistent=True, autostart=True),
    }
    assert console.inventory(traveller.uuid) == {here: "shut off", there: "running"}
    assert migration.source_state == "shut off (migrated)"
    check_alive(guest, before)
    console.lab.hosts[here].virsh("undefine", guest.name)


def test_temporary_guest_leaves_its_definition_at_home(traveller: Traveller) -> None:
    console, guest, here, there = traveller.console, traveller.guest, traveller.here, traveller.there
    migration = traveller.move(persistent=False, undefine_source=False)
    check_success(migration)
    assert console.on_hosts(traveller.uuid) == {
        here: OnHost(guest.name, "shut off", persistent=True, autostart=False),
        there: OnHost(guest.name, "running", persistent=False, autostart=False),
    }
    assert any("without a definition kept there" in sentence for sentence in migration.verified_data)
    # And home again: the old definition there is its own, with the same UUID.
    back = console.move(guest, there, here)
    check_success(back)
    assert console.on_hosts(traveller.uuid) == {
        here: OnHost(guest.name, "running", persistent=True, autostart=False)
    }


def test_guest_is_renamed_at_the_destination(console: Console, emptied: Lab) -> None:
    guest = emptied.create_guest("mercury", "oldname", pool=None)
    guest.wait_until_answering()
    uuid = guest.uuid
    migration = console.move(guest, "mercury", "jupiter", destination_name="new-name")
    check_success(migration)
    assert console.on_hosts(uuid) == {
        "jupiter": OnHost("new-name", "running", persistent=True, autostart=False)
    }
    assert console.inventory(uuid) == {"jupiter": "running"}
    wait_until(guest.ping, 10, "the renamed guest answers")
    console.lab.hosts["jupiter"].virsh("destroy", "new-name")
    console.lab.hosts["jupiter"].virsh("undefine", "new-name")


def test_transient_guest_is_moved_and_gets_a_definition_when_asked(console: Console, emptied: Lab) -> None:
    guest = emptied.create_guest("mercury", "transient", persistent=False, pool=None)
    guest.wait_until_answering()
    uuid = guest.uuid
    migration = console.move(guest, "mercury", "jupiter")
    check_success(migration)
    assert console.on_hosts(uuid) == {
        "jupiter": OnHost("transient", "running", persistent=True, autostart=False)
    }
    assert "inactive" not in migration.saved_xml


def test_copied_disk_arrives_with_its_guest(console: Console, emptied: Lab) -> None:
    guest = emptied.create_guest("mercury", "homebody", pool="local", disk_format="qcow2")
    guest.wait_until_answering()
    uuid, before = guest.uuid, guest.disk_sequence()
    migration = console.move(guest, "mercury", "jupiter", storage="copy-all")
    check_success(migration)
    check_measured(migration)
    assert console.on_hosts(uuid) == {
        "jupiter": OnHost("homebody", "running", persistent=True, autostart=False)
    }
    assert migration.plan_data["switch_over"] == "arrive-paused"
    assert any("Resumed homebody on jupiter" in line.sentence for line in migration.transitions.all())
    assert migration.statistics_data["disk_total_bytes"] > 0
    check_alive(guest, before)


def test_shut_off_guest_moves_as_a_definition(console: Console, emptied: Lab) -> None:
    guest = emptied.create_guest("mercury", "sleeper", start=False)
    uuid = guest.uuid
    emptied.hosts["mercury"].virsh("autostart", "sleeper")
    migration = console.move(guest, "mercury", "jupiter", kind="offline")
    check_success(migration)
    assert console.on_hosts(uuid) == {
        "jupiter": OnHost("sleeper", "shut off", persistent=True, autostart=True)
    }
    assert console.inventory(uuid) == {"jupiter": "shut off"}
    assert migration.destination_state.startswith("shut off")
    assert migration.downtime_ms is None, "nothing ran, so nothing was measured"
    assert migration.statistics_data == {}
    emptied.hosts["jupiter"].virsh("start", "sleeper")
    guest.wait_until_answering()


def test_offline_move_does_not_inherit_the_figures_of_the_live_move_before_it(traveller: Traveller) -> None:
    console, guest, here, there = traveller.console, traveller.guest, traveller.here, traveller.there
    check_measured(traveller.move())
    console.lab.hosts[there].virsh("destroy", guest.name)
    migration = console.move(guest, there, here, kind="offline")
    check_success(migration)
    assert console.on_hosts(traveller.uuid) == {
        here: OnHost(guest.name, "shut off", persistent=True, autostart=False)
    }
    assert migration.downtime_ms is None
    assert migration.statistics_data == {}
