"""Addresses, names and XML as people type them: what libvirt would stumble over, said before. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from hosts.facts.xml import parse_xml
from jobs.options.storage_map import find_entry_problem

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# libvirt keeps NAME.xml in a folder: Linux allows 255 bytes for the name of a file.
MAX_NAME_BYTES: Final = 251
_DISK_TARGET: Final = re.compile(r"[a-z]{2,4}[a-z0-9]*")
_HOST: Final = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\.?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%[\w.-]+)?"
)


def find_text_problem(field: str, value: str) -> str:
    """What is wrong with the text of one option, "" when nothing is."""
    if field.endswith("_xml"):
        return _find_xml_problem(value)
    if _CONTROL.search(value):
        return "contains control characters or line breaks."
    if value != value.strip():
        return "begins or ends with a space."
    checker = _CHECKERS.get(field)
    return checker(value) if checker and value else ("" if value else "is empty.")


def _find_name_problem(name: str) -> str:
    if len(name.encode()) > MAX_NAME_BYTES:
        return f"is longer than {MAX_NAME_BYTES} bytes."
    return "may not contain “/”." if "/" in name else ""


def _find_host_problem(host: str) -> str:
    return "" if _HOST.fullmatch(host) else "is not a host name or address."


def _find_target_problem(target: str) -> str:
    return "" if _DISK_TARGET.fullmatch(target) else f"“{target}” is not a disk target such as vda."


def _find_uri_problem(uri: str, schemes: tuple[str, ...], *, port_needed: bool = False) -> str:
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return f"“{uri}” is not an address; the port must be 1 to 65535."
    if parts.scheme not in schemes or "://" not in uri:
        return f"must begin with {' or '.join(scheme + '://' for scheme in schemes)}."
    if parts.scheme == "unix":
        return "" if parts.path.startswith("/") and not parts.netloc else "must be unix:///path/to/socket."
    return _find_authority_problem(parts.hostname, parts.username, port, port_needed)


def _find_authority_problem(host: str | None, user: str | None, port: int | None, port_needed: bool) -> str:
    if user is not None:
        return "may not name a user."
    if not host or _find_host_problem(host):
        return "must name a host or address (an IPv6 address in brackets)."
    if port == 0:
        return "the port must be 1 to 65535."
    return "must name a port." if port_needed and port is None else ""


def _find_migrate_uri_problem(uri: str) -> str:
    problem = _find_uri_problem(uri, ("tcp", "rdma", "unix"))
    if not problem and not uri.startswith("unix") and urlsplit(uri).path not in {"", "/"}:
        return "has nothing after the port."
    return problem


def _find_xml_problem(xml: str) -> str:
    try:
        parse_xml(xml, root="domain")
    except ValueError as error:
        return f"cannot be used. {error}"
    return ""


_CHECKERS: Final[dict[str, Callable[[str], str]]] = {
    "destination_name": _find_name_problem,
    "listen_address": _find_host_problem,
    "tls_destination": _find_host_problem,
    "migrate_disks": _find_target_problem,
    "storage_map": find_entry_problem,
    "migrate_uri": _find_migrate_uri_problem,
    "disks_uri": lambda uri: _find_uri_problem(uri, ("tcp", "unix"), port_needed=True),
    "graphics_uri": lambda uri: _find_uri_problem(uri, ("spice", "vnc")),
}
