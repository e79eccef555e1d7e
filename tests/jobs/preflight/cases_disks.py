"""Cases of the checks on disks, storage, memory and load."""

from __future__ import annotations

from hosts.facts.probe import PathIdentity
from jobs.preflight.context import PreflightContext
from jobs.preflight.findings import Severity
from tests.jobs.builders import (
    DISK_PATH,
    GIB,
    LOCAL_PATH,
    cdrom,
    context,
    copying,
    disk,
    domain,
    guest,
    local_pool,
    pool,
    probe,
    reading,
    status,
    volume,
    with_facts,
)
from tests.jobs.preflight.situations import (
    HUGE,
    LUKS,
    SHARED_COPY,
    copied_shareable,
    of,
    offline_of,
    with_pages,
    writing,
)

OTHER_PATH = LOCAL_PATH.replace("web01", "other")

B, W, I = Severity.BLOCKER, Severity.WARNING, Severity.INFO  # noqa: E741

CASES: list[tuple[str, str, Severity, PreflightContext]] = [
    ("disk.path", "nothing there", B, context(destination_reading=reading(volumes={DISK_PATH: None}))),
    (
        "disk.path",
        "no base image",
        B,
        context(
            guest=guest(domain(disks=(disk(backing_paths=("/base.qcow2",)),))),
            destination_reading=reading(volumes={DISK_PATH: volume(), "/base.qcow2": None}),
        ),
    ),
    (
        "disk.path",
        "pool of a volume missing",
        B,
        of(disks=(disk(type="volume", source_path="", pool="gone", volume="web01"),)),
    ),
    (
        "disk.shared",
        "look-alike export",
        B,
        with_facts(context(), "destination", pools=(pool(source="netfs glusterfs other:VM"),)),
    ),
    (
        "disk.shared",
        "local file",
        B,
        context(
            guest=guest(domain(disks=(disk(source_path=LOCAL_PATH),))),
            destination_reading=reading(volumes={LOCAL_PATH: volume(LOCAL_PATH)}),
            peer_probe=probe(file_systems={LOCAL_PATH: "ext2/ext3"}),
        ),
    ),
    (
        "disk.shared",
        "local file, unsafe on purpose",
        W,
        context(
            guest=guest(domain(disks=(disk(source_path=LOCAL_PATH),))),
            destination_reading=reading(volumes={LOCAL_PATH: volume(LOCAL_PATH)}),
            peer_probe=probe(file_systems={LOCAL_PATH: "xfs"}),
            options={"unsafe": True},
        ),
    ),
    (
        "disk.cache-unsafe",
        "old QEMU",
        B,
        with_facts(
            context(guest=guest(domain(disks=(disk(cache="writeback"),)))),
            "source",
            hypervisor_version=3_001_000,
        ),
    ),
    (
        "disk.cache-unsafe",
        "old QEMU, unsafe on purpose",
        W,
        with_facts(
            context(guest=guest(domain(disks=(disk(cache=""),))), options={"unsafe": True}),
            "source",
            hypervisor_version=3_001_000,
        ),
    ),
    ("disk.pool-twin", "no pool", B, with_facts(copying(), "destination", pools=(pool(),))),
    (
        "disk.pool-twin",
        "pool not active",
        B,
        with_facts(copying(), "destination", pools=(local_pool(active=False),)),
    ),
    (
        "disk.pool-twin",
        "block device",
        B,
        copying(
            guest=guest(domain(disks=(disk(type="block", source_path="/dev/vg/web01"),))),
            destination_reading=reading(volumes={"/dev/vg/web01": None}),
        ),
    ),
    (
        "disk.layers",
        "no pool for the base",
        B,
        copying(
            options={"kind": "offline"},
            guest=guest(
                domain(disks=(disk(source_path=LOCAL_PATH),)),
                status=status("shut off/shutdown"),
                extra={"layers.vda": "/srv/bases/debian.qcow2"},
            ),
        ),
    ),
    ("disk.space", "full", B, copying(disk_capacity_bytes={"vda": 51 * GIB})),
    ("disk.space", "planned moves", B, copying(planned_storage_bytes={"local": 45 * GIB})),
    (
        "disk.target-exists",
        "same size",
        B,
        copying(destination_reading=reading(volumes={LOCAL_PATH: volume(LOCAL_PATH)})),
    ),
    (
        "disk.target-exists",
        "same size, confirmed",
        W,
        copying(
            destination_reading=reading(volumes={LOCAL_PATH: volume(LOCAL_PATH)}),
            options={"confirmed_name": "web01"},
        ),
    ),
    (
        "disk.target-exists",
        "other size, confirmed",
        B,
        copying(
            destination_reading=reading(volumes={LOCAL_PATH: volume(LOCAL_PATH, capacity_bytes=GIB)}),
            options={"confirmed_name": "web01"},
        ),
    ),
    ("disk.top-layer-target", "no target", B, copying(options={"storage": "copy-incremental"})),
    ("disk.map-format", "a disk that is not copied", B, copying(options={"storage_map": ["vdx=local"]})),
    (
        "disk.map-format",
        "a network pool makes none",
        B,
        with_facts(
            copying(options={"storage_map": ["vda=ceph"]}),
            "destination",
            pools=(pool(name="ceph", type="rbd"),),
        ),
    ),
    (
        "disk.map-volume",
        "taken",
        B,
        copying(
            options={"storage_map": ["vda=local/other.qcow2"]},
            destination_reading=reading(volumes={OTHER_PATH: volume(OTHER_PATH)}),
        ),
    ),
    (
        "disk.map-volume",
        "taken, reused on purpose",
        W,
        copying(
            options={"storage_map": ["vda=local/other.qcow2"], "reuse_volumes": True},
            destination_reading=reading(volumes={OTHER_PATH: volume(OTHER_PATH)}),
        ),
    ),
    (
        "disk.remove-source",
        "said before it is done",
        W,
        copying(options={"remove_source_disks": True, "confirmed_name": "web01"}),
    ),
    (
        "disk.remove-source",
        "shared file system",
        B,
        copying(
            options={"remove_source_disks": True, "confirmed_name": "web01"},
            peer_probe=probe(file_systems={LOCAL_PATH: "nfs"}),
        ),
    ),
    ("disk.copy-onto-itself", "shared pool", B, context(options=SHARED_COPY)),
    (
        "disk.copy-onto-itself",
        "probably shared",
        W,
        copying(peer_probe=probe(file_systems={LOCAL_PATH: "nfs"})),
    ),
    (
        "disk.removable-media",
        "medium missing",
        B,
        context(
            guest=guest(domain(disks=(disk(), cdrom()))),
            destination_reading=reading(volumes={DISK_PATH: volume(), "/iso/tools.iso": None}),
        ),
    ),
    (
        "disk.removable-media",
        "optional medium dropped",
        W,
        context(
            guest=guest(domain(disks=(disk(), cdrom(startup_policy="optional")))),
            destination_reading=reading(volumes={DISK_PATH: volume(), "/iso/tools.iso": None}),
        ),
    ),
    ("disk.snapshots", "two", B, context(guest=guest(snapshot_count=2))),
    ("disk.checkpoints", "some", W, context(guest=guest(extra={"checkpoints": "yes"}))),
    ("disk.blockjob", "one", B, context(guest=guest(extra={"block_jobs": "vda"}))),
    ("memory.headroom", "full", B, with_facts(context(), "destination", memory_free_bytes=GIB)),
    ("memory.headroom", "planned moves", B, context(planned_memory_bytes=31 * GIB)),
    ("memory.headroom", "huge pages", B, with_pages(127)),
    ("disk.sata", "a disk", W, of(disks=(disk(bus="sata"),))),
    ("disk.sata", "an empty drive", I, of(disks=(cdrom(source_path=""),))),
    (
        "disk.sata",
        "old QEMU",
        B,
        with_facts(of(disks=(disk(bus="sata"),)), "destination", hypervisor_version=2_003_000),
    ),
    ("disk.floppy", "in the drive", W, of(disks=(disk(device="floppy", bus="fdc", target="fda"),))),
    ("disk.format", "vmdk", B, of(disks=(disk(format="vmdk"),))),
    ("disk.format", "layer in vdi", B, of(disks=(disk(backing_formats=("vdi",)),))),
    ("disk.shareable", "kept", W, of(disks=(disk(shareable=True),))),
    ("disk.shareable", "copied", B, copied_shareable()),
    ("disk.reservation", "managed", B, of(disks=(disk(reservations="managed"),))),
    ("disk.transient", "running", B, of(disks=(disk(transient=True),))),
    ("disk.nvme", "running", B, of(disks=(disk(type="nvme", source_path=""),))),
    ("disk.nvme", "offline", W, offline_of(disks=(disk(type="nvme", source_path=""),))),
    ("disk.encryption-secret", "not there", B, with_facts(of(disks=(LUKS,)), "destination", secrets=())),
    (
        "disk.encryption-secret",
        "offline",
        W,
        with_facts(offline_of(disks=(LUKS,)), "destination", secrets=()),
    ),
    ("load.heavy-writer", "capped link", W, writing("80", bandwidth_mib_per_s=100)),
    (
        "disk.shared",
        "look-alike file in like pools",
        B,
        context(
            peer_probe=probe(
                source_files={DISK_PATH: PathIdentity(7, 100, 0)},
                destination_files={DISK_PATH: PathIdentity(8, 100, 0)},
            )
        ),
    ),
    (
        "disk.shared",
        "floppy on the source's own disk",
        B,
        context(
            guest=guest(domain(disks=(disk(device="floppy", bus="fdc", source_path=LOCAL_PATH),))),
            destination_reading=reading(volumes={LOCAL_PATH: volume(LOCAL_PATH)}),
            peer_probe=probe(file_systems={LOCAL_PATH: "xfs"}),
        ),
    ),
    (
        "disk.path",
        "network pool not started",
        B,
        with_facts(
            context(destination_reading=reading(volumes={})), "destination", pools=(pool(active=False),)
        ),
    ),
]

