"""The virt-install line that makes a guest of a volume. Pure.

Source: virt-install(1), and virtinst's own reading of option strings: commas part them, a double quote keeps commas
together (shlex in POSIX mode), `vol=POOL/VOLUME` is parted at every slash.
"""

from __future__ import annotations

import re
import shlex

_PLAIN_NAME = re.compile(r"[^A-Za-z0-9._+-]+")
_DISK_ENDINGS = (".qcow2", ".qcow", ".raw", ".img")
_NEEDS_QUOTES = frozenset(",\"\\'")


def render_virt_install(
    pool: str,
    volume: str,
    path: str,
    format: str,  # noqa: A002 (libvirt's word)
    *,
    name: str = "",
    bridge: str = "",
    memory_mib: int = 2048,
) -> str:
    """One line for a shell. `cache=none`, so that the guest may move while it runs; `format` "" where a pool's type
    has none. Without `bridge` the guest is put on libvirt's default network."""
    network = f"bridge={_value(bridge)},model=virtio" if bridge else "network=default,model=virtio"
    words = [
        "virt-install", "--name", name or guest_name(volume), "--memory", str(memory_mib), "--vcpus", "2",
        "--disk", _disk(pool, volume, path, format), "--import", "--osinfo", "detect=on,require=off",
        "--network", network, "--graphics", "vnc", "--noautoconsole",
    ]  # fmt: skip
    return shlex.join(words)


def guest_name(volume: str) -> str:
    """A name for the guest of this volume, without the ending of its file and what libvirt would refuse."""
    for ending in _DISK_ENDINGS:
        volume = volume.removesuffix(ending)
    return _PLAIN_NAME.sub("-", volume).strip("-.") or "guest"


def _disk(pool: str, volume: str, path: str, form: str) -> str:
    by_name = "/" not in pool + volume
    place = f"vol={_value(f'{pool}/{volume}')}" if by_name else f"path={_value(path)}"
    # virt-install asks the pool for the format of a volume it is given by name.
    told = f",format={form}" if form and not by_name else ""
    return f"{place}{told},cache=none,bus=virtio"


def _value(text: str) -> str:
    if not _NEEDS_QUOTES & set(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
