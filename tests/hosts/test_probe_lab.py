"""What hosts say of themselves and of each other over SSH: real hosts, real faults."""

from __future__ import annotations

import dataclasses
import time

import pytest

from hosts.driver import diagnose
from hosts.driver.probe import HostAnswer, PeerQuestion, probe_host
from hosts.facts.probe import ProbeState
from hosts.ports import ConnectionSpec
from tests.hosts.conftest import SpecFor
from tests.lab import Lab

pytestmark = pytest.mark.lab


@pytest.fixture
def mercury(spec_for: SpecFor) -> ConnectionSpec:
    return spec_for("mercury", "ssh")


def ask_of_jupiter(lab: Lab, spec: ConnectionSpec, transport: str = "ssh", **changes: object) -> HostAnswer:
    """Mercury, or whoever `spec` is, about jupiter."""
    jupiter = lab.hosts["jupiter"]
    question = PeerQuestion(jupiter.peer_uri(transport), "jupiter", 49152, 49215)  # type: ignore[arg-type]
    return probe_host(spec, peer=dataclasses.replace(question, **changes))  # type: ignore[arg-type]


def test_both_hosts_say_what_they_are(lab: Lab, spec_for: SpecFor) -> None:
    for name, host in lab.hosts.items():
        probe = probe_host(spec_for(name, "ssh")).itself
        assert probe.why_unknown == ""
        assert probe.family in {"debian", "suse", "redhat"}
        assert probe.system
        assert probe.clock_offset_ms is not None
        assert probe.clock_error_ms is not None
        assert abs(probe.clock_offset_ms) <= probe.clock_error_ms + 5
        assert probe.qemu_uid == 0  # as the lab's qemu.conf says
        assert probe.kvm_gid == int(host.run(["getent", "group", "kvm"]).stdout.split(":")[2])
        assert f"{host.address}/24" in probe.link_addresses["br0"]
        assert "br0" in probe.links
        assert "lo" not in probe.links
        assert probe.firewall == "none"
        assert probe.image_directory == "/var/lib/libvirt/images"
        assert probe.image_file_system
        assert probe.microcode.startswith("0x")
        assert probe.userfaultfd


def test_an_answer_takes_one_short_round_trip(lab: Lab, mercury: ConnectionSpec) -> None:
    started = time.monotonic()
    answer = ask_of_jupiter(lab, mercury)
    assert time.monotonic() - started < 3  # with a login of the source to the destination in it
    assert answer.peer.libvirt_login.state is ProbeState.OPEN
    assert answer.itself.clock_error_ms is not None
    assert answer.itself.clock_error_ms < 500  # the login is not in it


def test_source_says_what_it_sees_of_its_peer(lab: Lab, mercury: ConnectionSpec) -> None:
    seen = ask_of_jupiter(lab, mercury, disk_port=49300).peer
    assert seen.name_resolves.detail == lab.hosts["jupiter"].address
    for probe in (seen.name_resolves, seen.libvirt_login, seen.libvirt_port):
        assert probe.state is ProbeState.OPEN
    for probe in (seen.migration_port, seen.last_migration_port, seen.disk_port):
        assert probe.state is ProbeState.OPEN
        assert "refused" in probe.detail
    assert (seen.tried_ports, seen.tried_disk_port) == ((49152, 49215), 49300)


def test_files_are_known_by_what_they_are_not_by_their_path(lab: Lab, spec_for: SpecFor) -> None:
    shared = "/var/lib/libvirt/images/VM/probed.img"
    evil = "/tmp/$(touch /tmp/evil)'\";reboot"
    paths = (shared, "/etc/hostname", "/nowhere", evil, "relative", "/a\nb")
    lab.hosts["mercury"].run(["sh", "-c", f"echo probed > {shared}"])
    try:
        here, there = (probe_host(spec_for(name, "ssh"), paths=paths) for name in ("mercury", "jupiter"))
    finally:
        lab.hosts["mercury"].run(["rm", "-f", shared])
    assert here.files.keys() == there.files.keys() == {shared, "/etc/hostname"}
    assert here.files[shared].inode == there.files[shared].inode
    assert here.files["/etc/hostname"].inode != there.files["/etc/hostname"].inode
    assert here.peer.file_systems[shared] == "fuseblk"
    assert not lab.hosts["mercury"].path("/tmp/evil").exists()


