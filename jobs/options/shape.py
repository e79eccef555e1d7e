"""What an option of a move is: its group, the value it holds, its words, and what it means to virsh and
libvirt. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from hosts.ports import MigrateFlag
from jobs.options.model import Kind


class Group(enum.StrEnum):
    KIND = "Kind"
    STAYS_BEHIND = "What stays behind"
    CONTROL = "Control"
    STORAGE = "Storage"
    ADDRESSES = "Addresses"
    BANDWIDTH = "Bandwidth"
    CONVERGENCE = "Convergence"
    POSTCOPY = "Post-copy"
    COMPRESSION = "Compression"
    SECURITY = "Security"
    OTHER = "Other"


class Value(enum.StrEnum):
    """What an option holds, and so which field, argument or JSON type it becomes."""

    SWITCH = "switch"
    CHOICE = "choice"
    NUMBER = "number"
    TEXT = "text"
    NAMES = "names"  # a list of words
    XML = "xml"


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a CHOICE, with what it means to virsh and to libvirt."""

    value: str
    label: str
    help: str
    virsh: tuple[str, ...] = ()
    flags: frozenset[MigrateFlag] = frozenset()


@dataclass(frozen=True, slots=True)
class Option:
    """One option. `unit`, `minimum`, `maximum` belong to numbers; `parameter` is libvirt's typed parameter.

    Without `flag`, `parameter` and choice flags it is virsh that acts while it waits; here the engine does.
    """

    field: str
    label: str
    group: Group
    help: str
    value: Value
    virsh: str = ""
    kinds: frozenset[Kind] = frozenset(Kind)
    advanced: bool = True
    unit: str = ""
    minimum: int | None = None
    maximum: int | None = None
    flag: MigrateFlag | None = None
    parameter: str = ""
    choices: tuple[Choice, ...] = ()
