"""Faults inside a host, as it says of itself: its clock, the numbers of its users, and who it knows."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .host import LabHost

FIRST = ".first"  # ends the name of a file that holds what was there before the fault
CHANGED = (
    "etc/group",
    "etc/passwd",
    "etc/libvirt/qemu.conf",
    "root/.ssh/known_hosts",
    "root/.ssh/authorized_keys",
)
DATE = "/usr/bin/date"


def skew_clock(host: LabHost, seconds: float) -> None:
    """All namespaces share the kernel's clock: what differs is what the host's date(1) says, and only that."""
    lab = host.root / "etc/lab"
    if not (lab / "date.real").exists():
        shutil.copy(DATE, lab / "date.real")
    (lab / "date").write_text(f'#!/bin/sh\nexec /etc/lab/date.real -d "now {seconds:+} seconds" "$@"\n')
    (lab / "date").chmod(0o755)
    _set_clock_right(host)
    host.run(["mount", "--bind", "/etc/lab/date", DATE])


def set_group_id(host: LabHost, group: str, number: int) -> None:
    """Another number in the host's own /etc/group; nothing that runs notices."""
    _replace(host, "etc/group", rf"^({re.escape(group)}:[^:]*):\d+:", rf"\g<1>:{number}:")


def set_qemu_user(host: LabHost, user: str, number: int) -> None:
    """Guests run as this user from now on, who gets this number; its libvirtd is started anew."""
    _replace(host, "etc/passwd", rf"^({re.escape(user)}:[^:]*):\d+:", rf"\g<1>:{number}:")
    _replace(host, "etc/libvirt/qemu.conf", r"^user = .*$", f'user = "{user}"')
    host.restart_libvirtd()


def forget_peers(host: LabHost) -> None:
    """Root on the host knows the SSH host key of nobody."""
    _set(host, "root/.ssh/known_hosts", "")


def refuse_root(host: LabHost) -> None:
    """Nobody's key opens root's account over SSH any more, the console's as little as the other hosts'."""
    _set(host, "root/.ssh/authorized_keys", "")


def restore(host: LabHost) -> None:
    """Undo everything above."""
    _set_clock_right(host)
    for name in CHANGED:
        path = host.root / name
        if _first(path).exists():
            _first(path).replace(path)
            if name == "etc/libvirt/qemu.conf":
                host.restart_libvirtd()


def _set_clock_right(host: LabHost) -> None:
    if (host.root / "etc/lab/date").exists():
        host.run(["umount", DATE], check=False)


def _replace(host: LabHost, name: str, pattern: str, replacement: str) -> None:
    text, count = re.subn(pattern, replacement, (host.root / name).read_text(), flags=re.MULTILINE)
    if count != 1:
        raise ValueError(f"{name} of {host.name} has {count} lines for {pattern}")
    _set(host, name, text)


def _set(host: LabHost, name: str, text: str) -> None:
    path = host.root / name
    if not _first(path).exists():
        shutil.copy2(path, _first(path))
    path.write_text(text)


def _first(path: Path) -> Path:
    return path.with_name(path.name + FIRST)
