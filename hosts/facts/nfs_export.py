"""A folder shared by NFS: the line of /etc/exports, and the commands that put it to work. Pure.

Source: exports(5), exportfs(8), showmount(8).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass

# root_squash would make root of a host nobody here: libvirt could neither create nor own the disks it keeps.
# no_subtree_check: a renamed file must not become a stale handle in a running guest.
OPTIONS = "rw,sync,no_subtree_check,no_root_squash"
_CLIENT = re.compile(r"[A-Za-z0-9.:_/*?@-]+")
_PLAIN = re.compile(r"[A-Za-z0-9._/+=@%:,-]")


@dataclass(frozen=True, slots=True)
class NfsExport:
    """`line` for /etc/exports; commands for the server, and for a host that looks at it."""

    line: str
    server_commands: tuple[str, ...]
    client_commands: tuple[str, ...]


def render_export(server: str, folder: str, clients: Iterable[str]) -> NfsExport:
    """Everything to share `folder` of `server` with these networks or addresses. Raises ValueError in words."""
    line = render_export_line(folder, clients)
    quoted = shlex.quote(folder)
    return NfsExport(
        line,
        (
            "apt install nfs-kernel-server",
            f"mkdir -p {quoted}",
            f"echo {shlex.quote(line)} >> /etc/exports",
            "exportfs -ra",
            "exportfs -v",
        ),
        ("apt install nfs-common", f"showmount -e {shlex.quote(server)}"),
    )


def render_export_line(folder: str, clients: Iterable[str]) -> str:
    """`/srv/vm 10.0.0.0/24(rw,…) …`. Raises ValueError in words."""
    if not folder.startswith("/"):
        raise ValueError("The folder is given by its whole path, such as /srv/vm.")
    if any(ord(character) < 32 for character in folder):
        raise ValueError("The folder's path holds a character that cannot be seen. Type it anew.")
    names = list(dict.fromkeys(clients))
    if not names:
        raise ValueError("Nobody may use it yet: give a network such as 10.0.0.0/24, or choose hosts.")
    for name in names:
        if not _CLIENT.fullmatch(name):
            raise ValueError(f"“{name}” is no address, network or name that /etc/exports knows.")
    return " ".join([_export_path(folder), *(f"{name}({OPTIONS})" for name in names)])


def _export_path(folder: str) -> str:
    """Blanks are quoted; what else is unusual is written as its bytes in octal, as exports(5) wants it."""
    odd = {character for character in folder if not _PLAIN.fullmatch(character)}
    if not odd:
        return folder
    if odd == {" "}:
        return f'"{folder}"'
    return "".join(
        character if character not in odd else "".join(f"\\{byte:03o}" for byte in character.encode())
        for character in folder
    )
