"""Remedies by hand: the right commands for the host's family and firewall, and no text that a shell would obey."""

from __future__ import annotations

import dataclasses
import shlex

import pytest

from hosts.facts.address import parse_address
from hosts.facts.probe import FAMILIES
from jobs.preflight import by_hand_network as network
from jobs.preflight import by_hand_system as system
from jobs.preflight.context import HostSide
from jobs.preflight.findings import Commands, FixKind
from jobs.preflight.registry import run_checks
from tests.jobs.builders import context, host_probe, side, with_probe
from tests.jobs.preflight.situations import NEW_KEY, NO_KEY, over_ssh

EVIL = "x$(reboot)'; reboot; \""


def host(**changes) -> HostSide:
    return side("jupiter", probe=host_probe("jupiter", **changes))


def text(commands: tuple[Commands, ...]) -> str:
    return "\n".join(line for one in commands for line in one.lines)


@pytest.mark.parametrize(
    ("firewall", "line"),
    [
        ("firewalld", "firewall-cmd --permanent --add-port=49152-49215/tcp"),
        ("ufw", "ufw allow 49152:49215/tcp"),
        ("nftables", "nft insert rule inet filter input tcp dport 49152-49215 accept"),
        ("iptables", "iptables -I INPUT -p tcp --dport 49152:49215 -j ACCEPT"),
    ],
)
def test_ports_are_opened_in_the_firewall_that_runs(firewall, line):
    (commands,) = network.open_ports(host(firewall=firewall, family="suse"), 49152, 49215)
    assert line in commands.lines
    assert commands.family == "suse"


@pytest.mark.parametrize(
    ("family", "words"),
    [("suse", "firewall-cmd"), ("redhat", "firewall-cmd"), ("debian", "ufw allow 16509/tcp")],
)
def test_ports_are_opened_in_the_usual_firewall_where_none_is_known(family, words):
    assert words in text(network.open_ports(host(firewall="", family=family), 16509, 16509))


def test_all_families_are_given_where_the_hosts_own_is_not_known():
    for commands in (
        network.open_ports(side("jupiter", probe=None), 49152, 49215),
        network.listen_for_libvirt(side("jupiter", probe=None), "ssh"),
        system.change_user_id(side("jupiter", probe=None), 107, 64055),
        system.change_group_id(side("jupiter", probe=None), "kvm", 36, 108),
        system.synchronise_clock(side("jupiter", probe=None)),
        system.update_microcode(side("jupiter", probe=None)),
        system.export_directory(side("jupiter", probe=None), "/srv/vm", "mercury"),
        system.mount_as_pool(side("jupiter", probe=None), "VM", "mercury", "/srv/vm", "/vm"),
    ):
        assert tuple(one.family for one in commands) == FAMILIES


@pytest.mark.parametrize(
    ("family", "user"), [("debian", "libvirt-qemu"), ("suse", "qemu"), ("redhat", "qemu")]
)
def test_ids_are_changed_with_the_right_names_and_numbers(family, user):
    to = host(family=family)
    assert f"usermod -u 64055 {user}" in text(system.change_user_id(to, 107, 64055))
    assert "-uid 107 -exec chown -h 64055" in text(system.change_user_id(to, 107, 64055))
    assert "groupmod -g 108 kvm" in text(system.change_group_id(to, "kvm", 36, 108))
    assert f"groupmod -g 5 {user}" in text(system.change_group_id(to, "qemu", 4, 5))


@pytest.mark.parametrize(
    ("family", "command"), [("debian", "apt-get"), ("suse", "zypper"), ("redhat", "dnf")]
)
def test_packages_come_from_the_familys_own_tool(family, command):
    to = host(family=family)
    for commands in (
        system.synchronise_clock(to),
        system.update_microcode(to),
        system.export_directory(to, "/srv/vm", "mercury"),
    ):
        assert command in text(commands)
        assert [one.family for one in commands] == [family]


@pytest.mark.parametrize(
    ("transport", "words"), [("tcp", "libvirtd-tcp.socket"), ("tls", "virtproxyd-tls.socket")]
)
def test_remote_access_is_enabled_by_sockets(transport, words):
    assert words in text(network.listen_for_libvirt(host(), transport))


def test_name_is_added_with_the_hosts_own_address():
    to = dataclasses.replace(host(), migration_address="")
    assert "echo '10.99.0.2 jupiter' >> /etc/hosts" in text(
        network.add_to_hosts(side("mercury"), "jupiter", to)
    )
    unknown = side("jupiter", probe=None)
    assert "ADDRESS jupiter" in text(network.add_to_hosts(side("mercury"), "jupiter", unknown))


def test_login_of_root_uses_the_port_of_the_address():
    address = "qemu+ssh://root@jupiter:2222/system"
    lines = text(network.log_in_as_root(side("mercury"), parse_address(address), address))
    assert "ssh-copy-id -p 2222 root@jupiter" in lines
    assert f"virsh -c {address} uri" in lines


@pytest.mark.parametrize("evil", [EVIL, "a b", "a&reboot", "a\nreboot", "*"])
def test_text_from_a_description_is_one_word_of_a_shell(evil):
    lines = text(network.copy_network(side("mercury"), side("jupiter"), evil))
    lines += "\n" + text(system.export_directory(host(), evil, evil))
    shown = evil if evil.isprintable() else "NAME"
    for line in lines.splitlines():
        words = shlex.split(line, comments=True)
        assert "reboot" not in words
        assert "&reboot" not in words
    start = next(line for line in lines.splitlines() if "net-start" in line)
    assert shlex.split(start) == ["virsh", "net-start", shown]


def test_unknown_host_key_can_be_accepted_by_a_button_and_a_changed_one_cannot():
    (unknown,) = [finding for finding in run_checks(over_ssh(NO_KEY)) if finding.id == "libvirt.reachable"]
    assert unknown.fix is not None
    assert unknown.fix.kind is FixKind.ACCEPT_HOST_KEY
    assert unknown.commands
    (changed,) = [finding for finding in run_checks(over_ssh(NEW_KEY)) if finding.id == "libvirt.reachable"]
    assert changed.fix is None
    assert "another SSH host key" in changed.remedy


def test_clock_is_set_right_on_both_hosts():
    wrong = with_probe(context(), "destination", clock_offset_ms=60_000)
    (found,) = [finding for finding in run_checks(wrong) if finding.id == "time.host"]
    assert {one.host for one in found.commands} == {"mercury", "jupiter"}
