"""What one value of a pool template may be. A rule gets it with sample values in place of variables, and answers with
what is wrong and what to write instead, or None. Pure."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
import uuid
from collections.abc import Callable
from typing import Final

from hosts.facts.pool_template_shape import split_host

Wrong = tuple[str, str] | None
Rule = Callable[[str], Wrong]

# libvirt writes /etc/libvirt/storage/<name>.xml.new first, and a file's name has at most 255 bytes.
MAX_NAME_BYTES: Final = 255 - len(".xml.new")
MAX_PATH_BYTES: Final = 4095  # Linux' PATH_MAX without the byte that ends it

# What libvirt's schema (storagepool.rng, basictypes.rng) takes.
_DNS_NAME: Final = re.compile(r"[a-zA-Z0-9.\-]+")
_IQN: Final = re.compile(r"iqn\.[0-9]{4}-(0[1-9]|1[0-2])\.[a-zA-Z0-9.\-]+(:.+)?")
_OTHER_INITIATOR: Final = re.compile(r"eui\.[0-9a-fA-F]{16}|naa\.[0-9a-fA-F]{16,32}")
_MODE: Final = re.compile(r"0?[0-7]{3}")
_NUMBER: Final = re.compile(r"[0-9]{1,10}")
_NFS_VERSION: Final = re.compile(r"2|3|4(\.[012])?")
_SECRET_OPTION: Final = re.compile(r"(pass|password|passwd|password2|pass2)\s*(=|$)", re.IGNORECASE)
_USER_WITH_PASSWORD: Final = re.compile(r"(user|username)\s*=[^%]*%", re.IGNORECASE)

# Mounting over one of these, or setting its permissions, takes the host down.
_SYSTEM_FOLDERS: Final = frozenset(
    {"/", "/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/root", "/run", "/sbin", "/sys", "/usr",
     "/usr/bin", "/usr/lib", "/usr/sbin", "/var", "/var/lib", "/var/lib/libvirt"}
)  # fmt: skip
# Nor does anything below these belong to a pool.
_SYSTEM_TREES: Final = ("/boot/", "/etc/", "/proc/", "/sys/")
FOLDER_TYPES: Final = frozenset({"dir", "fs", "netfs"})


def check_name(text: str) -> Wrong:
    if "/" in text:
        return "A pool's name has no /.", "Write another name; libvirt makes a file of it."
    if len(text.encode()) > MAX_NAME_BYTES:
        return (
            f"The name is longer than {MAX_NAME_BYTES} bytes.",
            "Write a shorter one; libvirt makes a file of it.",
        )
    return None


def check_characters(text: str) -> Wrong:
    """None that cannot be seen, or turns the rest of the line around; joiners are parts of some scripts and emoji."""
    for letter in text:
        if letter not in "\u200c\u200d" and unicodedata.category(letter) in {"Cc", "Cf", "Zl", "Zp"}:
            return (
                f"There is a character that cannot be seen (U+{ord(letter):04X}), such as a line break or a tab.",
                "Write it again without that character.",
            )
    return None


def check_path(text: str) -> Wrong:
    if not text.startswith("/"):
        return f"{text!r} is not an absolute path.", "Write it from the root: /…"
    return _check_steps(text)


def check_system_folder(text: str) -> Wrong:
    if "/" + text.strip("/") in _SYSTEM_FOLDERS or ("/" + text.lstrip("/")).startswith(_SYSTEM_TREES):
        return (
            f"{text} belongs to the host's system; the pool would be mounted over it or change its permissions.",
            "Write a folder of the pool's own, such as /var/lib/libvirt/images.",
        )
    return None


def _check_steps(text: str) -> Wrong:
    if ".." in text.split("/"):
        return f"{text!r} has '..' in it.", "Write the path it stands for."
    if len(text.encode()) > MAX_PATH_BYTES:
        return f"The path is longer than {MAX_PATH_BYTES} bytes.", "Write a shorter path."
    return None


def check_share(text: str) -> Wrong:
    """The directory of a CIFS source: mounted as //host/<dir>."""
    if text.startswith("/"):
        return f"A CIFS share has no / in front, {text!r} has.", f"Write {text.lstrip('/') or 'the share'}."
    return _check_steps(text)


def check_relative(text: str) -> Wrong:
    """The directory of a GlusterFS source: a volume, perhaps with a folder in it."""
    return _check_steps(text)


def check_device(text: str) -> Wrong:
    if not text.startswith("/"):
        return f"{text!r} is not the path of a device.", "Write a path such as /dev/disk/by-id/… ."
    return _check_steps(text)


