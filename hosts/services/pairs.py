"""Reads what only a pair of hosts can say about one guest: the destination's answer, and the source's view of it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta
from urllib.parse import urlsplit

from django.utils import timezone

from hosts.driver.probe import probe_peer
from hosts.errors import HostError
from hosts.facts.address import parse_address
from hosts.facts.codec import to_data
from hosts.facts.domain import GuestReading
from hosts.facts.probe import PeerProbe
from hosts.models import Guest, Host, PairReading
from hosts.ports import DestinationReading
from hosts.services.bells import ring
from hosts.services.connections import borrowed, build_spec
from hosts.services.live import publish_inventory

log = logging.getLogger(__name__)

FRESH = timedelta(seconds=60)
ASKED_RECENTLY = timedelta(seconds=15)  # a reading takes at most ~10 s; then the bell may be rung again


def peer_address(destination: Host) -> str:
    """The destination as the source's libvirtd is told to reach it; without what only this machine has (keys)."""
    if destination.peer_address:
        return destination.peer_address
    address = parse_address(destination.address)
    transport = {"libssh2": "ssh", "libssh": "ssh"}.get(address.transport, address.transport)
    scheme = f"{address.driver}+{transport}" if transport else address.driver
    user = f"{address.user}@" if address.user and transport == "ssh" else ""
    port = f":{address.port}" if address.port else ""
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"{scheme}://{user}{host}{port}{address.path}"


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
    """Ask both hosts now and store the answers."""
    reading, capacities, error = None, dict[str, int](), ""
    try:
        with borrowed(guest.host) as connection:
            alone = connection.find_guest_reading(str(guest.domain_uuid))
            capacities = alone.disk_capacity_bytes if alone is not None else {}
        with borrowed(destination) as connection:
            reading = connection.read_for_guest(guest.reading, disk_paths=disk_paths(guest.reading))
    except HostError as failure:
        error = failure.message
    probe = probe_from_source(guest.host, destination, guest.reading)
    store_pair(guest, destination, reading, probe, error, capacities)


def probe_from_source(source: Host, destination: Host, reading: GuestReading) -> PeerProbe:
    """What the source host itself sees of the destination. Everything UNKNOWN where it has no SSH."""
    address = peer_address(destination)
    return probe_peer(
        build_spec(source),
        peer_address=address,
        peer_host=destination.migration_address or urlsplit(address).hostname or "",
        migration_port=destination.migration_port_first,
        disk_paths=disk_paths(reading),
    )


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