def test_skewed_clock_is_seen(clean_lab: Lab, mercury: ConnectionSpec) -> None:
    clean_lab.hosts["mercury"].skew_clock(7.5)
    probe = probe_host(mercury).itself
    assert probe.clock_offset_ms == pytest.approx(7500, abs=300)
    clean_lab.hosts["mercury"].restore()
    assert probe_host(mercury).itself.clock_offset_ms == pytest.approx(0, abs=300)


def test_other_ids_are_seen(clean_lab: Lab, mercury: ConnectionSpec) -> None:
    host = clean_lab.hosts["mercury"]
    host.set_group_id("kvm", 4242)
    host.set_qemu_user("libvirt-qemu", 4343)
    probe = probe_host(mercury).itself
    assert (probe.kvm_gid, probe.qemu_uid) == (4242, 4343)
    host.restore()
    assert probe_host(mercury).itself.qemu_uid == 0


@pytest.mark.parametrize("how", ["drop", "reject"])
def test_closed_migration_ports_are_seen(
    clean_lab: Lab, mercury: ConnectionSpec, spec_for: SpecFor, how
) -> None:
    jupiter = clean_lab.hosts["jupiter"]
    jupiter.block_ports(49152, 49215, how)
    seen = ask_of_jupiter(clean_lab, mercury, "tcp").peer
    itself = probe_host(spec_for("jupiter", "ssh")).itself
    assert itself.firewall == "nftables"
    if how == "drop":
        assert seen.migration_port.state is seen.last_migration_port.state is ProbeState.FILTERED
    else:
        # A reset by a rule looks like a port without a listener; the host itself tells them apart.
        assert itself.reset_ports == ((49152, 49215),)


def test_only_the_last_port_closed_is_seen(clean_lab: Lab, mercury: ConnectionSpec) -> None:
    clean_lab.hosts["jupiter"].block_ports(49215, 49215)
    seen = ask_of_jupiter(clean_lab, mercury, "tcp").peer
    assert seen.migration_port.state is ProbeState.OPEN
    assert seen.last_migration_port.state is ProbeState.FILTERED


def test_libvirt_that_does_not_listen_is_told_from_a_firewall(
    clean_lab: Lab, mercury: ConnectionSpec
) -> None:
    refused = ask_of_jupiter(clean_lab, mercury, address="qemu+tcp://jupiter:9/system").peer
    assert (refused.libvirt_port.state, refused.libvirt_login.state) == (ProbeState.FAILED, ProbeState.FAILED)
    clean_lab.hosts["jupiter"].block_ports(16509, 16509)
    silent = ask_of_jupiter(clean_lab, mercury, "tcp").peer
    assert (silent.libvirt_port.state, silent.libvirt_login.state) == (
        ProbeState.FILTERED,
        ProbeState.FILTERED,
    )


def test_login_with_an_unknown_host_key_and_without_a_key_are_told_apart(
    clean_lab: Lab, mercury: ConnectionSpec
) -> None:
    clean_lab.hosts["mercury"].forget_peers()
    unknown = ask_of_jupiter(clean_lab, mercury).peer.libvirt_login
    assert unknown.state is ProbeState.FAILED
    assert "Host key verification failed" in unknown.detail
    clean_lab.hosts["mercury"].restore()
    clean_lab.hosts["jupiter"].refuse_root()
    refused = ask_of_jupiter(clean_lab, mercury).peer.libvirt_login
    assert refused.state is ProbeState.FAILED
    assert "Permission denied" in refused.detail


def test_name_that_does_not_resolve_is_said(lab: Lab, mercury: ConnectionSpec) -> None:
    seen = ask_of_jupiter(lab, mercury, address="", host="nowhere.invalid", first_port=0, last_port=0).peer
    assert seen.name_resolves.state is ProbeState.FAILED
    assert {seen.libvirt_login.state, seen.libvirt_port.state, seen.migration_port.state} == {
        ProbeState.UNKNOWN
    }


