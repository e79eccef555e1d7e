"""Reads what only a pair of hosts can say about one guest: the destination's answer, and the source's view of it."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from django.utils import timezone

from hosts.errors import HostError
from hosts.facts.codec import to_data
from hosts.facts.device_paths import EVERYWHERE, MOVE_CA, MOVE_CERTIFICATE, paths_to_look_at
from hosts.facts.domain import DomainState, GuestReading
from hosts.facts.probe import PeerProbe
from hosts.models import Guest, Host, PairReading
from hosts.ports import DestinationReading, HostPort
from hosts.services.bells import ring
from hosts.services.connections import borrowed
from hosts.services.inventory import refresh_guest
from hosts.services.live import publish_inventory
from hosts.services.probing import ask_pair, peer_address, store_pair_probes

__all__ = [
    "disk_paths", "find_pair", "is_fresh", "peer_address", "probe_from_source", "probed_paths", "read_pair",
    "request_pairs", "store_pair",
]  # fmt: skip

FRESH = timedelta(seconds=60)
ASKED_RECENTLY = timedelta(seconds=15)  # a reading takes at most ~10 s; then the bell may be rung again


def request_pairs(guest: Guest, destinations: Iterable[Host]) -> None:
    """Ring the workers' bell for each destination whose reading is not fresh and not on its way."""
    for destination in destinations:
        if _claim_asking(guest, destination):
            ring("hosts.tasks.read_pair_task", guest.pk, destination.pk)


def find_pair(guest: Guest, destination: Host) -> PairReading | None:
    return PairReading.objects.filter(
        domain_uuid=guest.domain_uuid, source=guest.host, destination=destination
    ).first()


def is_fresh(pair: PairReading | None) -> bool:
    return pair is not None and pair.read_at is not None and timezone.now() - pair.read_at < FRESH


def read_pair(guest: Guest, destination: Host) -> None:
    """Ask both hosts now and store the answers. libvirt and SSH are asked side by side."""
    reading, capacities, error = None, dict[str, int](), ""
    with ThreadPoolExecutor(max_workers=1) as pool:
        probes = pool.submit(ask_pair, guest.host, destination, paths=probed_paths(guest.reading))
        try:
            with borrowed(guest.host) as connection:
                capacities = _read_guest(guest, connection)
            with borrowed(destination) as connection:
                reading = connection.read_for_guest(guest.reading, disk_paths=disk_paths(guest.reading))
        except HostError as failure:
            error = failure.message
        answers = probes.result()
    store_pair_probes(guest.host, destination, answers)
    store_pair(guest, destination, reading, answers.peer, error, capacities)


def _read_guest(guest: Guest, connection: HostPort) -> dict[str, int]:
    """Sizes of its disks. What else only a single reading says is stored with the guest, and what it changes in its
    memory is measured for the next one."""
    domain_uuid = str(guest.domain_uuid)
    alone = refresh_guest(guest.host, connection, domain_uuid)
    if alone is None:
        return {}
    port = connection.find_guest(domain_uuid) if alone.status.state is DomainState.RUNNING else None
    if port is not None:
        port.measure_dirty_rate()
    return alone.disk_capacity_bytes


def probe_from_source(source: Host, destination: Host, reading: GuestReading) -> PeerProbe:
    """What the source host itself sees of the destination, and both of the guest's files. UNKNOWN without SSH."""
    return ask_pair(source, destination, paths=probed_paths(reading)).peer


def store_pair(
    guest: Guest,
    destination: Host,
    reading: DestinationReading | None,
    probe: PeerProbe | None,
    error: str = "",
    capacities: dict[str, int] | None = None,
) -> None:
    PairReading.objects.update_or_create(
        domain_uuid=guest.domain_uuid, source=guest.host, destination=destination,
        defaults={
            "destination_reading_data": None if reading is None else to_data(reading),
            "peer_probe_data": None if probe is None else to_data(probe),
            "disk_capacity_data": capacities or {}, "error": error, "read_at": timezone.now(), "asked_at": None,
        },
    )  # fmt: skip
    publish_inventory()


def disk_paths(reading: GuestReading) -> tuple[str, ...]:
    """Of every disk and of the images it is built on: all of them must be there."""
    disks = reading.facts.disks
    paths = [disk.source_path for disk in disks if disk.source_path]
    paths += [path for disk in disks for path in disk.backing_paths if path.startswith("/")]
    return tuple(dict.fromkeys(paths))


def probed_paths(reading: GuestReading) -> tuple[str, ...]:
    """All files of the host that the guest or its move may need: its disks, what its other devices and its firmware
    name, the certificates of QEMU."""
    always = (EVERYWHERE, MOVE_CA, MOVE_CERTIFICATE)
    return tuple(dict.fromkeys((*always, *disk_paths(reading), *paths_to_look_at(reading.xml))))


def _claim_asking(guest: Guest, destination: Host) -> bool:
    """One bell for a pair at a time, however many browsers look at it."""
    pair, _ = PairReading.objects.get_or_create(
        domain_uuid=guest.domain_uuid, source=guest.host, destination=destination
    )
    if is_fresh(pair):
        return False
    now = timezone.now()
    free = PairReading.objects.filter(pk=pair.pk, asked_at=pair.asked_at)
    if pair.asked_at is not None and now - pair.asked_at < ASKED_RECENTLY:
        return False
    return free.update(asked_at=now) == 1
