"""The one table of pool types and their fields, in libvirt's terms. Pure.

The form, its checks and the XML are made from it. Source: libvirt's formatstorage and storagepool.rng (9.0).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from hosts.facts.pool_template_shape import PoolField, PoolType, PoolValue

# Kinds of source that libvirt's netfs pool mounts.
NFS_FORMATS: Final = frozenset({"auto", "nfs"})
NFS_PORT: Final = "2049"

_FS_FORMATS: Final = (
    "auto", "ext2", "ext3", "ext4", "xfs", "gfs", "gfs2", "ocfs2", "vfat", "iso9660", "udf", "ufs", "hfs+", "vmfs",
)  # fmt: skip
_DISK_FORMATS: Final = ("unknown", "gpt", "dos", "dvh", "mac", "bsd", "pc98", "sun", "lvm2")

# fmt: off
NAME: Final = PoolField("name", "Name", "The pool's name, the same on every host.", "name", required=True,
                        example="VM")
TARGET: Final = PoolField("target_path", "Target path", "Where the host sees the volumes.", "target/path",
                          required=True, example="/var/lib/libvirt/images")
PERMISSIONS: Final = (
    PoolField("mode", "Mode", "Octal, for the folder that build makes; otherwise libvirt's 0711.",
              "target/permissions/mode", example="0711", advanced=True),
    PoolField("owner", "Owner", "Number of the user that owns the folder; -1 is the user libvirt runs as.",
              "target/permissions/owner", example="-1", advanced=True),
    PoolField("group", "Group", "Number of the group that owns the folder; -1 is the group libvirt runs as.",
              "target/permissions/group", example="-1", advanced=True),
)
# Pools that are no folder: libvirt stores these and does nothing with them.
KEPT_PERMISSIONS: Final = tuple(
    replace(item, help=f"{item.label} as a number; libvirt keeps it and uses it for pools that are folders only.")
    for item in PERMISSIONS
)
COW: Final = PoolField("cow", "Copy on write", "On btrfs: no makes a new folder without copy on write.",
                       "features/cow state", PoolValue.CHOICE, choices=("", "yes", "no"), advanced=True)
HOST: Final = PoolField("hosts", "Host", "Name or address of the server.", "source/host name", PoolValue.LINES,
                        required=True, most=1, example="nas.example")
DIRECTORY: Final = PoolField("source_dir", "Directory", "What the server exports.", "source/dir path",
                             required=True, example="/srv/vm")
FORMAT: Final = PoolField("source_format", "Format", "What kind of source it is.", "source/format type",
                          PoolValue.CHOICE)
DEVICES: Final = PoolField("devices", "Device", "Block device on the host.", "source/device path",
                           PoolValue.LINES, required=True, most=1, example="/dev/disk/by-id/…")
SOURCE_NAME: Final = PoolField("source_name", "Source name", "The name of the source.", "source/name",
                               required=True)
MOUNT_OPTIONS: Final = PoolField("mount_options", "Mount options", "One a line, added to mount -o.",
                                 "fs:mount_opts/fs:option name", PoolValue.LINES, example="noatime",
                                 advanced=True)
AUTH: Final = (
    PoolField("auth_username", "User name", "The user to log in with; empty where no login is needed.",
              "source/auth username"),
    PoolField("secret_usage", "Secret's usage", "The name by which each host keeps the password as a libvirt "
              "secret.", "source/auth/secret usage"),
    PoolField("secret_uuid", "Secret's UUID", "Instead of its usage; must be the same on every host.",
              "source/auth/secret uuid", advanced=True),
)
_ISCSI: Final = (
    replace(HOST, help="The iSCSI portal: name or address, with a port unless it is 3260.",
            example="san.example:3260"),
    PoolField("target_iqn", "Target IQN", "Name of the iSCSI target.", "source/device path", required=True,
              example="iqn.2013-06.com.example:vm"),
    PoolField("initiator_iqn", "Initiator IQN", "Name the host gives itself; otherwise the one it was set up "
              "with.", "source/initiator/iqn name", example="iqn.2013-06.com.example:{{ host.name }}"),
)

POOL_TYPES: Final[tuple[PoolType, ...]] = (
    PoolType("dir", "dir: directory", "A folder on the host; shared only if the folder itself lies on shared storage.",
             (NAME, TARGET, *PERMISSIONS, COW)),
    PoolType("fs", "fs: pre-formatted block device", "A file system on a block device that the host mounts.",
             (NAME, replace(DEVICES, help="Block device that holds the file system.", example="/dev/sdb1"),
              replace(FORMAT, help="Its file system; auto lets the host find out.", choices=_FS_FORMATS),
              TARGET, MOUNT_OPTIONS, *PERMISSIONS, COW), "auto"),
    PoolType("netfs", "netfs: network file system", "NFS, GlusterFS or CIFS, mounted by every host.",
             (NAME, HOST,
              replace(DIRECTORY, help="What the server exports: /path for NFS, the volume for GlusterFS, the share "
                      "for CIFS."),
              replace(FORMAT, help="nfs, glusterfs or cifs; auto lets mount find out.",
                      choices=("auto", "nfs", "glusterfs", "cifs")),
              PoolField("protocol_version", "NFS version", "Otherwise what client and server agree on.",
                        "source/protocol ver", PoolValue.CHOICE,
                        choices=("", "3", "4", "4.0", "4.1", "4.2")),
              replace(TARGET, help="Folder on each host where it is mounted."), MOUNT_OPTIONS, *PERMISSIONS), "auto"),
    PoolType("iscsi", "iscsi: iSCSI target", "The host logs in to an iSCSI target; its LUNs are the volumes.",
             (NAME, *_ISCSI, replace(TARGET, example="/dev/disk/by-path",
                                     help="Folder of device names; by-path names are the same on every host."),
              *AUTH, *KEPT_PERMISSIONS)),
    PoolType("iscsi-direct", "iscsi-direct: iSCSI without the kernel", "QEMU itself talks to the iSCSI target.",
             (NAME, *_ISCSI[:-1], replace(_ISCSI[-1], required=True, help="Name QEMU gives itself."), *AUTH)),
    PoolType("logical", "logical: LVM volume group", "Logical volumes of a volume group.",
             (NAME, replace(SOURCE_NAME, label="Volume group", required=False, example="vg_guests",
                            help="Its name; otherwise the pool's. Volumes are then in /dev/<name>."),
              replace(DEVICES, label="Devices", required=False, most=0,
                      help="Physical volumes that build makes the group of; empty for a group that exists."),
              replace(FORMAT, help="LVM's own.", choices=("lvm2", "unknown"), advanced=True), *KEPT_PERMISSIONS),
             "lvm2"),
    PoolType("rbd", "rbd: Ceph", "Images of a Ceph pool, reached by QEMU itself.",
             (NAME, replace(HOST, label="Monitors", most=0, example="mon1.example:6789",
                            help="Ceph monitors, one a line, with a port unless it is Ceph's own."),
              replace(SOURCE_NAME, label="Ceph pool", help="The pool's name in Ceph.", example="vms"), *AUTH,
              PoolField("config_options", "Ceph options", "name=value, one a line, for librados.",
                        "rbd:config_opts/rbd:option", PoolValue.LINES, example="client_mount_timeout=45",
                        advanced=True))),
    PoolType("disk", "disk: partitions of a disk", "Partitions of one block device are the volumes.",
             (NAME, replace(DEVICES, help="The whole disk."),
              replace(FORMAT, help="Its partition table; unknown lets the host find out.", choices=_DISK_FORMATS),
              replace(TARGET, help="Folder of the partitions' device names.", example="/dev"), *KEPT_PERMISSIONS),
             "unknown"),
    PoolType("zfs", "zfs: ZFS pool or dataset", "ZFS volumes of a zpool or of a dataset in it.",
             (NAME, replace(SOURCE_NAME, label="Pool or dataset", help="As zfs list names it.", example="tank/vm"),
              replace(DEVICES, required=False, help="Device that build makes the zpool of; empty for one that "
                      "exists."))),
    PoolType("gluster", "gluster: GlusterFS without a mount", "Files of a GlusterFS volume, reached by QEMU itself.",
             (NAME, replace(HOST, help="One of the GlusterFS servers."),
              replace(SOURCE_NAME, label="Volume", help="Name of the GlusterFS volume."),
              replace(DIRECTORY, required=False, help="Folder in the volume; otherwise its root.", example="/"))),
    PoolType("scsi", "scsi: SCSI host adapter", "LUNs of an adapter; the adapter is written in the XML.",
             (NAME, replace(TARGET, example="/dev/disk/by-path"), *KEPT_PERMISSIONS)),
    PoolType("mpath", "mpath: multipath devices", "All multipath devices of the host.",
             (NAME, replace(TARGET, example="/dev/mapper"), *KEPT_PERMISSIONS)),
)
# fmt: on

_BY_NAME: Final = {item.name: item for item in POOL_TYPES}


def find_type(name: str) -> PoolType | None:
    return _BY_NAME.get(name)
