"""What the checks and the plan need to know of a guest's disks: which are copied, what they lie on, who locks
them. Pure."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Final

from hosts.facts.domain import DiskFacts, DomainFacts, parse_domain
from hosts.facts.host import HostFacts
from hosts.facts.storage import PoolFacts
from jobs.options import MoveOptions, Storage
from jobs.preflight.context import HostSide, PreflightContext
from jobs.preflight.devices_xml import Presence, presence_of

# As `stat -f -c %T` prints them. libvirt: virFileIsSharedFSType and virFileIsClusterFS (9.0). A FUSE mount
# prints "fuseblk" whatever is behind it, so GlusterFS is known from its pool only.
SHARED_FILE_SYSTEMS: Final = frozenset(
    {"nfs", "gfs/gfs2", "gfs2", "ocfs2", "afs", "smb", "smb2", "cifs", "ceph", "gpfs", "acfs", "glusterfs"}
)
CLUSTER_FILE_SYSTEMS: Final = frozenset({"gfs/gfs2", "gfs2", "ocfs2", "ceph", "glusterfs"})
LOCAL_FILE_SYSTEMS: Final = frozenset(
    {"ext2/ext3", "xfs", "btrfs", "zfs", "tmpfs", "ramfs", "overlayfs", "f2fs", "jfs", "reiserfs", "bcachefs"}
    | {"msdos", "exfat", "ntfs", "squashfs", "isofs"}
)
# File systems whose locks hold between hosts, so that QEMU's image lock keeps a second QEMU from running the
# guest.
LOCKING_FILE_SYSTEMS: Final = frozenset({"nfs", "gfs/gfs2", "gfs2", "ocfs2", "ceph", "gpfs", "glusterfs"})
LOCKING_POOL_FORMATS: Final = frozenset({"nfs", "glusterfs"})

# Their clients may make up inode numbers of their own, so different ones prove nothing.
FILE_SYSTEMS_WITHOUT_INODES: Final = frozenset({"smb", "smb2", "cifs"})

REMOVABLE: Final = frozenset({"cdrom", "floppy"})


class LockClass(enum.StrEnum):
    """Whether QEMU's image lock on this disk stops the same guest from running on both hosts."""

    LOCKED = "locked"
    UNLOCKED = "unlocked"
    NOT_WRITTEN = "not-written"  # empty or read-only: protects nothing, endangers nothing


class Sharing(enum.StrEnum):
    SAME = "same"  # proven to be the same storage
    ASSUMED = "assumed"  # a shared file system, and the path exists there; not proven to be the same export
    DIFFERENT = "different"  # proven to be something else
    LOCAL = "local"  # only one host has it
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class SharingProof:
    sharing: Sharing
    why: str


def written_disks(facts: DomainFacts) -> tuple[DiskFacts, ...]:
    return tuple(disk for disk in facts.disks if not disk.empty and not disk.readonly)


def copied_disks(facts: DomainFacts, options: MoveOptions) -> tuple[DiskFacts, ...]:
    """The disks whose contents are copied, by libvirt or, of a guest that is shut off, by this product.

    Without names: all that are not empty, read-only or shareable (qemuMigrationAnyCopyDisk). libvirt does not
    ask whether they lie on shared storage.
    """
    if options.storage is Storage.SHARED:
        return ()
    if options.migrate_disks:
        return tuple(disk for disk in facts.disks if disk.target in options.migrate_disks)
    return tuple(disk for disk in written_disks(facts) if not disk.shareable)


def kept_disks(facts: DomainFacts, options: MoveOptions) -> tuple[DiskFacts, ...]:
    """The disks with contents that both hosts must reach."""
    copied = {disk.target for disk in copied_disks(facts, options)}
    return tuple(disk for disk in facts.disks if not disk.empty and disk.target not in copied)


def destination_path(disk: DiskFacts, options: MoveOptions) -> str:
    """Where the disk will be at the destination: as at the source unless a changed definition says
    otherwise."""
    if not options.destination_xml:
        return disk.source_path
    return _paths_by_target(options.destination_xml).get(disk.target, disk.source_path)


def paths_to_look_up(facts: DomainFacts, options: MoveOptions) -> tuple[str, ...]:
    """All paths to ask the destination about (for HostPort.read_for_guest), in a stable order."""
    paths = [destination_path(disk, options) for disk in facts.disks if not disk.empty]
    paths += [path for disk in facts.disks for path in disk.backing_paths if path.startswith("/")]
    return tuple(dict.fromkeys(path for path in paths if path))


def find_pool_for(facts: HostFacts, disk: DiskFacts, path: str) -> PoolFacts | None:
    """The pool a disk lies in: by name for volume disks, otherwise the one whose target path is closest
    above."""
    if disk.type == "volume":
        return next((pool for pool in facts.pools if pool.name == disk.pool), None)
    return find_pool_above(facts, path)


def find_pool_above(facts: HostFacts, path: str) -> PoolFacts | None:
    above = [
        pool
        for pool in facts.pools
        if pool.target_path and path.startswith(pool.target_path.rstrip("/") + "/")
    ]
    return max(above, key=lambda pool: len(pool.target_path), default=None)


def find_pool_at(facts: HostFacts, folder: str) -> PoolFacts | None:
    """The pool whose target path is exactly this folder: the only one libvirt creates copied files in."""
    wanted = folder.rstrip("/")
    return next((pool for pool in facts.pools if pool.target_path.rstrip("/") == wanted and wanted), None)


