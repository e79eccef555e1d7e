"""What comes back from a host, to the letter: right, cut off, garbled, hostile."""

from __future__ import annotations

import pytest

from hosts.driver.asking import Answers, Said, parse_login, read_answers, usable_paths
from hosts.driver.host_probe import read_host_probe
from hosts.driver.probe import PeerQuestion, _libvirt_port, _login, _name, _port
from hosts.facts.probe import HostProbe, ProbeState

MARK = "0123456789abcdef"
NOTHING = HostProbe()


def answers(*lines: tuple[str, str], sent_s: float = 1000.0, took_s: float = 0.02) -> Answers:
    said: dict[str, list[Said]] = {}
    for key, text in lines:
        said.setdefault(key, []).append(Said(0, text))
    return Answers(said, sent_s, sent_s + took_s)


def probe(*lines: tuple[str, str]) -> HostProbe:
    return read_host_probe(answers(*lines))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"{MARK}\tuid\t0\t107\n", {"uid": [Said(0, "107")]}),
        (f"{MARK}\tlink\t0\tbr0\n{MARK}\tlink\t0\teth0", {"link": [Said(0, "br0"), Said(0, "eth0")]}),
        (f"Welcome!\n{MARK}\tready\n{MARK}\tuid\t0\t1\r\n", {"uid": [Said(0, "1")]}),
        ("", {}),
        (f"{MARK}\tuid\t0", {}),  # cut off
        ("fedcba9876543210\tuid\t0\t107\n", {}),  # another's mark
        (f" {MARK}\tuid\t0\t107\n", {}),
        (f"{MARK}\tuid\t-1\t107\n", {}),
        (f"{MARK}\tuid\t٣\t107\n", {}),
        (f"{MARK}\tuid\t0\t107\textra\n", {}),
        (f"{MARK}\tUID; reboot\t0\t107\n", {}),
        (f"{MARK}\tsystem\t0\t\x1b[31mred\x07\u202e\n", {"system": [Said(0, "[31mred")]}),
    ],
)
def test_only_lines_of_the_script_are_read(text: str, found: dict[str, list[Said]]) -> None:
    assert read_answers(text, MARK) == found


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("debian ", "debian"),
        ("ubuntu debian", "debian"),
        ("linuxmint ubuntu debian", "debian"),
        ("opensuse-leap suse opensuse", "suse"),
        ("opensuse-tumbleweed opensuse suse", "suse"),
        ("sles suse", "suse"),
        ("fedora ", "redhat"),
        ("rocky rhel centos fedora", "redhat"),
        ("arch ", ""),
        ("", ""),
    ],
)
def test_family_of_distributions(text: str, family: str) -> None:
    assert probe(("os", text)).family == family


@pytest.mark.parametrize(
    ("text", "offset_ms", "error_ms"),
    [
        ("1000010000000", None, None),  # neither seconds nor nanoseconds
        ("1764045069000000000", 1764044068990, 11),
        ("1764045069N", 1764044069490, 511),
        ("1764045069%N", 1764044069490, 511),
        ("yesterday", None, None),
        ("-1764045069000000000", None, None),
    ],
)
def test_clock(text: str, offset_ms: int | None, error_ms: int | None) -> None:
    found = probe(("clock", text))
    assert (found.clock_offset_ms, found.clock_error_ms) == (offset_ms, error_ms)


def test_clock_is_not_known_when_the_consoles_own_was_set_back_meanwhile() -> None:
    found = read_host_probe(answers(("clock", "1764045069000000000"), took_s=-3))
    assert found.clock_offset_ms is None


@pytest.mark.parametrize(
    ("key", "text", "synchronised"),
    [
        ("leap", "Leap status     : Normal", True),
        ("leap", "Leap status     : Not synchronised", False),
        ("leap", "Leap status     : Insert second", True),
        ("leap", "leap=00", True),
        ("leap", "leap=11", False),
        ("leap", "506 Cannot talk to daemon", None),
        ("synchronised", "System clock synchronized: yes", True),
        ("synchronised", "NTP synchronized: no", False),
        ("synchronised", "", None),
        ("synchronised", "synchronized: maybe", None),
    ],
)
def test_whether_the_clock_is_synchronised(key: str, text: str, synchronised: bool | None) -> None:
    assert probe((key, text)).clock_synchronised is synchronised


def test_ids_are_numbers_or_not_known() -> None:
    found = probe(
        ("uid", "64055"), ("group", "kvm:108"), ("group", "libvirt-qemu:64055"), ("group", "libvirt:112")
    )
    assert (found.qemu_uid, found.kvm_gid, found.qemu_gid, found.libvirt_gid) == (64055, 108, 64055, 112)
    assert probe(("group", "qemu:107")).qemu_gid == 107
    odd = probe(("uid", "0x10"), ("group", "kvm:"), ("group", "libvirt:-1"), ("group", "kvm"))
    assert (odd.qemu_uid, odd.kvm_gid, odd.libvirt_gid) == (None, None, None)


