"""A site of many hosts and guests in the database, made from what a real host and a real guest told."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import timedelta

from django.utils import timezone

from hosts.facts.codec import to_data
from hosts.facts.domain import GuestReading
from hosts.models import Contact, Guest, Host, HostPairReading, PairReading
from hosts.services import inventory


@dataclass(frozen=True)
class Site:
    source: Host
    guests: list[Guest]
    destinations: list[Host]

    def age_readings(self, guest: Guest, age: timedelta) -> None:
        """Let all readings of this guest be so old, and none on their way."""
        rows = PairReading.objects.filter(domain_uuid=guest.domain_uuid)
        rows.update(read_at=timezone.now() - age, asked_at=None)


def build_site(guest: Guest, destination: Host, *, hosts: int, guests: int) -> Site:
    """`guest` and `destination` are real ones with a reading of their pair. Every host and guest of the site is like
    them, each with facts of its own, so that nothing is parsed once for all of them."""
    source = _clone(guest.host, "source")
    destinations = [_clone(destination, f"host{number:02d}") for number in range(hosts)]
    inventory._store_guests(source, tuple(_guest(guest, number) for number in range(guests)))
    rows = list(source.guests.select_related("host"))
    pair = PairReading.objects.get(domain_uuid=guest.domain_uuid, destination=destination)
    PairReading.objects.bulk_create(
        (_pair(pair, row, host) for row in rows for host in destinations), batch_size=500
    )
    about = HostPairReading.objects.get(source=guest.host, destination=destination)
    everyone = [source, *destinations]
    HostPairReading.objects.bulk_create(
        (_about(about, one, other) for one in everyone for other in everyone if one != other), batch_size=500
    )
    return Site(source, rows, destinations)


def _clone(host: Host, name: str) -> Host:
    if host.facts is None:
        raise RuntimeError(f"{host.name} was not read")
    own = replace(host.facts, hostname=name, host_uuid=str(uuid.uuid5(uuid.NAMESPACE_DNS, name)))
    return Host.objects.create(
        name=name, address=f"qemu+ssh://root@{name}/system", contact=Contact.REACHABLE, read_at=timezone.now(),
        facts_data=to_data(own), probe_data=host.probe_data, probed_at=host.probed_at,
    )  # fmt: skip


def _guest(guest: Guest, number: int) -> GuestReading:
    reading, name = guest.reading, f"guest{number:03d}"
    mac = f"52:54:00:be:{number // 256:02x}:{number % 256:02x}"
    domain_uuid = str(uuid.uuid5(uuid.NAMESPACE_DNS, name))
    nics = tuple(replace(nic, mac=mac) for nic in reading.facts.nics)
    facts = replace(reading.facts, name=name, domain_uuid=domain_uuid, nics=nics)
    return replace(reading, name=name, domain_uuid=domain_uuid, facts=facts)


def _pair(pair: PairReading, guest: Guest, destination: Host) -> PairReading:
    return PairReading(
        domain_uuid=guest.domain_uuid, source_id=guest.host_id, destination=destination, read_at=timezone.now(),
        destination_reading_data=pair.destination_reading_data, peer_probe_data=pair.peer_probe_data,
        disk_capacity_data=pair.disk_capacity_data,
    )  # fmt: skip


def _about(pair: HostPairReading, source: Host, destination: Host) -> HostPairReading:
    return HostPairReading(
        source=source, destination=destination, read_at=timezone.now(),
        destination_cpu_data=pair.destination_cpu_data, source_cpu_data=pair.source_cpu_data,
        peer_probe_data=pair.peer_probe_data,
    )  # fmt: skip
