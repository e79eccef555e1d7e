"""What libvirt's errors mean when pools and volumes are worked on; the table beside those of error_rules."""

from __future__ import annotations

from hosts.driver.error_rules import Rule
from hosts.errors import OperationFailed, Refused

# {doing} names the pool or volume; libvirt's own text is told behind the meaning.
STORAGE_RULES: tuple[Rule, ...] = (
    Rule(
        OperationFailed,
        "The storage there is full.",
        "Make room in the pool (delete what is not needed, or enlarge what is behind it), then try again.",
        text=r"no space left|not enough free space|disk quota exceeded|insufficient free space",
    ),
    Rule(
        Refused,
        "The layer below it is not there, or cannot be read.",
        "Copy or create the backing file first, at exactly this path.",
        text=r"inaccessible backing store|backing store.*(no such file|cannot)",
    ),
    Rule(
        Refused,
        "There is no such pool.",
        "Read the host again, or define the pool there.",
        codes=("NO_STORAGE_POOL",),
    ),
    Rule(
        Refused,
        "There is no such volume.",
        "Refresh the pool.",
        codes=("NO_STORAGE_VOL",),
    ),
    Rule(
        Refused,
        "A volume of this name is there already.",
        "Choose another name, or delete that volume if nobody needs it.",
        codes=("STORAGE_VOL_EXIST",),
    ),
    Rule(
        Refused,
        "Another pool there lies on the same source or folder, or has the same name or UUID.",
        "Use that pool, or remove it first. All pools: virsh pool-list --all",
        text=r"source conflict with pool|already exists with uuid|already defined with uuid"
        r"|already active with uuid",
    ),
    Rule(
        Refused,
        "What it lies on is not prepared for it yet.",
        "Build the pool first.",
        text=r"requires build",
    ),
    Rule(
        Refused,
        "There is something on it already, and it was not touched.",
        "Look at what is there; if nobody needs it, build with overwriting.",
        codes=("STORAGE_POOL_BUILT", "STORAGE_PROBE_FAILED"),
    ),
    Rule(
        Refused,
        "There is something on it already, and it was not touched.",
        "Look at what is there; if nobody needs it, build with overwriting.",
        text=r"already (formatted|exists on|contains)|appears to contain|use overwrite",
    ),
    Rule(
        Refused,
        "The pool is busy: a volume in it is being made, copied or wiped.",
        "Wait until that has ended.",
        text=r"asynchronous jobs running|volume.*(being allocated|still in use|in use)",
    ),
    Rule(
        Refused,
        "The description does not fit libvirt's schema or holds what libvirt cannot use.",
        "Correct what the text names.",
        codes=("XML_INVALID_SCHEMA", "XML_ERROR", "XML_DETAIL"),
    ),
    Rule(
        Refused,
        "A program that libvirt needs for this is not installed there.",
        "Install it on the host: scrub overwrites volumes, parted makes pools on disks, lvm2 volume groups.",
        text=r"cannot find '[^']+' in path",
    ),
    Rule(
        OperationFailed,
        "It is larger than the file system there can hold in one file.",
        "Choose a smaller size, or a pool on another file system.",
        text=r"file too large",
    ),
    Rule(
        OperationFailed,
        "The folder is not empty.",
        "Delete or move what is in it, or only remove the definition.",
        text=r"directory not empty",
    ),
    Rule(
        OperationFailed,
        "Its folder, device or file is not there.",
        "Build the pool first, or check the path on the host. Its log: journalctl -u libvirtd -n 50",
        text=r"no such file or directory|cannot open path|cannot stat|can't find",
    ),
    Rule(
        OperationFailed,
        "The host may not read or write there.",
        "On the host: ls -ld PATH; on network storage look at its export (root_squash, read-only).",
        text=r"permission denied|read-only file system|operation not permitted",
    ),
    Rule(
        OperationFailed,
        "Something on the host still has files open in it.",
        "Move the guests that run on it away or shut them down, then try again. On the host: fuser -vm PATH",
        text=r"umount: .*(target|device) is busy",
    ),
    Rule(
        OperationFailed,
        "The host cannot mount this kind of file system.",
        "Install its client on the host: nfs-common or nfs-utils, cifs-utils, glusterfs-client or glusterfs-fuse.",
        text=r"unknown filesystem type|helper program",
    ),
    Rule(
        OperationFailed,
        "The storage server does not answer or refuses the host.",
        "From the host, reach the server by the name in the pool, and check what it exports to this host.",
        text=r"connection (refused|timed out)|no route to host|failed to resolve|mount\.(nfs|cifs|glusterfs)"
        r"|mount failed|child process \(\S*mount |name or service not known|login failed",
    ),
    Rule(
        Refused,
        "The host's libvirt does not offer this for this kind of pool or volume.",
        "Choose another way, or install the missing libvirt storage driver on the host.",
        codes=(
            "NO_SUPPORT",
            "OPERATION_UNSUPPORTED",
            "ARGUMENT_UNSUPPORTED",
            "CONFIG_UNSUPPORTED",
        ),
    ),
    Rule(
        Refused,
        "{host} does not allow this to our account.",
        "Give the account the right to manage storage: usermod -aG libvirt USER",
        codes=("OPERATION_DENIED", "ACCESS_DENIED", "AUTH_FAILED", "AUTH_UNAVAILABLE", "AUTH_CANCELLED"),
    ),
    Rule(
        Refused,
        "It is not in a state that allows this.",
        "Read the host again.",
        codes=("OPERATION_INVALID",),
    ),
    Rule(
        Refused,
        "libvirt does not accept what it was given.",
        "Correct what the text names.",
        codes=("INVALID_ARG",),
    ),
    Rule(
        OperationFailed,
        "The host's libvirt reported an error.",
        "Look at libvirt's log there: journalctl -u libvirtd -n 50",
    ),
)