def folder_of(path: str) -> str:
    return str(PurePosixPath(path).parent)


def presence_of_disk(context: PreflightContext, path: str) -> Presence:
    """Whether the destination has an image: it sees the file itself, or one of its pools has it. MISSING: a pool covers
    the path and has nothing there, or only the source sees it."""
    presence = presence_of(context, path)
    if presence is not Presence.UNKNOWN or context.destination_reading is None:
        return presence
    return Presence.MISSING if path in context.destination_reading.volumes else Presence.UNKNOWN


def file_system_of(context: PreflightContext, path: str) -> str:
    """What `stat -f` said on the source, "" when it could not be asked."""
    probe = context.peer_probe
    return probe.file_systems.get(path, "") if probe is not None else ""


def prove_sharing(context: PreflightContext, disk: DiskFacts) -> SharingProof:
    """Whether a disk that is not copied is the same storage on both hosts. A file that both hosts were asked about
    proves more than pools of the same name, which may not be what is mounted."""
    if disk.network_source:
        return SharingProof(Sharing.SAME, f"network storage {disk.network_source}")
    source = _pool_of(context.source, disk, disk.source_path)
    destination = _pool_of(context.destination, disk, destination_path(disk, context.options))
    unknown = SharingProof(Sharing.UNKNOWN, "no pools to compare")
    pools = _compare_pools(source, destination) if source and destination else unknown
    seen = _prove_by_identity(context, disk, strict=pools.sharing is Sharing.DIFFERENT)
    if seen is not None:
        return seen
    return pools if pools.sharing is not Sharing.UNKNOWN else _prove_by_file_system(context, disk, source)


def _prove_by_identity(context: PreflightContext, disk: DiskFacts, *, strict: bool) -> SharingProof | None:
    """None where the file itself tells nothing: not asked, no file, or hosts made from one image, which may well have
    the same numbers on their own disks. `strict`: the pools speak against it, so all figures must agree."""
    probe, file_system = context.peer_probe, file_system_of(context, disk.source_path)
    if probe is None or disk.type != "file" or file_system in LOCAL_FILE_SYSTEMS:
        return None
    here = probe.source_files.get(disk.source_path)
    there = probe.destination_files.get(destination_path(disk, context.options))
    if here is None or there is None:
        return None
    words = f"inode {here.inode} on {context.source.name}, {there.inode} on {context.destination.name}"
    if here.inode != there.inode:
        different = SharingProof(Sharing.DIFFERENT, f"{words}: two files")
        return None if file_system in FILE_SYSTEMS_WITHOUT_INODES else different
    same = here == there if strict else here.size_bytes == there.size_bytes
    return SharingProof(Sharing.SAME, f"{words}: one file") if same else None


def classify_lock(context: PreflightContext, disk: DiskFacts, copied: bool) -> LockClass:
    """LOCKED only where it is known that locks hold between the hosts; anything else is treated as not
    locked."""
    if disk.empty or disk.readonly:
        return LockClass.NOT_WRITTEN
    if copied or disk.shareable or disk.network_source or disk.type not in {"file", "volume"}:
        return LockClass.UNLOCKED
    pool = _pool_of(context.source, disk, disk.source_path)
    in_locking_pool = pool is not None and pool.type == "netfs" and _pool_format(pool) in LOCKING_POOL_FORMATS
    if in_locking_pool or file_system_of(context, disk.source_path) in LOCKING_FILE_SYSTEMS:
        return LockClass.LOCKED
    return LockClass.UNLOCKED


def _pool_of(side: HostSide, disk: DiskFacts, path: str) -> PoolFacts | None:
    return find_pool_for(side.facts, disk, path) if side.facts is not None else None


def _pool_format(pool: PoolFacts) -> str:
    """The second word of the source identity of a netfs pool."""
    words = pool.source.split(" ")
    return words[1] if len(words) > 2 else ""


def _compare_pools(source: PoolFacts, destination: PoolFacts) -> SharingProof:
    both = f"pools “{source.source}” and “{destination.source}”"
    if source.shared_by_nature and destination.shared_by_nature:
        same = bool(source.source) and source.source == destination.source
        return SharingProof(Sharing.SAME if same else Sharing.DIFFERENT, both)
    if source.shared_by_nature != destination.shared_by_nature:
        return SharingProof(Sharing.DIFFERENT, both)
    return SharingProof(Sharing.UNKNOWN, both)


def _prove_by_file_system(context: PreflightContext, disk: DiskFacts, pool: PoolFacts | None) -> SharingProof:
    """Of a device only its node is in a file system, and that is every host's own."""
    path = disk.source_path
    file_system = "" if disk.type == "block" else file_system_of(context, path)
    if file_system in LOCAL_FILE_SYSTEMS:
        return SharingProof(Sharing.LOCAL, f"{path} lies on {file_system}")
    if file_system in SHARED_FILE_SYSTEMS:
        return SharingProof(Sharing.ASSUMED, f"{path} lies on {file_system}")
    if pool is not None and pool.type in {"fs", "logical", "zfs", "disk"}:
        return SharingProof(Sharing.LOCAL, f"pool “{pool.source}”")
    return SharingProof(Sharing.UNKNOWN, f"the file system under {path} is not known")


@lru_cache(maxsize=64)
def _paths_by_target(xml: str) -> Mapping[str, str]:
    """Empty for XML that is no domain: check_options says so."""
    try:
        return {disk.target: disk.source_path for disk in parse_domain(xml).disks}
    except ValueError:
        return {}
