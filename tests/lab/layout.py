"""Where a lab instance keeps its files, and which subnet it took."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

from .system import LabError, exclusive, run

DEFAULT_ROOT = Path("/var/lib/vm-migrate-lab")
HOST_NAMES = ("mercury", "jupiter", "saturn", "venus", "mars", "neptune", "uranus", "pluto")
INSTANCE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,19}")
# A node mounts its own folders over these; a state folder below one of them would vanish inside the node.
NODE_PATHS = ("/etc", "/root", "/run", "/var/cache/libvirt", "/var/lib/libvirt", "/var/log")
STORAGE_PATHS = ("/etc", "/root", "/run", "/var/lib/glusterd", "/var/log")
CONSOLE_OCTET = 254  # the root namespace's side: the product, the tests
STORAGE_OCTET = 253  # the GlusterFS server, in the namespace that holds the bridge
FIRST_GUEST_OCTET, LAST_GUEST_OCTET = 10, 250


@dataclass(frozen=True)
class HostRecord:
    name: str
    address: str
    uuid: str


@dataclass(frozen=True)
class Instance:
    """One lab: its name, its subnet 10.99.<subnet>.0/24 and its hosts."""

    name: str
    subnet: int
    hosts: tuple[HostRecord, ...]

    @property
    def folder(self) -> Path:
        return state_root() / self.name

    @property
    def guests(self) -> Path:
        return self.folder / "guests"

    @property
    def console_link(self) -> str:
        return f"vmlab{self.subnet}"

    def address(self, octet: int) -> str:
        return f"10.99.{self.subnet}.{octet}"

    def save(self) -> None:
        path = self.folder / "instance.json"
        path.with_suffix(".new").write_text(json.dumps(asdict(self), indent=2))
        path.with_suffix(".new").rename(path)


def state_root() -> Path:
    """The folder of all instances: $VM_MIGRATE_LAB_DIR or /var/lib/vm-migrate-lab."""
    root = Path(os.environ.get("VM_MIGRATE_LAB_DIR") or DEFAULT_ROOT)
    if not root.is_absolute() or any(root.is_relative_to(path) for path in (*NODE_PATHS, *STORAGE_PATHS)):
        raise LabError(f"VM_MIGRATE_LAB_DIR={root} must be absolute and outside {', '.join(NODE_PATHS)}")
    return root


def cache_folder() -> Path:
    """What instances share and what survives them: the guests' kernel and initramfs."""
    return state_root() / "cache"


def instance_names() -> list[str]:
    return sorted(path.parent.name for path in state_root().glob("*/instance.json"))


def find_instance(name: str) -> Instance | None:
    try:
        stored = json.loads((state_root() / name / "instance.json").read_text())
    except FileNotFoundError:
        return None
    return Instance(stored["name"], stored["subnet"], tuple(HostRecord(**host) for host in stored["hosts"]))


def reserve_instance(name: str, host_names: tuple[str, ...]) -> Instance:
    """Take a free subnet and write the instance down, under a lock: two `up` at once take two subnets."""
    with exclusive(state_root() / ".lock"):
        subnet = _free_subnet()
        hosts = tuple(
            HostRecord(
                host,
                f"10.99.{subnet}.{octet}",
                str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{host}.{name}.lab.invalid")),
            )
            for octet, host in enumerate(host_names, start=1)
        )
        instance = Instance(name, subnet, hosts)
        instance.guests.mkdir(parents=True)
        instance.folder.chmod(0o700)  # private keys lie below
        instance.save()
    return instance


def check_names(name: str, host_names: tuple[str, ...]) -> None:
    """LabError unless these can be names of a lab and its hosts."""
    if not INSTANCE_NAME.fullmatch(name) or name == cache_folder().name:
        raise LabError(
            f"{name!r} is no name for a lab: letters, digits and hyphens, at most 20, and not 'cache'"
        )
    if not 1 <= len(host_names) < FIRST_GUEST_OCTET or len(set(host_names)) != len(host_names):
        raise LabError(
            f"a lab has 1 to {FIRST_GUEST_OCTET - 1} hosts with different names, not {', '.join(host_names)}"
        )
    for host in host_names:
        if not INSTANCE_NAME.fullmatch(host) or host in ("storage", "console", "localhost"):
            raise LabError(f"{host!r} is no name for a lab host")


def _free_subnet() -> int:
    taken = {instance.subnet for name in instance_names() if (instance := find_instance(name))}
    routes = json.loads(run(["ip", "-json", "-4", "route", "show", "table", "all"]).stdout)
    networks = [
        ipaddress.ip_network(dst, strict=False)
        for route in routes
        if (dst := route.get("dst", "")) and dst[0].isdigit()
    ]
    for subnet in range(256):
        wanted = ipaddress.ip_network(f"10.99.{subnet}.0/24")
        if subnet not in taken and not any(
            wanted.overlaps(network) for network in networks if network.prefixlen > 8
        ):
            return subnet
    raise LabError("no 10.99.<n>.0/24 is free on this machine; take a lab down first (bin/lab status)")
