"""The words of a storage map: `vda=fast` or `vda=fast/web 01.qcow2`. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

_TARGET: Final = re.compile(r"[a-z]{2,4}[a-z0-9]*")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
MAX_VOLUME_BYTES: Final = 255  # Linux: the name of a file


@dataclass(frozen=True, slots=True)
class MapEntry:
    """One disk and where it goes. `volume` "": named as at the source."""

    target: str
    pool: str
    volume: str = ""

    @property
    def text(self) -> str:
        return f"{self.target}={self.pool}/{self.volume}" if self.volume else f"{self.target}={self.pool}"


def parse_entry(text: str) -> MapEntry:
    """libvirt forbids "/" in both names, so the first one parts them. Raises ValueError in words for people."""
    target, equals, place = text.partition("=")
    pool, slash, volume = place.partition("/")
    if not equals or not pool:
        raise ValueError(f"“{text}” is not TARGET=POOL or TARGET=POOL/VOLUME.")
    if not _TARGET.fullmatch(target):
        raise ValueError(f"“{target}” is not a disk target such as vda.")
    if _CONTROL.search(text) or pool != pool.strip():
        raise ValueError(f"the pool of {target} has control characters, or spaces at its ends.")
    if slash and (problem := find_volume_problem(volume)):
        raise ValueError(f"the volume of {target} {problem}")
    return MapEntry(target, pool, volume)


def find_volume_problem(name: str) -> str:
    """What is wrong with the name of a volume, "" when nothing is."""
    if not name or name in {".", ".."}:
        return "has no usable name."
    if "/" in name or _CONTROL.search(name) or name != name.strip():
        return "may not have “/”, control characters, or spaces at its ends."
    return (
        f"has a name longer than {MAX_VOLUME_BYTES} bytes." if len(name.encode()) > MAX_VOLUME_BYTES else ""
    )


def find_entry_problem(text: str) -> str:
    try:
        parse_entry(text)
    except ValueError as error:
        return str(error)
    return ""


def parse_map(entries: Iterable[str]) -> Mapping[str, MapEntry]:
    """Target → where it goes. What cannot be read is left out: check_options refuses it in words."""
    return {entry.target: entry for entry in map(_find_entry, entries) if entry is not None}


def _find_entry(text: str) -> MapEntry | None:
    return None if find_entry_problem(text) else parse_entry(text)
