"""What a pool template is made of: its types, their fields, the form that holds the values. Pure."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import Final

# The longest real templates have some thousand characters; a list of hosts or options has a few.
MAX_TEMPLATE_CHARACTERS: Final = 64 * 1024
MAX_ITEMS: Final = 256

_BRACKETED = re.compile(r"\[([^\[\]]*)\](?::(.*))?")


class PoolValue(enum.StrEnum):
    """What a field holds, and so what it becomes on a page."""

    TEXT = "text"
    CHOICE = "choice"
    LINES = "lines"  # one item a line


@dataclass(frozen=True, slots=True)
class PoolField:
    """One field of a form. `field` is its name in PoolForm, `element` its place in libvirt's words."""

    field: str
    label: str
    help: str
    element: str
    value: PoolValue = PoolValue.TEXT
    required: bool = False
    most: int = 0  # items of a list that libvirt takes; 0: any number
    choices: tuple[str, ...] = ()
    example: str = ""
    advanced: bool = False


@dataclass(frozen=True, slots=True)
class PoolType:
    """One pool type of libvirt. `default_format` is what libvirt writes when a definition names none."""

    name: str
    label: str
    help: str
    fields: tuple[PoolField, ...]
    default_format: str = ""

    def find_field(self, name: str) -> PoolField | None:
        return next((item for item in self.fields if item.field == name), None)


@dataclass(frozen=True, slots=True)
class PoolForm:
    """The fields of all types; those that a type has not stay as they are here. Texts, because each may hold a
    variable. `owner` and `group` are -1 as in libvirt: whoever the host's libvirt runs as."""

    type: str
    name: str = ""
    target_path: str = ""
    mode: str = ""  # octal; "": libvirt's own, 0711
    owner: str = "-1"
    group: str = "-1"
    hosts: tuple[str, ...] = ()  # "nas.example", "nas.example:3260", "[fe80::1]:3260"
    source_dir: str = ""
    source_name: str = ""
    source_format: str = ""
    devices: tuple[str, ...] = ()
    target_iqn: str = ""
    initiator_iqn: str = ""
    protocol_version: str = ""
    auth_username: str = ""
    secret_usage: str = ""
    secret_uuid: str = ""
    mount_options: tuple[str, ...] = ()
    config_options: tuple[str, ...] = ()  # "name=value"
    cow: str = ""  # "", "yes", "no"


@dataclass(frozen=True, slots=True)
class TemplateProblem:
    """Why a template is not usable. `field` of PoolForm, "" when it belongs to none."""

    field: str
    message: str
    remedy: str


def split_host(text: str) -> tuple[str, str]:
    """(name, port) of "nas:3260", "[fe80::1]:3260", "fe80::1"; the port is "" when there is none."""
    bracketed = _BRACKETED.fullmatch(text)
    if bracketed:
        return bracketed[1], bracketed[2] or ""
    head, colon, port = text.rpartition(":")
    if not colon or ":" in head:
        return text, ""
    return head, port


def join_host(name: str, port: str) -> str:
    """The way back."""
    if not port:
        return name
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
