"""Hosts and guests as the inventory stores them, many at once: for what is judged from stored readings."""

from __future__ import annotations

import uuid
from typing import Any

from django.utils import timezone

from hosts.facts.codec import to_data
from hosts.facts.domain import DomainFacts
from hosts.models import Contact, Guest, Host, HostPairReading, PairReading
from hosts.ports import CpuComparison
from hosts.services import inventory
from tests.jobs.builders import domain, guest, host_facts, nic, probe, reading


def make_host(name: str, **facts: Any) -> Host:
    return Host.objects.create(
        name=name, address=f"qemu+tcp://{name}/system", contact=Contact.REACHABLE, read_at=timezone.now(),
        facts_data=to_data(host_facts(name, **facts)),
    )  # fmt: skip


def store(host: Host, name: str, mac: str = "52:54:00:00:00:01", **facts: Any) -> Guest:
    described: DomainFacts = domain(name=name, domain_uuid=str(uuid.uuid4()), nics=(nic(mac=mac),), **facts)
    inventory._store_guests(host, (guest(described),))
    return Guest.objects.select_related("host").get(host=host, name=name)


def store_pairs(guests: list[Guest], destinations: list[Host], **changes: Any) -> None:
    """Fresh readings of all of them; `changes` are of the destination's answer."""
    PairReading.objects.bulk_create(
        PairReading(
            domain_uuid=one.domain_uuid, source_id=one.host_id, destination=host,
            destination_reading_data=to_data(reading(**changes)), peer_probe_data=to_data(probe()),
            disk_capacity_data={"vda": 2**30}, read_at=timezone.now(),
        )
        for one in guests for host in destinations
    )  # fmt: skip


def store_host_pairs(sources: list[Host], destinations: list[Host]) -> None:
    """Fresh readings of hosts about each other: the same processors, everything reachable."""
    same = to_data(CpuComparison("identical"))
    HostPairReading.objects.bulk_create(
        HostPairReading(
            source=source, destination=destination, destination_cpu_data=same, source_cpu_data=same,
            peer_probe_data=to_data(probe()), read_at=timezone.now(),
        )
        for source in sources for destination in destinations if source != destination
    )  # fmt: skip
