"""The volumes a move prepares at the destination for the disks it copies. Pure.

What became of each is kept in Migration.volumes_data, written before the host is asked, so that a failed move can
remove exactly what it made and nothing else.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


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
