"""Which files an offline move carries, and by which pools the two hosts reach them."""

from __future__ import annotations

import dataclasses
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from hosts.errors import Refused
from hosts.facts.domain import parse_domain
from hosts.facts.storage import VolumeFacts
from hosts.facts.xml import attribute_of, parse_xml
from hosts.ports import GuestPort
from hosts.storage_ports import StoragePort
from jobs.engine.copying import Origin
from jobs.engine.image_head import HEAD_BYTES, keeps_data_elsewhere
from jobs.engine.plan import Plan
from jobs.engine.volumes import PlannedVolume, VolumeState
from jobs.options import Kind, Storage

NVRAM: Final = "nvram"
NVRAM_FOLDER: Final = "/var/lib/libvirt/qemu/nvram"  # of libvirtd, which makes it when it starts
MOST_LAYERS: Final = 200  # QEMU itself opens no longer chain; a loop must end
_FIELDS: Final = tuple(field.name for field in dataclasses.fields(PlannedVolume))


@dataclass(frozen=True, slots=True)
class Sought:
    """One file at the source: what libvirt says of it, and how many bytes it has."""

    facts: VolumeFacts
    size_bytes: int

    @property
    def origin(self) -> Origin:
        return Origin(self.size_bytes, self.facts.modified_at)


def carries(plan: Plan) -> bool:
    """libvirt moves the definition of a guest that is shut off and nothing else; its files are ours to bring."""
    return plan.options.kind is Kind.OFFLINE and plan.options.storage is not Storage.SHARED


def may_have_asked(plan: Plan, entries: Iterable[Mapping[str, Any]]) -> bool:
    """Whether libvirt may have been asked to move the definition: never before every file is there and right."""
    right = {VolumeState.VERIFIED, VolumeState.REUSED}
    return not carries(plan) or all(state_of(entry) in right for entry in entries)


def complete(plan: Plan, source: StoragePort, destination: StoragePort) -> Plan:
    """The plan with what only the hosts know: the layers below each disk and the sizes of the files. Raises HostError.

    A new file is made as raw bytes of the source's size; what is then written into it makes it what it is.
    """
    volumes: dict[str, PlannedVolume] = {}
    for top in (volume for volume in plan.volumes if volume.layer == 0):
        for volume in _list_chain(top, source, destination, reuse=plan.options.reuse_volumes):
            volumes.setdefault(volume.source_path, volume)  # two disks may share a base
    return dataclasses.replace(plan, volumes=tuple(volumes.values()))


def plan_nvram(guest: GuestPort, source: StoragePort, destination: StoragePort) -> PlannedVolume | None:
    """The file of the UEFI variables; None without one: libvirt then makes it from the template."""
    path = _variables_path(guest.read_xml(inactive=True))
    if not path.startswith("/"):
        return None
    found = find_source(source, path)
    if found is None:
        return None
    folder, _, name = path.rpartition("/")
    with destination.folder_pool(folder) as pool:
        there = destination.find_volume(pool, name) is not None
    return PlannedVolume(
        target=NVRAM, layer=0, source_path=path, pool="", name=name, path=path, format="raw",
        capacity_bytes=found.size_bytes, reuse=there, shown=f"UEFI variables ({name})",
    )  # fmt: skip


def find_source(storage: StoragePort, source_path: str) -> Sought | None:
    with open_source(storage, source_path) as (pool, name):
        facts = storage.find_volume(pool, name)
        return None if facts is None else Sought(facts, storage.read_size(pool, name))


def get_source(storage: StoragePort, source_path: str, shown: str) -> Sought:
    found = find_source(storage, source_path)
    if found is None:
        raise Refused(
            f"{source_path} of {shown} is not there.", remedy="Refresh the storage pool it lies in."
        )
    return found


@contextmanager
def open_source(storage: StoragePort, source_path: str) -> Iterator[tuple[str, str]]:
    """(pool, volume) by which a file, a device or a volume named pool/volume is read."""
    folder, _, name = source_path.rpartition("/")
    if not source_path.startswith("/"):
        pool, _, name = source_path.partition("/")
        yield pool, name
    elif folder == "/dev" or folder.startswith("/dev/"):
        yield _find_device(storage, source_path)
    else:
        with storage.folder_pool(folder) as pool:
            yield pool, name


@contextmanager
def open_there(storage: StoragePort, pool: str, path: str) -> Iterator[str]:
    """The destination's pool of a planned volume; UEFI variables lie in a folder that mostly is none."""
    if pool:
        yield pool
        return
    with storage.folder_pool(posixpath.dirname(path)) as passing:
        yield passing


