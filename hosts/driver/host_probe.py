"""What a host says of itself over SSH, from the lines of the script to facts. What looks odd is left out."""

from __future__ import annotations

import ipaddress
import math
import re
from typing import Final

from hosts.driver.asking import Answers
from hosts.facts.probe import HostProbe

MAX_LINKS: Final = 1000
_FAMILIES: Final = {
    "debian": "debian", "ubuntu": "debian", "suse": "suse", "opensuse": "suse", "sles": "suse", "sled": "suse",
    "rhel": "redhat", "fedora": "redhat", "centos": "redhat",
}  # fmt: skip
_FIREWALLS: Final = frozenset({"firewalld", "ufw", "nftables", "iptables", "none"})
_LINK: Final = re.compile(r"[!-.0-~]{1,15}", re.ASCII)  # IFNAMSIZ, no slash
_FILE_SYSTEM: Final = re.compile(r"[A-Za-z0-9_./()-]{1,60}", re.ASCII)
_MICROCODE: Final = re.compile(r"(0x)?[0-9A-Fa-f]{1,16}", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]{1,10}", re.ASCII)
_NANOSECONDS: Final = re.compile(r"[0-9]{19}", re.ASCII)
_SECONDS: Final = re.compile(r"([0-9]{10})%?N?", re.ASCII)  # of a date(1) without %N
_RESET_RULE: Final = re.compile(r"tcp dport (?:\{([0-9, -]+)\}|([0-9-]+))", re.ASCII)
_MAX_TEXT: Final = 100


def read_host_probe(answers: Answers) -> HostProbe:
    offset, error = _clock(answers)
    groups = _groups(answers)
    uid = _number(_first(answers, "uid"))
    addresses = _addresses(answers)
    directory, _, image_file_system = _first(answers, "images").partition(" ")
    known = _FILE_SYSTEM.fullmatch(image_file_system) is not None
    return HostProbe(
        family=_family(_first(answers, "os")),
        system=_first(answers, "system")[:_MAX_TEXT],
        clock_offset_ms=offset,
        clock_error_ms=error,
        clock_synchronised=_synchronised(answers),
        qemu_uid=uid,
        kvm_gid=groups.get("kvm"),
        qemu_gid=groups.get("libvirt-qemu", groups.get("qemu")),
        libvirt_gid=groups.get("libvirt"),
        firewall=_one_of(_first(answers, "firewall"), _FIREWALLS),
        reset_ports=_reset_ports(answers),
        addresses=tuple(dict.fromkeys(address for _, address in addresses)),
        link_addresses=_by_link(addresses),
        links=tuple(dict.fromkeys(filter(_LINK.fullmatch, answers.texts("link"))))[:MAX_LINKS],
        microcode=_matching(_MICROCODE, _first(answers, "microcode")),
        nested=_nested(answers.texts("nested")),
        image_directory=directory if known else "",
        image_file_system=image_file_system if known else "",
        userfaultfd=_userfaultfd(_first(answers, "userfaultfd"), uid),
    )


def _first(answers: Answers, key: str) -> str:
    return next(iter(answers.texts(key)), "")


def _matching(pattern: re.Pattern[str], text: str) -> str:
    return text if pattern.fullmatch(text) else ""


def _one_of(text: str, known: frozenset[str]) -> str:
    return text if text in known else ""


def _number(text: str) -> int | None:
    return int(text) if _NUMBER.fullmatch(text) else None


def _family(text: str) -> str:
    """ID before ID_LIKE of os-release(5): the first that is known."""
    words = (word.partition("-")[0] for word in text.lower().split())
    return next((_FAMILIES[word] for word in words if word in _FAMILIES), "")


def _clock(answers: Answers) -> tuple[int | None, int | None]:
    """The host's clock minus the console's at the middle of the way there and back (ms), and half of that way."""
    text = _first(answers, "clock")
    here_ms = (answers.sent_s + answers.answered_s) * 500
    half_ms = math.ceil((answers.answered_s - answers.sent_s) * 500)
    if half_ms < 0:
        return None, None  # the console's own clock was set back meanwhile
    if _NANOSECONDS.fullmatch(text):
        return round(int(text) / 1e6 - here_ms), half_ms + 1
    seconds = _SECONDS.fullmatch(text)
    if seconds is None:
        return None, None
    return round(int(seconds.group(1)) * 1000 + 500 - here_ms), half_ms + 501


def _synchronised(answers: Answers) -> bool | None:
    """chronyd's and ntpd's own word before the kernel's flag: not every daemon sets that."""
    if leap := _first(answers, "leap").lower():
        if "not synchronised" in leap or re.search(r"leap=(11|3)\b", leap):
            return False
        return True if re.search(r"normal|second|leap=(00|01|10|0|1|2)\b", leap) else None
    text = _first(answers, "synchronised").lower()
    answer = re.search(r"synchronized: (yes|no)\b", text)
    return None if answer is None else answer.group(1) == "yes"


def _groups(answers: Answers) -> dict[str, int]:
    pairs = (text.partition(":") for text in answers.texts("group"))
    return {name: int(number) for name, _, number in pairs if _NUMBER.fullmatch(number)}


def _addresses(answers: Answers) -> list[tuple[str, str]]:
    found = (text.partition(" ") for text in answers.texts("address"))
    return [(link, text) for link, _, text in found if _LINK.fullmatch(link) and _is_interface(text)]


def _is_interface(text: str) -> bool:
    try:
        ipaddress.ip_interface(text)
    except ValueError:
        return False
    return "/" in text


def _by_link(addresses: list[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    links = dict.fromkeys(link for link, _ in addresses)
    return {link: tuple(address for of, address in addresses if of == link) for link in links}


def _nested(values: list[str]) -> bool | None:
    words = {value.upper() for value in values}
    if words & {"Y", "1"}:
        return True
    return False if words & {"N", "0"} else None


def _userfaultfd(value: str, qemu_uid: int | None) -> bool | None:
    """Post-copy needs it. Where only root may use all of it, QEMU has to be root (vm.unprivileged_userfaultfd); a
    kernel without that switch does not say."""
    if value == "1":
        return True
    if value != "0" or qemu_uid is None:
        return None
    return True if qemu_uid == 0 else None


def _reset_ports(answers: Answers) -> tuple[tuple[int, int], ...]:
    """Of rules that answer everybody as if nothing listened; whether another rule comes first is not looked into."""
    found: list[tuple[int, int]] = []
    for rule in answers.texts("reset"):
        match = _RESET_RULE.match(rule)
        for part in (match.group(1) or match.group(2)).split(",") if match else ():
            first, _, last = part.strip().partition("-")
            if _NUMBER.fullmatch(first) and _NUMBER.fullmatch(last or first):
                found.append((int(first), int(last or first)))
    return tuple(found)