@pytest.mark.parametrize(
    "odd",
    [
        {"address": "qemu+ssh://jupiter/system?command=/bin/sh"},
        {"host": "-oProxyCommand=reboot"},
        {"host": "jupiter; reboot"},
        {"disk_host": "$(reboot)", "disk_port": 1},
        {"first_port": 70000},
    ],
)
def test_odd_questions_are_never_asked(lab: Lab, mercury: ConnectionSpec, odd: dict[str, object]) -> None:
    answer = ask_of_jupiter(lab, mercury, **odd)  # type: ignore[arg-type]
    assert answer.itself.why_unknown
    assert {answer.peer.libvirt_login.state, answer.peer.migration_port.state} == {ProbeState.UNKNOWN}


def test_host_without_ssh_is_asked_over_its_probe_login(lab: Lab, spec_for: SpecFor) -> None:
    spec = spec_for("mercury", "tcp", ssh_private_key="")
    assert "no probe login" in probe_host(spec).itself.why_unknown
    key = spec_for("mercury").ssh_private_key
    login = f"ssh://root@{lab.hosts['mercury'].address}"
    by_login = dataclasses.replace(spec, probe_address=login, probe_private_key=key)
    assert probe_host(by_login).itself.system
    with_other_key = dataclasses.replace(by_login, probe_private_key="", ssh_private_key=key)
    assert probe_host(with_other_key).itself.system


def test_probe_login_with_a_key_that_was_never_accepted_is_refused(lab: Lab, spec_for: SpecFor) -> None:
    key = spec_for("mercury").ssh_private_key
    login = f"ssh://root@{lab.hosts['mercury'].address}"
    spec = spec_for("mercury", "tcp", known_hosts="", probe_address=login, probe_private_key=key)
    assert "has not been accepted" in probe_host(spec).itself.why_unknown


def test_host_that_refuses_the_login_says_why(lab: Lab, spec_for: SpecFor) -> None:
    spec = spec_for("mercury", "ssh", address=f"qemu+ssh://nobody@{lab.hosts['mercury'].address}/system")
    assert "Permission denied" in probe_host(spec).itself.why_unknown


def test_connection_test_takes_the_probe_login_and_offers_its_key(lab: Lab, spec_for: SpecFor) -> None:
    login = f"ssh://root@{lab.hosts['mercury'].address}"
    unknown = diagnose.test_connection(spec_for("mercury", "tcp", known_hosts="", probe_address=login))
    assert not unknown.ok
    assert unknown.offered_keys
    known = "".join(f"{key.line}\n" for key in unknown.offered_keys)
    accepted = diagnose.test_connection(spec_for("mercury", "tcp", known_hosts=known, probe_address=login))
    assert accepted.ok, accepted.steps
    assert any(login in step.words for step in accepted.steps)
    no_key = spec_for("mercury", "tcp", probe_address=login.replace("root", "nobody"))
    refused = diagnose.test_connection(no_key)
    assert not refused.ok
    assert any(step.words.startswith("The probe login of mercury fails") for step in refused.steps)


def test_key_of_the_connection_holds_for_the_probe_login_by_another_name(lab: Lab, spec_for: SpecFor) -> None:
    """It is the same host, so it has to show the same key; another host's key is refused."""
    address = lab.hosts["mercury"].address
    lines = lab.credentials.known_hosts_path.read_text().splitlines()
    keys = {line.split()[0].split(",")[0]: " ".join(line.split()[1:]) for line in lines}
    spec = spec_for(
        "mercury", "ssh", address="qemu+ssh://root@mercury/system", probe_address=f"ssh://root@{address}"
    )
    right = dataclasses.replace(spec, known_hosts=f"mercury {keys['mercury']}\n")
    assert probe_host(right).itself.why_unknown == ""
    wrong = dataclasses.replace(spec, known_hosts=f"mercury {keys['jupiter']}\n")
    assert "another host key than the accepted one" in probe_host(wrong).itself.why_unknown
