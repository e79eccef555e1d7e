"""Remedies by hand: exact commands for the family of distributions a host belongs to, ready to copy. Pure.

All commands are to be run as root on the host. What depends on the family is given for each; where the family of a
host is not known, people get all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from hosts.facts.probe import FAMILIES
from jobs.preflight.context import HostSide
from jobs.preflight.findings import Commands

FAMILY_WORDS: Final = {
    "debian": "Debian, Ubuntu",
    "suse": "openSUSE, SLE",
    "redhat": "RHEL, Fedora",
    "": "any",
}


def anywhere(side: HostSide, *lines: str) -> tuple[Commands, ...]:
    """The same commands on every family."""
    return (Commands(side.name, "", lines),)


def by_family(side: HostSide, lines: Mapping[str, Iterable[str]]) -> tuple[Commands, ...]:
    """`lines` has an entry for each of FAMILIES; only the host's own is given where it is known."""
    known = side.probe.family if side.probe is not None else ""
    families = (known,) if known in lines else FAMILIES
    return tuple(Commands(side.name, family, tuple(lines[family])) for family in families)
