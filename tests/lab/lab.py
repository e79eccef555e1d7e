"""A lab instance: up, attach, down, and the state between tests."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from . import cleaning, credentials, demo, guest_image, guest_xml, network
from .credentials import Credentials
from .guest import LabGuest
from .guest_xml import GuestSpec
from .host import LabHost, host_by_name
from .host_files import hosts_file, write_host_files
from .layout import (
    HOST_NAMES,
    Instance,
    check_names,
    find_instance,
    instance_names,
    reserve_instance,
    state_root,
)
from .storage import start_storage, storage_node
from .system import LabError, check_machine, exclusive

Item = TypeVar("Item")


def each(action: Callable[[Item], object], items: Iterable[Item]) -> None:
    """Do the same to every item at the same time; the first failure is raised when all have ended."""
    with ThreadPoolExecutor(max_workers=16) as pool:
        for future in [pool.submit(action, item) for item in items]:
            future.result()


class Lab:
    """Real libvirt hosts on this machine: `Lab.up` makes or reuses an instance, `Lab.attach` finds one."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.storage = storage_node(instance)
        self.hosts = {
            host.name: LabHost(instance, position) for position, host in enumerate(instance.hosts, start=1)
        }

    @property
    def name(self) -> str:
        return self.instance.name

    @property
    def credentials(self) -> Credentials:
        return credentials.read(self.instance)

    @property
    def guests(self) -> dict[str, LabGuest]:
        """The guests made by create_guest and not yet removed, by name."""
        specs = [guest_xml.read_spec(path) for path in sorted(self.instance.guests.glob("*.json"))]
        return {spec.name: LabGuest(self.instance, self.hosts, spec) for spec in specs}

    # Life of the instance

    @classmethod
    def up(cls, name: str = "demo", hosts: Sequence[str] = ("mercury", "jupiter")) -> Lab:
        """Make the instance. A running one with the same hosts is reused (ended daemons are started again);
        what is left of one whose nodes all ended is cleared away; one with some nodes ended is a LabError."""
        check_machine()
        check_names(name, tuple(hosts))
        with exclusive(state_root() / f".{name}.lock"):
            found = find_instance(name)
            if found and (lab := _reuse(cls(found), tuple(hosts))):
                return lab
            guest_image.ensure_guest_image()
            lab = cls(reserve_instance(name, tuple(hosts)))
            try:
                lab._start()
            except BaseException:
                lab._stop()
                raise
            return lab

    @classmethod
    def attach(cls, name: str = "demo") -> Lab:
        """The instance that is up under this name, or LabError."""
        instance = find_instance(name)
        if instance is None:
            known = ", ".join(instance_names()) or "none"
            raise LabError(f"no lab named {name!r} (there is: {known}). Start it: bin/lab up --name {name}")
        return cls(instance)

    def down(self) -> None:
        """End its processes, remove its links, mounts and files; what instances share (the cache) stays."""
        lock = state_root() / f".{self.name}.lock"
        with exclusive(lock):
            self._stop()
            lock.unlink(missing_ok=True)

    def problems(self) -> dict[str, list[str]]:
        """What is wrong, by node name; empty when all is healthy."""
        found = {name: host.problems() for name, host in self.hosts.items()}
        found["storage"] = [] if self.storage.init else ["is down"]
        return {name: problems for name, problems in found.items() if problems}

    def reset(self) -> None:
        """Back to an empty, healthy lab: no faults, no guests, no volumes, only the lab's own pools."""
        each(LabHost.restore, self.hosts.values())
        cleaning.remove_everything(self.instance, self.hosts)

    def _start(self) -> None:
        host_nodes = [host.node for host in self.hosts.values()]
        credentials.create(self.instance)
        self.storage.prepare_files(hosts_file(self.instance, "storage"))
        each(lambda host: write_host_files(self.instance, host.record, host.node), self.hosts.values())
        each(lambda node: node.start(), [self.storage, *host_nodes])
        network.connect_console(self.instance, self.storage)
        for position, node in enumerate(host_nodes, start=1):
            network.connect_host(self.instance, self.storage, node, position)
        # The storage server and libvirtd take about equally long: start them at the same time.
        each(
            lambda start: start(),
            [lambda: start_storage(self.instance), *(h.start for h in self.hosts.values())],
        )
        each(LabHost.define_missing_pools, self.hosts.values())

    def _stop(self) -> None:
        # Hosts before the storage server: a guest's last write must not wait for a server that has gone.
        each(lambda host: host.node.stop(), self.hosts.values())
        self.storage.stop()
        network.disconnect_console(self.instance)
        shutil.rmtree(self.instance.folder)

    # Guests

    def create_guest(
        self,
        host: str,
        name: str,
        *,
        memory_mib: int = 256,
        vcpus: int = 1,
        pool: str | None = "VM",
        cache: str = "none",
        dirty_mib: int = 0,
        start: bool = True,
        persistent: bool = True,
        xml_edit: Callable[[str], str] | None = None,
        dirty_mib_per_s: int = 0,
        tick_ms: int = 200,
        disk_mib: int = 64,
        disk_format: str = "raw",
    ) -> LabGuest:
        """Make a guest on a host. pool None: no disk. dirty_mib is rewritten in a loop, at full speed when
        dirty_mib_per_s is 0. tick_ms lies between two numbers. xml_edit changes the XML first."""
        spec = GuestSpec(
            name=name, number=0, memory_mib=memory_mib, vcpus=vcpus, pool=pool, cache=cache,
            dirty_mib=dirty_mib, dirty_mib_per_s=dirty_mib_per_s, tick_ms=tick_ms,
            disk_mib=disk_mib, disk_format=disk_format,
        )  # fmt: skip
        spec = guest_xml.reserve(self.instance, spec)
        guest = LabGuest(self.instance, self.hosts, spec)
        guest.create(host_by_name(self.hosts, host), start=start, persistent=persistent, xml_edit=xml_edit)
        return guest

    def remove_guest(self, guest: LabGuest) -> None:
        """End it and remove its definitions, disks and logs on every host."""
        cleaning.remove_guest(self.instance, self.hosts, guest)

    def demo_guests(self) -> list[LabGuest]:
        """The demo's guests; those that exist already are left as they are."""
        return demo.create_demo_guests(self)