UNKNOWN: list[tuple[str, Severity, PreflightContext]] = [
    ("disk.path", B, context(destination_reading=None)),
    ("disk.path", B, context(destination_reading=reading(volumes={}))),
    (
        "disk.shared",
        B,
        context(
            guest=guest(domain(disks=(disk(source_path=LOCAL_PATH),))),
            destination_reading=reading(volumes={LOCAL_PATH: volume(LOCAL_PATH)}),
            peer_probe=None,
        ),
    ),
    ("disk.target-exists", B, copying(destination_reading=None)),
    ("disk.space", W, copying(disk_capacity_bytes={})),
    ("disk.pool-twin", B, with_facts(copying(), "destination", unread=(("storage pools", "not supported"),))),
    ("disk.removable-media", B, of(disks=(disk(), cdrom()))),
    ("disk.snapshots", B, context(guest=guest(snapshot_count=None))),
    ("memory.headroom", B, with_facts(context(), "destination", memory_free_bytes=None)),
    ("memory.headroom", B, of(huge_pages=(HUGE,))),
    (
        "memory.headroom",
        B,
        with_facts(of(huge_pages=(HUGE,)), "destination", unread=(("free pages", "not supported"),)),
    ),
    ("disk.encryption-secret", B, of(disks=(LUKS,))),
    (
        "disk.encryption-secret",
        B,
        with_facts(of(disks=(LUKS,)), "destination", unread=(("secrets", "not supported"),)),
    ),
    (
        "disk.shared",
        B,
        context(
            guest=guest(domain(disks=(disk(type="block", source_path="/dev/sdb"),))),
            destination_reading=reading(volumes={"/dev/sdb": volume("/dev/sdb")}),
            peer_probe=probe(file_systems={"/dev/sdb": "tmpfs"}),
        ),
    ),
]