def check_host(text: str) -> Wrong:
    name, port = split_host(text)
    if not (_DNS_NAME.fullmatch(name) or _is_address(name)):
        return (
            f"{name!r} is neither a host name nor an address.",
            "Use letters, digits, dots and dashes, or an address; with a port: name:port or [address]:port.",
        )
    if port and not (_NUMBER.fullmatch(port) and 1 <= int(port) <= 65535):
        return f"{port!r} is no port.", "A port is a number from 1 to 65535."
    return None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def check_target_iqn(text: str) -> Wrong:
    if _IQN.fullmatch(text):
        return None
    return (
        f"{text!r} is no iSCSI qualified name.",
        "Write it as iqn.YYYY-MM.domain:name, such as iqn.2013-06.com.example:vm.",
    )


def check_initiator_iqn(text: str) -> Wrong:
    return None if _OTHER_INITIATOR.fullmatch(text) else check_target_iqn(text)


def check_mode(text: str) -> Wrong:
    if _MODE.fullmatch(text):
        return None
    return f"{text!r} is no mode that libvirt takes.", "Write three octal digits, such as 0711 or 0755."


def check_number(text: str) -> Wrong:
    if text == "-1" or (_NUMBER.fullmatch(text) and int(text) < 2**32 - 1):
        return None
    return (
        f"{text!r} is no number of a user or group.",
        "Write the number (id -u, id -g), or -1; libvirt takes no names.",
    )


def check_nfs_version(text: str) -> Wrong:
    if _NFS_VERSION.fullmatch(text):
        return None
    return f"There is no NFS version {text!r}.", "Write 3, 4, 4.0, 4.1 or 4.2, or leave it empty."


def check_mount_option(text: str) -> Wrong:
    if holds_password(text):
        return None  # told by check_option_secret, without the password
    if any(letter.isspace() for letter in text) or not all(text.split(",")):
        return (
            f"{text!r} is no mount option.",
            "Write one option a line, name or name=value, without white space.",
        )
    return None


def holds_password(text: str) -> bool:
    return any(_SECRET_OPTION.match(word) for word in re.split(r"[,\s]+", text)) or any(
        _USER_WITH_PASSWORD.match(word.strip()) for word in text.split(",")
    )


def check_option_secret(text: str) -> Wrong:
    """For mount options, of whatever pool type: their values are never repeated."""
    if not holds_password(text):
        return None
    return (
        "A mount option holds a password, which all who read the XML would see.",
        "Put it in a file on each host that only root may read, and write credentials=/path/of/the/file.",
    )


def check_config_secret(name: str) -> Wrong:
    """For the name of a Ceph option."""
    if name.strip().lower() not in {"key", "password"}:
        return None
    return (
        f"The Ceph option {name.strip()!r} holds a secret, which all who read the XML would see.",
        "Leave it out: the key is kept as a libvirt secret, named in the fields for the login.",
    )


def check_config_option(text: str) -> Wrong:
    name, equals, value = text.partition("=")
    if check_config_secret(name):
        return None  # told without the secret
    if not (name.strip() and equals and value.strip()):
        return f"{text!r} is no Ceph option.", "Write name=value, one a line."
    return None


def check_secret_uuid(text: str) -> Wrong:
    try:
        uuid.UUID(text)
    except ValueError:
        return (
            f"{text!r} is no UUID.",
            "Write it as virsh secret-list shows it, or use the secret's usage instead.",
        )
    return None


def check_cow(text: str) -> Wrong:
    return None if text in {"yes", "no"} else (f"{text!r} is neither yes nor no.", "Write yes or no.")


RULES: Final[dict[str, Rule]] = {
    "name": check_name,
    "target_path": check_path,
    "mode": check_mode,
    "owner": check_number,
    "group": check_number,
    "hosts": check_host,
    "target_iqn": check_target_iqn,
    "initiator_iqn": check_initiator_iqn,
    "protocol_version": check_nfs_version,
    "secret_uuid": check_secret_uuid,
    "mount_options": check_mount_option,
    "config_options": check_config_option,
    "devices": check_device,
    "cow": check_cow,
}


def find_rules(pool_type: str, source_format: str, field: str) -> tuple[Rule, ...]:
    """The rules for one field of one type."""
    if field == "source_dir":
        relative = {"cifs": check_share, "glusterfs": check_relative}
        return (relative.get(source_format, check_path) if pool_type == "netfs" else check_path,)
    if field == "devices" and pool_type == "zfs":
        return ()  # ZFS takes names of its own for devices
    rules = (RULES[field],) if field in RULES else ()
    return (*rules, check_system_folder) if field == "target_path" and pool_type in FOLDER_TYPES else rules