def _reuse(lab: Lab, hosts: tuple[str, ...]) -> Lab | None:
    """The lab when it runs (repaired if daemons ended), None when all had ended and was cleared away."""
    nodes = [lab.storage, *(host.node for host in lab.hosts.values())]
    ended = [node.name for node in nodes if node.init is None]
    if len(ended) == len(nodes):
        lab._stop()
        return None
    if ended:
        raise LabError(
            f"lab {lab.name!r} is broken: {', '.join(ended)} ended while the others run.\n"
            f"Remove it and start anew: bin/lab down --name {lab.name}"
        )
    if tuple(lab.hosts) != hosts:
        raise LabError(
            f"lab {lab.name!r} is up with hosts {', '.join(lab.hosts)}; take it down to have others"
        )
    if lab.problems():
        each(LabHost.repair, lab.hosts.values())
    if problems := lab.problems():
        raise LabError(
            f"lab {lab.name!r} is not healthy: {problems}. Start anew: bin/lab down --name {lab.name}"
        )
    return lab


def host_names(wish: str) -> tuple[str, ...]:
    """The host names for "mercury,jupiter" or for a number."""
    if not wish.isdigit():
        return tuple(wish.split(","))
    if not 1 <= int(wish) <= len(HOST_NAMES):
        raise LabError(
            f"by number a lab has 1 to {len(HOST_NAMES)} hosts; name more yourself: --hosts a,b,c…"
        )
    return HOST_NAMES[: int(wish)]
