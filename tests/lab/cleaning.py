"""Back to an empty host: away with guests, volumes, pools and networks, whatever state they are in."""

from __future__ import annotations

import shlex
from concurrent.futures import ThreadPoolExecutor

from . import guest_xml
from .guest import LabGuest
from .host import POOLS, LabHost
from .layout import Instance
from .storage import brick
from .system import LabError

PATIENCE_S = 5  # a libvirtd that has waited for a lost peer answers later than this, or never
UNDEFINE_FLAGS = ("--managed-save", "--snapshots-metadata", "--checkpoints-metadata")


def remove_guest(instance: Instance, hosts: dict[str, LabHost], guest: LabGuest) -> None:
    """Remove a guest, its disks and its logs from every host."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda host: _remove_domain(host, guest.name), hosts.values()))
        disks = [guest.disk_path] if guest.disk_path else []
        list(pool.map(lambda host: _delete_files(host, guest.name, disks), hosts.values()))
        list(pool.map(_refresh_pools, hosts.values()))
    guest_xml.spec_path(instance, guest.name).unlink(missing_ok=True)


def remove_everything(instance: Instance, hosts: dict[str, LabHost]) -> None:
    """Remove all guests, also those the lab did not make, all volumes, and foreign pools and networks."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(_remove_definitions, hosts.values()))
        # By name, on every host: a file that another host deleted is seen for a second longer.
        shared = [f"{guest_xml.POOL_FOLDER}/VM/{path.name}" for path in brick(instance).glob("[!.]*")]
        disks = [*map(shlex.quote, shared), f"{guest_xml.POOL_FOLDER}/local/*"]
        list(pool.map(lambda host: _delete_files(host, "*", disks), hosts.values()))
        list(pool.map(_refresh_pools, hosts.values()))
    for path in instance.guests.glob("*.json"):
        path.unlink()


def _remove_definitions(host: LabHost) -> None:
    try:
        for name in _domains(host):
            _remove_domain(host, name)
        left = _domains(host)
    except LabError:
        left = ["libvirtd does not answer"]
    if left:
        _start_anew(host)
    _remove_foreign_networks(host)
    _restore_pools(host)


def _domains(host: LabHost) -> list[str]:
    return host.virsh("list", "--all", "--name", timeout=PATIENCE_S).split()


def _remove_domain(host: LabHost, name: str) -> None:
    host.virsh("destroy", name, check=False, timeout=PATIENCE_S)
    host.virsh("undefine", name, *UNDEFINE_FLAGS, check=False, timeout=PATIENCE_S)


def _start_anew(host: LabHost) -> None:
    """A libvirtd that cannot let go of a guest is ended and forgets all of them."""
    host.kill_libvirtd()
    host.run(
        ["pkill", "-KILL", "-f", "^/usr/bin/qemu-system-"], check=False
    )  # in the host's own PID namespace
    host.run(["sh", "-c", "rm -rf /run/libvirt/qemu/* /etc/libvirt/qemu/*.xml /var/lib/libvirt/qemu/save/*"])
    host.start_libvirtd()


def _remove_foreign_networks(host: LabHost) -> None:
    for name in host.virsh("net-list", "--all", "--name").split():
        host.virsh("net-destroy", name, check=False)
        host.virsh("net-undefine", name, check=False)


def _restore_pools(host: LabHost) -> None:
    for name in set(host.virsh("pool-list", "--all", "--name").split()) - set(POOLS):
        host.virsh("pool-destroy", name, check=False)
        host.virsh("pool-undefine", name, check=False)
    host.define_missing_pools()


def _delete_files(host: LabHost, guest_name: str, disks: list[str]) -> None:
    logs = [f"{guest_xml.SERIAL_FOLDER}/{guest_name}{end}" for end in ("-serial.log*", ".log")]
    # Wildcards are the shell's, names are checked by guest_xml.GUEST_NAME.
    host.run(["sh", "-c", f"rm -rf {' '.join([*disks, *logs])}"])


def _refresh_pools(host: LabHost) -> None:
    # Only when nobody deletes any more: a pool refreshed meanwhile goes on listing a deleted file.
    host.virsh("pool-refresh VM; pool-refresh local", check=False)