@pytest.mark.parametrize(
    ("rule", "ports"),
    [
        ("tcp dport 49152-49215 reject with tcp reset", ((49152, 49215),)),
        ("tcp dport 49152-49215 counter packets 0 bytes 0 reject with tcp reset", ((49152, 49215),)),
        (
            "tcp dport { 22, 49152-49160 } reject with tcp reset",
            ((22, 22), (49152, 49160)),
        ),
        ("tcp dport 22 reject with tcp reset", ((22, 22),)),
        ("ip saddr != 10.0.0.0/8 tcp dport 49152-49215 reject with tcp reset", ()),  # not for everybody
        ("tcp dport @blocked reject with tcp reset", ()),
        ("tcp dport ssh reject with tcp reset", ()),
        ("udp dport 53 reject", ()),
    ],
)
def test_rules_that_answer_with_a_reset(rule: str, ports: tuple[tuple[int, int], ...]) -> None:
    assert probe(("reset", rule)).reset_ports == ports


def test_addresses_belong_to_links() -> None:
    found = probe(
        ("address", "br0 10.99.0.1/24"),
        ("address", "br0 fd00::1/64"),
        ("address", "eth1 10.1.0.1"),  # a peer without a prefix
        ("address", "eth2 10.300.0.1/24"),
        ("address", "a/b 10.2.0.1/24"),
        ("link", "br0"),
        ("link", "../../etc"),
        ("link", "a-name-that-is-too-long"),
    )
    assert found.addresses == ("10.99.0.1/24", "fd00::1/64")
    assert found.link_addresses == {"br0": ("10.99.0.1/24", "fd00::1/64")}
    assert found.links == ("br0",)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("firewall", "off; reboot"),
        ("microcode", "'; DROP TABLE"),
        ("images", "/var/lib/libvirt/images <script>"),
        ("nested", "maybe"),
        ("userfaultfd", "2"),
        ("uid", "99999999999999"),
        ("nonsense", "text"),
    ],
)
def test_what_looks_odd_is_not_known(key: str, text: str) -> None:
    assert probe((key, text)) == NOTHING


def test_host_that_says_nothing_is_not_known() -> None:
    assert probe() == NOTHING


@pytest.mark.parametrize(
    ("value", "uid", "usable"), [("1", "107", True), ("0", "0", True), ("0", "107", None), ("", "0", None)]
)
def test_userfaultfd_is_for_root_where_it_is_not_for_all(value: str, uid: str, usable: bool | None) -> None:
    assert probe(("userfaultfd", value), ("uid", uid)).userfaultfd is usable


OPEN, FILTERED, FAILED, UNKNOWN = ProbeState.OPEN, ProbeState.FILTERED, ProbeState.FAILED, ProbeState.UNKNOWN


@pytest.mark.parametrize(
    ("said", "migration", "libvirt"),
    [
        (Said(0, ""), OPEN, OPEN),
        (Said(1, "bash: connect: Connection refused"), OPEN, FAILED),
        (Said(124, ""), FILTERED, FILTERED),
        (Said(1, "bash: connect: No route to host"), FILTERED, FILTERED),
        (Said(1, "bash: connect: Network is unreachable"), FILTERED, FILTERED),
        (Said(1, "jupiter: Name or service not known"), UNKNOWN, UNKNOWN),
        (Said(127, "neither bash nor nc on the host"), UNKNOWN, UNKNOWN),
        (None, UNKNOWN, UNKNOWN),
    ],
)
def test_answers_to_a_knock(said: Said | None, migration: ProbeState, libvirt: ProbeState) -> None:
    assert (_port(said).state, _libvirt_port(said).state) == (migration, libvirt)


@pytest.mark.parametrize(
    ("said", "state"),
    [
        (Said(0, "qemu+ssh://jupiter/system"), OPEN),
        (Said(1, "error: Host key verification failed."), FAILED),
        (Said(1, "error: Permission denied (publickey)"), FAILED),
        (Said(1, "sudo: a password is required"), UNKNOWN),
        (Said(127, "sh: virsh: not found"), UNKNOWN),
        (Said(124, ""), FILTERED),
        (None, UNKNOWN),
    ],
)
def test_answers_to_a_login(said: Said | None, state: ProbeState) -> None:
    assert _login(said).state is state


def test_answers_to_a_name() -> None:
    assert _name(Said(0, "10.0.0.1")).detail == "10.0.0.1"
    assert [_name(said).state for said in (Said(2, ""), Said(124, ""), None)] == [FAILED, FAILED, UNKNOWN]


def test_knocks_go_where_the_data_goes() -> None:
    question = PeerQuestion("qemu+tls://[fd00::2]/system", "10.20.0.2", 49152, 49152, "10.30.0.2", 50000)
    assert [(knock.key, knock.host, knock.port) for knock in question.knocks()] == [
        ("libvirt", "fd00::2", 16514),
        ("first", "10.20.0.2", 49152),
        ("disk", "10.30.0.2", 50000),
    ]


def test_paths_that_cannot_be_asked_about_are_left_out() -> None:
    odd = ("relative", "/a\nb", "/a\tb", "/" + "x" * 2000, "/ok", "/ok")
    assert usable_paths(odd) == ("/ok",)
    assert len(usable_paths([f"/{number}" for number in range(500)])) == 128


@pytest.mark.parametrize(
    "text",
    [
        "root@mercury",
        "ssh://",
        "ssh://mercury/system",
        "ssh://mercury?x=1",
        "http://mercury",
        "ssh://a b",
        "",
    ],
)
def test_login_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_login(text)


def test_login_has_user_and_port() -> None:
    login = parse_login("ssh://vmprobe@[fd00::1]:2222/")
    assert (login.user, login.host, login.port) == ("vmprobe", "fd00::1", 2222)
