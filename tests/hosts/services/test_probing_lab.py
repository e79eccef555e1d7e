"""What hosts cannot tell by libvirt, read and kept: by the inventory, for a guest, for two hosts without one."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from hosts import tasks
from hosts.facts.codec import from_data
from hosts.facts.probe import HostProbe, PeerProbe, ProbeState
from hosts.models import Host, PairReading
from hosts.services import bells, host_pairs, pairs, probing
from hosts.services.inventory import refresh_host
from tests.jobs.console import Console
from tests.lab import Lab

pytestmark = pytest.mark.lab


@pytest.fixture
def over_ssh(lab: Lab, bells: None, transactional_db: None) -> Console:
    return Console(lab, transport="ssh").connect()


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The bells that were rung, and not answered."""
    found: list[tuple[Any, ...]] = []

    def ring(task: str, *ids: int, queue: str = bells.CONTROL) -> bool:
        found.append((task, *ids))
        return True

    monkeypatch.setattr(probing, "ring", ring)
    monkeypatch.setattr(host_pairs, "ring", ring)
    return found


def read_again(host: Host) -> Host:
    return Host.objects.get(pk=host.pk)


def test_probe_is_kept_with_its_time(over_ssh: Console) -> None:
    mercury = over_ssh.hosts["mercury"]
    tasks.probe_host_task(mercury.pk)
    kept = read_again(mercury)
    assert kept.probe is not None
    assert (kept.probe.why_unknown, kept.probe.qemu_uid) == ("", 0)
    assert kept.probed_at is not None
    assert timezone.now() - kept.probed_at < timedelta(seconds=10)


def test_host_without_ssh_says_why_it_is_not_known(console: Console) -> None:
    mercury = console.hosts["mercury"]
    tasks.probe_host_task(mercury.pk)
    kept = read_again(mercury).probe
    assert kept == HostProbe(why_unknown="mercury is not connected by SSH and has no probe login.")


def test_host_is_asked_over_its_probe_login(console: Console) -> None:
    address = console.lab.hosts["mercury"].address
    console.set_host("mercury", probe_address=f"ssh://root@{address}")
    assert probing.read_probe(console.hosts["mercury"]).why_unknown == ""


def test_refresh_asks_at_most_once_a_minute(over_ssh: Console, rung: list[tuple[Any, ...]]) -> None:
    mercury = over_ssh.hosts["mercury"]
    tasks.refresh_host_task(mercury.pk)
    tasks.refresh_host_task(mercury.pk)
    bell = ("hosts.tasks.probe_host_task", mercury.pk)
    assert rung == [bell]  # asked, not answered yet
    probing.read_probe(mercury)
    rung.clear()
    tasks.refresh_host_task(mercury.pk)
    assert rung == []


def test_disabled_host_is_not_asked(over_ssh: Console) -> None:
    over_ssh.set_host("mercury", enabled=False)
    tasks.probe_host_task(over_ssh.hosts["mercury"].pk)
    assert read_again(over_ssh.hosts["mercury"]).probe_data is None


def test_reading_a_pair_makes_both_clocks_fresh(over_ssh: Console, clean_lab: Lab) -> None:
    guest = clean_lab.create_guest("mercury", "probed")
    for host in over_ssh.hosts.values():
        refresh_host(host)
    row, jupiter = over_ssh.find(guest, "mercury"), over_ssh.hosts["jupiter"]
    pairs.read_pair(row, jupiter)
    kept = PairReading.objects.get(domain_uuid=row.domain_uuid)
    peer = from_data(kept.peer_probe_data, PeerProbe)
    assert peer.libvirt_login.state is peer.last_migration_port.state is ProbeState.OPEN
    disk = row.reading.facts.disks[0].source_path
    assert peer.source_files[disk] == peer.destination_files[disk]
    assert all(read_again(host).probe is not None for host in over_ssh.hosts.values())


def test_two_hosts_are_read_without_a_guest(over_ssh: Console) -> None:
    mercury, jupiter = over_ssh.hosts["mercury"], over_ssh.hosts["jupiter"]
    started = time.monotonic()
    tasks.read_host_pair_task(mercury.pk, jupiter.pk)
    assert time.monotonic() - started < 5  # two new connections in it
    pair = host_pairs.find_host_pair(mercury, jupiter)
    assert pair is not None
    assert pair.error == ""
    assert host_pairs.is_fresh(pair)
    cpus = host_pairs.host_cpus(pair)
    assert cpus is not None
    assert {cpu.result for cpu in cpus} <= {"identical", "superset"}
    assert from_data(pair.peer_probe_data, PeerProbe).libvirt_login.state is ProbeState.OPEN


def test_pair_with_a_silent_host_says_so(over_ssh: Console, clean_lab: Lab) -> None:
    mercury, jupiter = over_ssh.hosts["mercury"], over_ssh.hosts["jupiter"]
    clean_lab.hosts["jupiter"].kill_sshd()
    pair = host_pairs.read_host_pair(mercury, jupiter)
    assert "jupiter" in pair.error
    assert host_pairs.host_cpus(pair) is None
    assert read_again(jupiter).probe != HostProbe()
    there = read_again(jupiter).probe
    assert there is not None
    assert there.why_unknown


def test_pair_is_asked_for_once_at_a_time(over_ssh: Console, rung: list[tuple[Any, ...]]) -> None:
    mercury, jupiter = over_ssh.hosts["mercury"], over_ssh.hosts["jupiter"]
    host_pairs.request_host_pairs(mercury, [jupiter])
    host_pairs.request_host_pairs(mercury, [jupiter])
    assert rung == [("hosts.tasks.read_host_pair_task", mercury.pk, jupiter.pk)]
    host_pairs.read_host_pair(mercury, jupiter)
    rung.clear()
    host_pairs.request_host_pairs(mercury, [jupiter])
    assert rung == []
