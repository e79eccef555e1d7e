"""The volumes a move prepares at the destination for the disks it copies. Pure.

What became of each is kept in Migration.volumes_data, written before the host is asked, so that a failed move can
remove exactly what it made and nothing else.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final


class VolumeState(enum.StrEnum):
    PLANNED = "planned"  # nothing was asked of the destination
    CREATING = "creating"  # about to be made; it was not there a moment before
    CREATED = "created"  # made by this move: its to remove again
    REUSED = "reused"  # was there and was right: never removed
    COPIED = "copied"  # offline: made by this move and written whole
    VERIFIED = "verified"  # offline: read back, the checksums agree
    REMOVED = "removed"  # made by this move and removed again
    LEFT = "left"  # could not be removed, or nobody can tell whose it is: named as a leftover


@dataclass(frozen=True, slots=True)
class PlannedVolume:
    """One volume at the destination and where its contents come from. Sizes in bytes.

    `target` is the disk's target (vda), "nvram" for UEFI variables; a layer of a chain has the target of its disk and
    `layer` 1 and up, 0 is the top.
    """

    target: str
    layer: int
    source_path: str
    pool: str
    name: str
    path: str  # "" where only the host can tell before it is made
    format: str
    capacity_bytes: int
    backing_path: str = ""
    backing_format: str = ""
    reuse: bool = False  # there already and right
    shown: str = ""  # the disk in people's words


_SEEN: Final = {
    VolumeState.VERIFIED: "{host}: {shown} lies in the pool {pool} and was compared with the source's, {checksum}.",
    VolumeState.CREATED: "{host}: {shown} lies in the pool {pool}, where libvirt copied it.",
    VolumeState.REUSED: "{host}: {shown} lies in a volume of the pool {pool} that was there already.",
}


def describe_arrived(
    entries: Iterable[Mapping[str, Any]], source: str, destination: str, *, removed: bool
) -> tuple[str, ...]:
    """What is said of the disks of a guest that was moved: where each lies now, and that the source still has its own
    (`removed`: it was asked to remove them). `entries` are those of Migration.volumes_data."""
    entries = list(entries)
    there = [
        _SEEN[state].format(
            host=destination, shown=entry["shown"] or entry["name"], pool=entry["pool"] or "of its folder",
            checksum=entry.get("checksum") or "no checksum taken",
        )
        for entry in entries
        if (state := VolumeState(entry["state"])) in _SEEN
    ]  # fmt: skip
    if not there or removed:
        return tuple(there)
    paths = ", ".join(sorted({entry["source_path"] for entry in entries if entry["source_path"]}))
    kept = f"{source}: keeps what was copied, {paths}; it is used by this guest no more."
    return (*there, kept)
