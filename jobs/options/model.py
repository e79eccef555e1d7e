"""Every option of a move, as `virsh migrate` of libvirt 9.0 knows them for QEMU. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Kind(enum.StrEnum):
    LIVE = "live"
    NON_LIVE = "non-live"  # the guest is paused during the move
    OFFLINE = "offline"  # the definition of a shut-off guest


class Control(enum.StrEnum):
    PEER_TO_PEER = "peer-to-peer"
    DIRECT = "direct"
    TUNNELLED = "tunnelled"


class Storage(enum.StrEnum):
    SHARED = "shared"
    COPY_ALL = "copy-all"
    COPY_INCREMENTAL = "copy-incremental"


class TimeoutAction(enum.StrEnum):
    SUSPEND = "suspend"
    POSTCOPY = "postcopy"


@dataclass(frozen=True, slots=True)
class MoveOptions:
    """None or "" always means: not asked for, libvirt's default holds."""

    kind: Kind = Kind.LIVE
    control: Control = Control.PEER_TO_PEER
    persistent: bool = True
    undefine_source: bool = True
    suspend: bool = False
    storage: Storage = Storage.SHARED
    synchronous_writes: bool = False
    migrate_disks: tuple[str, ...] = ()
    # TARGET=POOL or TARGET=POOL/VOLUME, one for each copied disk that goes elsewhere than to its own pool and path.
    storage_map: tuple[str, ...] = ()
    # Volumes that are at the destination already and right are written over (live) or kept (offline, same contents).
    reuse_volumes: bool = False
    # After the guest was verified at the destination.
    remove_source_disks: bool = False
    disks_uri: str = ""
    disks_port: int | None = None
    migrate_uri: str = ""
    listen_address: str = ""
    graphics_uri: str = ""
    destination_name: str = ""
    bandwidth_mib_per_s: int | None = None
    postcopy_bandwidth_mib_per_s: int | None = None
    parallel: bool = False
    parallel_connections: int | None = None
    compressed: bool = False
    compression_methods: tuple[str, ...] = ()
    compression_mt_level: int | None = None
    compression_mt_threads: int | None = None
    compression_mt_dthreads: int | None = None
    compression_xbzrle_cache_bytes: int | None = None
    auto_converge: bool = False
    auto_converge_initial_percent: int | None = None
    auto_converge_increment_percent: int | None = None
    zero_copy: bool = False
    rdma_pin_all: bool = False
    postcopy: bool = False
    postcopy_after_precopy: bool = False
    postcopy_resume: bool = False
    timeout_s: int | None = None
    timeout_action: TimeoutAction = TimeoutAction.SUSPEND
    tls: bool = False
    tls_destination: str = ""
    unsafe: bool = False
    abort_on_error: bool = False
    change_protection: bool = False
    destination_xml: str = ""
    persistent_xml: str = ""
    # What virsh has no word for: the guest's name typed by a person who knows what a dangerous choice does.
    confirmed_name: str = ""
