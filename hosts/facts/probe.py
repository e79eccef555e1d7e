"""Facts that libvirt cannot tell: what a host says of itself, and of a peer, over SSH. Pure."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

# Families of distributions that differ in their commands: Debian/Ubuntu, openSUSE/SLE, RHEL/Fedora.
FAMILIES = ("debian", "suse", "redhat")


class ProbeState(enum.StrEnum):
    OPEN = "open"  # connected, or refused by the host itself: reachable
    FILTERED = "filtered"  # silence or no route
    FAILED = "failed"  # answered, but not as needed (login refused, name unknown)
    UNKNOWN = "unknown"  # could not be asked


@dataclass(frozen=True, slots=True)
class Probe:
    state: ProbeState
    detail: str = ""


@dataclass(frozen=True, slots=True)
class PathIdentity:
    """A file as one host sees it (stat): the same figures on both hosts are the same file, not a look-alike."""

    inode: int
    size_bytes: int
    modified_s: int  # seconds since 1970


@dataclass(frozen=True, slots=True)
class HostProbe:
    """One host about itself. None, "" and empty: not known, never "none"."""

    family: str = ""  # one of FAMILIES
    system: str = ""  # PRETTY_NAME of os-release
    clock_offset_ms: int | None = None  # host minus console, at the middle of the round trip
    clock_error_ms: int | None = None  # half the round trip: the offset is known no better
    clock_synchronised: bool | None = None
    qemu_uid: int | None = None
    kvm_gid: int | None = None
    qemu_gid: int | None = None
    libvirt_gid: int | None = None
    firewall: str = ""  # firewalld, ufw, nftables, iptables, none
    # TCP ports (first, last) that a rule here answers with a reset, as if nothing listened
    reset_ports: tuple[tuple[int, int], ...] = ()
    addresses: tuple[str, ...] = ()  # of all interfaces but loopback, with prefix: "10.99.0.1/24"
    # name of an interface → its addresses among these
    link_addresses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    links: tuple[str, ...] = ()  # names of all network interfaces but lo and vnet…: enp1s0, br0
    microcode: str = ""  # as /proc/cpuinfo says it
    nested: bool | None = None
    image_directory: str = ""  # /var/lib/libvirt/images
    image_file_system: str = ""  # `stat -f -c %T` of it
    userfaultfd: bool | None = None  # post-copy needs it
    why_unknown: str = ""  # "" when the host was asked; else why not


@dataclass(frozen=True, slots=True)
class PeerProbe:
    """What the source host itself sees of the destination (read over SSH; all UNKNOWN without SSH)."""

    name_resolves: Probe
    libvirt_login: Probe  # `virsh -c <peer address> uri` run as root on the source
    migration_port: Probe  # a TCP connect to the first migration port
    file_systems: Mapping[str, str] = field(default_factory=dict)  # disk path on the source → `stat -f -c %T`
    # A TCP connect to the port of the peer address; FAILED when it is refused: nothing listens
    libvirt_port: Probe = Probe(ProbeState.UNKNOWN)
    disk_port: Probe = Probe(ProbeState.UNKNOWN)  # where copied disks go, when it is not among the others
    last_migration_port: Probe = Probe(ProbeState.UNKNOWN)
    # Which ports those were; 0: not tried
    tried_ports: tuple[int, int] = (0, 0)
    tried_disk_port: int = 0
    source_files: Mapping[str, PathIdentity] = field(
        default_factory=dict
    )  # disk path → as the source sees it
    destination_files: Mapping[str, PathIdentity] = field(default_factory=dict)
