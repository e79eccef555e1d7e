"""How libvirt writes what people write in another way: the same value, one text. Pure."""

from __future__ import annotations

import re

_SLASHES = re.compile(r"/+")
_OCTAL = re.compile(r"[0-7]{1,4}")


def sanitize_path(path: str) -> str:
    """As libvirt's virFileSanitizePath: no double slashes but two leading ones, none at the end."""
    start = "//" if path.startswith("//") and not path.startswith("///") else ""
    cleaned = start + _SLASHES.sub("/", path[len(start) :])
    return cleaned.rstrip("/") or cleaned[: max(len(start), 1)]


def normal_mode(mode: str) -> str:
    """Four octal digits, as libvirt writes them; anything else stays as it is."""
    return mode.zfill(4) if _OCTAL.fullmatch(mode) else mode