def load_volumes(entries: Iterable[Mapping[str, Any]]) -> tuple[PlannedVolume, ...]:
    """From Migration.volumes_data, in the order in which they are copied: what others are built on first."""
    volumes = [PlannedVolume(**{name: entry[name] for name in _FIELDS if name in entry}) for entry in entries]
    return tuple(sorted(volumes, key=lambda volume: (volume.target == NVRAM, -volume.layer)))


def state_of(entry: Mapping[str, Any]) -> VolumeState:
    return VolumeState(entry["state"])


def _variables_path(xml: str) -> str:
    """REQUIRED_FOR: libvirt < 9.2, which names the file of a guest with chosen firmware only when it starts."""
    facts = parse_domain(xml)
    chosen = attribute_of(parse_xml(xml, root="domain"), "os", "firmware") == "efi"
    return facts.nvram or (f"{NVRAM_FOLDER}/{facts.name}_VARS.fd" if chosen else "")


def _list_chain(
    top: PlannedVolume, source: StoragePort, destination: StoragePort, *, reuse: bool
) -> Iterator[PlannedVolume]:
    """The disk and the layers below it, each of them as a file."""
    volume, layer, used_as = top, 0, top.format or "raw"
    while layer < MOST_LAYERS:
        found = get_source(source, volume.source_path, volume.shown)
        _refuse_data_elsewhere(source, volume, found)
        yield _as_file(volume, found)
        below = found.facts.backing_path
        # What a raw disk holds is the guest's to write: a header that names files of the host means nothing.
        if not below or used_as == "raw":
            return
        layer, used_as = layer + 1, found.facts.backing_format
        volume = _plan_layer(top, layer, below, destination, reuse=reuse)
    raise Refused(f"{top.shown} has more than {MOST_LAYERS} layers.", remedy="Commit some of them first.")


def _refuse_data_elsewhere(source: StoragePort, volume: PlannedVolume, found: Sought) -> None:
    if found.facts.format in ("", "raw"):
        return
    with (
        open_source(source, volume.source_path) as (pool, name),
        source.read_volume(pool, name, length=HEAD_BYTES) as pieces,
    ):
        head = b"".join(piece if isinstance(piece, bytes) else bytes(piece.length) for piece in pieces)
    if keeps_data_elsewhere(head):
        raise Refused(
            f"{volume.shown} keeps its data in another file, which would not come along.",
            remedy=f"Make it one image first: qemu-img convert -O {found.facts.format} IMAGE NEW, or move the guest "
            "while it runs.",
        )


def _as_file(volume: PlannedVolume, found: Sought) -> PlannedVolume:
    if not volume.format and found.facts.format not in ("", "raw"):
        raise Refused(
            f"{volume.shown} is {found.facts.format}, and the pool {volume.pool} makes devices, which are raw.",
            remedy="Choose a pool of files for it.",
        )
    if volume.reuse:
        facts = found.facts
        return dataclasses.replace(
            volume, format=volume.format and (facts.format or "raw"), capacity_bytes=facts.capacity_bytes,
            backing_path=facts.backing_path, backing_format=facts.backing_format,
        )  # fmt: skip
    return dataclasses.replace(
        volume,
        format=volume.format and "raw",
        capacity_bytes=found.size_bytes,
        backing_path="",
        backing_format="",
    )


def _plan_layer(
    top: PlannedVolume, layer: int, path: str, destination: StoragePort, *, reuse: bool
) -> PlannedVolume:
    """At the path it has at the source: that is written inside the file above it."""
    name, shown = posixpath.basename(path), f"layer {layer} of disk {top.target} ({posixpath.basename(path)})"
    pool = _find_pool_at(destination, posixpath.dirname(path))
    if pool is None:
        raise Refused(
            f"The destination has no active storage pool for {posixpath.dirname(path)}, where {shown} must lie.",
            remedy="Define and start a pool for that folder there: the path is written inside the image above it.",
        )
    there = reuse and destination.find_volume(pool, name) is not None
    return PlannedVolume(
        target=top.target, layer=layer, source_path=path, pool=pool, name=name, path=path, format="raw",
        capacity_bytes=0, reuse=there, shown=shown,
    )  # fmt: skip


def _find_pool_at(storage: StoragePort, folder: str) -> str | None:
    for reading in storage.read_pools():
        if reading.facts.active and reading.facts.target_path.rstrip("/") == folder:
            return reading.facts.name
    return None


def _find_device(storage: StoragePort, path: str) -> tuple[str, str]:
    """A device is read through the pool that has it: a pool made over /dev would show no devices."""
    folder, _, name = path.rpartition("/")
    pool = _find_pool_at(storage, folder)
    if pool is None:
        raise Refused(
            f"No active storage pool of the source has the device {path}.",
            remedy="Define and start a pool for its volume group, or move the guest while it runs.",
        )
    return pool, name
