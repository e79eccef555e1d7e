"""Remedies by hand inside a host: user and group ids, clocks, microcode, exported storage. Pure."""

from __future__ import annotations

from typing import Final

from jobs.preflight.by_hand import by_family
from jobs.preflight.by_hand_network import quoted
from jobs.preflight.context import HostSide
from jobs.preflight.findings import Commands

QEMU_USERS: Final = {"debian": "libvirt-qemu", "suse": "qemu", "redhat": "qemu"}
_CHRONY: Final = {
    "debian": ("apt-get install -y chrony", "systemctl enable --now chrony"),
    "suse": ("zypper install -y chrony", "systemctl enable --now chronyd"),
    "redhat": ("dnf install -y chrony", "systemctl enable --now chronyd"),
}
_MICROCODE: Final = {
    "debian": (
        "apt-get install -y intel-microcode   # Intel; component non-free-firmware",
        "apt-get install -y amd64-microcode   # AMD",
    ),
    "suse": ("zypper install -y ucode-intel   # Intel", "zypper install -y ucode-amd   # AMD"),
    "redhat": (
        "dnf install -y microcode_ctl   # Intel",
        "dnf install -y linux-firmware   # AMD",
        "dracut -f --regenerate-all",
    ),
}
_NFS_SERVER: Final = {
    "debian": ("apt-get install -y nfs-kernel-server",),
    "suse": ("zypper install -y nfs-kernel-server", "systemctl enable --now nfs-server"),
    "redhat": ("dnf install -y nfs-utils", "systemctl enable --now nfs-server"),
}
_NFS_CLIENT: Final = {
    "debian": ("apt-get install -y nfs-common",),
    "suse": ("zypper install -y nfs-client",),
    "redhat": ("dnf install -y nfs-utils",),
}


def change_user_id(side: HostSide, old: int, new: int) -> tuple[Commands, ...]:
    """QEMU's user gets another number, and its files with it. No guest may run there meanwhile."""
    return by_family(
        side,
        {
            family: (
                f"getent passwd {new}   # must print nothing: the number has to be free",
                f"usermod -u {new} {user}",
                f"find /var/lib/libvirt -xdev -uid {old} -exec chown -h {new} {{}} +",
                "systemctl restart libvirtd   # or virtqemud",
            )
            for family, user in QEMU_USERS.items()
        },
    )


def change_group_id(side: HostSide, group: str, old: int, new: int) -> tuple[Commands, ...]:
    """A group gets another number, and its files with it. `group` "qemu" is QEMU's own, whatever it is called."""
    return by_family(
        side,
        {
            family: (
                f"getent group {new}   # must print nothing: the number has to be free",
                f"groupmod -g {new} {user if group == 'qemu' else group}",
                f"find /var/lib/libvirt /dev/kvm -xdev -gid {old} -exec chgrp -h {new} {{}} +",
                "systemctl restart libvirtd   # or virtqemud",
            )
            for family, user in QEMU_USERS.items()
        },
    )


def synchronise_clock(side: HostSide) -> tuple[Commands, ...]:
    return by_family(
        side, {family: (*lines, "chronyc makestep", "chronyc tracking") for family, lines in _CHRONY.items()}
    )


def update_microcode(side: HostSide) -> tuple[Commands, ...]:
    """Loaded at the next start of the host."""
    return by_family(side, {family: (*lines, "reboot") for family, lines in _MICROCODE.items()})


def export_directory(server: HostSide, directory: str, client: str) -> tuple[Commands, ...]:
    """NFS: a directory of one host for another one. `client` is its name or address."""
    line = quoted(f"{directory} {client}(rw,sync,no_root_squash)")
    lines = (f"echo {line} >> /etc/exports", "exportfs -ra")
    return by_family(server, {family: (*before, *lines) for family, before in _NFS_SERVER.items()})


def mount_as_pool(
    client: HostSide, pool: str, server: str, directory: str, target: str
) -> tuple[Commands, ...]:
    """The same export as a storage pool, mounted at `target`: the path of the guests' disks."""
    name = quoted(pool)
    source = f"--source-host {quoted(server)} --source-path {quoted(directory)}"
    lines = (
        f"virsh pool-define-as {name} netfs {source} --target {quoted(target)}",
        f"virsh pool-build {name}",
        f"virsh pool-start {name}",
        f"virsh pool-autostart {name}",
    )
    return by_family(client, {family: (*before, *lines) for family, before in _NFS_CLIENT.items()})
