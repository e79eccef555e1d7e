"""The part of a host that is storage: everything anyone may ask of its pools and volumes, without knowing libvirt.

All calls may raise hosts.errors.HostError subclasses and nothing else. Every change is proven by reading again.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from hosts.facts.storage import PoolFacts, VolumeFacts
from hosts.ports import Change


class Preallocation(enum.StrEnum):
    """How much of a new volume is written at once, as qemu-img calls it (libvirt itself knows off and metadata for
    qcow2; the fuller ones become an allocation as large as the capacity)."""

    OFF = "off"
    METADATA = "metadata"
    FULL = "full"


class WipeAlgorithm(enum.StrEnum):
    """virStorageVolWipeAlgorithm; all but zero need `scrub` on the host, trim needs storage that can."""

    ZERO = "zero"
    NNSA = "nnsa"
    DOD = "dod"
    GUTMANN = "gutmann"
    RANDOM = "random"
    TRIM = "trim"


@dataclass(frozen=True, slots=True)
class PoolReading:
    """A pool as its host has it now. `definition_xml` is the persistent definition ("" for a transient pool)."""

    facts: PoolFacts
    definition_xml: str
    live_xml: str


@dataclass(frozen=True, slots=True)
class VolumeOrder:
    """A volume to be made. Sizes in bytes. `backing_path` "": no backing file."""

    name: str
    format: str  # "" where the pool's type has no formats (logical, disk, rbd)
    capacity_bytes: int
    preallocation: Preallocation = Preallocation.OFF
    backing_path: str = ""
    backing_format: str = ""


@dataclass(frozen=True, slots=True)
class SecretOrder:
    """A libvirt secret that a pool needs. `value` never shows in a repr or a log."""

    usage_type: str  # "iscsi" or "ceph"
    usage_name: str
    secret_uuid: str = ""  # "": the host chooses one
    value: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Hole:
    """That many bytes of a volume read as zeros and are not stored."""

    length: int


PASSING_POOL_PREFIX = "vm-migrate-"
"""Begins the name of every pool that `folder_pool` makes for a moment; lists of pools leave these out."""

Piece = bytes | Hole
"""Consecutive contents of a volume. Bytes come in pieces of at most 256 KiB."""


class StoragePort(Protocol):
    """Pools and volumes of one host, over one connection. A stream occupies that connection until it is closed."""

    def read_pools(self) -> tuple[PoolReading, ...]: ...
    def find_pool(self, name: str) -> PoolReading | None: ...
    def define_pool(self, xml: str) -> Change:
        """Validated against libvirt's schema first. A pool of that name is redefined, its UUID kept."""

    def build_pool(self, name: str, *, overwrite: bool = False) -> Change:
        """For dir, fs and netfs a folder is made; other kinds write to devices, and only that with `overwrite` over
        what is there."""

    def start_pool(self, name: str) -> Change: ...
    def stop_pool(self, name: str) -> Change:
        """Guests that use it go on until they open a file anew; the caller has asked."""

    def set_pool_autostart(self, name: str, on: bool) -> Change: ...
    def refresh_pool(self, name: str) -> Change: ...
    def undefine_pool(self, name: str) -> Change: ...
    def delete_pool(self, name: str) -> Change:
        """Remove what the pool lies on (an empty folder, a volume group) and its definition."""

    def define_secret(self, order: SecretOrder) -> Change: ...
    def read_volumes(self, pool: str) -> tuple[VolumeFacts, ...]: ...
    def find_volume(self, pool: str, name: str) -> VolumeFacts | None: ...
    def find_users(self, paths: Iterable[str]) -> tuple[tuple[str, str], ...]:
        """(path, guest's name) for every guest defined or running here whose disks or their layers lie at one of the
        paths, asked of libvirt now; disks of type volume count with the path of their volume."""

    def make_volume(self, pool: str, order: VolumeOrder) -> Change:
        """One that is there already is never touched: Refused, or changed False when it is the same."""

    def clone_volume(self, pool: str, name: str, new_name: str) -> Change: ...
    def resize_volume(self, pool: str, name: str, capacity_bytes: int) -> Change:
        """Up only. A running guest learns of it by virsh blockresize, so one that uses it is refused."""

    def wipe_volume(self, pool: str, name: str, algorithm: WipeAlgorithm) -> Change: ...
    def delete_volume(self, pool: str, name: str) -> Change: ...
    def read_volume(
        self, pool: str, name: str, *, offset: int = 0, length: int = 0
    ) -> AbstractContextManager[Iterator[Piece]]:
        """The contents from `offset`, `length` 0: to the end; holes are told where the host can tell them. Leaving the
        block early aborts the stream."""

    def write_volume(
        self, pool: str, name: str, pieces: Iterable[Piece], *, offset: int = 0, length: int = 0
    ) -> int:
        """Write pieces, holes stay holes where the format allows; what `pieces` raises aborts the stream and goes on to
        the caller. Bytes written, holes included. `length`: what libvirt is told to expect, 0 for the volume's.
        A file is cut off at `offset` first, so that holes are empty; a raw one keeps its size. Refused while a running
        guest uses it."""

    def read_size(self, pool: str, name: str) -> int:
        """How many bytes `read_volume` gives in all (the file's, not the guest's, size)."""

    def folder_pool(self, folder: str) -> AbstractContextManager[str]:
        """The name of an active pool whose target is exactly this folder: one that is there, or a transient one of our
        own for this block, which writes no definition and is gone afterwards. For files that no pool covers, such as
        UEFI variables."""
