"""Reads what two hosts say of each other without a guest: processors both ways, names, ports and login."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from django.utils import timezone

from hosts.errors import HostError
from hosts.facts.codec import to_data
from hosts.models import Host, HostPairReading
from hosts.parsed import parse_once
from hosts.ports import CpuComparison
from hosts.services.bells import ring
from hosts.services.connections import borrowed
from hosts.services.live import publish_inventory
from hosts.services.probing import ask_pair, store_pair_probes

FRESH = timedelta(seconds=60)
ASKED_RECENTLY = timedelta(seconds=15)  # a reading takes at most ~10 s; then the bell may be rung again

HostCpus = tuple[CpuComparison, CpuComparison]


def request_host_pairs(source: Host, destinations: Iterable[Host]) -> None:
    """Ring the workers' bell for each destination whose reading is not fresh and not on its way."""
    for destination in destinations:
        if _claim_asking(source, destination):
            ring("hosts.tasks.read_host_pair_task", source.pk, destination.pk)


def find_host_pair(source: Host, destination: Host) -> HostPairReading | None:
    return HostPairReading.objects.filter(source=source, destination=destination).first()


def is_fresh(pair: HostPairReading | None) -> bool:
    return pair is not None and pair.read_at is not None and timezone.now() - pair.read_at < FRESH


def host_cpus(pair: HostPairReading | None) -> HostCpus | None:
    """The destination about the source's processor, and the other way round; None: not known."""
    if pair is None or pair.destination_cpu_data is None or pair.source_cpu_data is None:
        return None
    there, here = pair.destination_cpu_data, pair.source_cpu_data
    return parse_once(there, CpuComparison), parse_once(here, CpuComparison)


def read_host_pair(source: Host, destination: Host) -> HostPairReading:
    """Ask both hosts now and store the answers. libvirt and SSH are asked side by side."""
    cpus, error = None, ""
    with ThreadPoolExecutor(max_workers=1) as pool:
        probes = pool.submit(ask_pair, source, destination)
        try:
            cpus = _compare(source, destination)
        except HostError as failure:
            error = failure.message
        answers = probes.result()
    store_pair_probes(source, destination, answers)
    there, here = (None, None) if cpus is None else cpus
    pair, _ = HostPairReading.objects.update_or_create(
        source=source, destination=destination,
        defaults={
            "destination_cpu_data": None if there is None else to_data(there),
            "source_cpu_data": None if here is None else to_data(here),
            "peer_probe_data": to_data(answers.peer), "error": error, "read_at": timezone.now(), "asked_at": None,
        },
    )  # fmt: skip
    publish_inventory()
    return pair


def _compare(source: Host, destination: Host) -> HostCpus:
    with borrowed(source) as here, borrowed(destination) as there:
        return there.compare_host_cpu(here), here.compare_host_cpu(there)


def _claim_asking(source: Host, destination: Host) -> bool:
    """One bell for a pair at a time, however many browsers look at it."""
    pair, _ = HostPairReading.objects.get_or_create(source=source, destination=destination)
    if is_fresh(pair):
        return False
    now = timezone.now()
    if pair.asked_at is not None and now - pair.asked_at < ASKED_RECENTLY:
        return False
    return HostPairReading.objects.filter(pk=pair.pk, asked_at=pair.asked_at).update(asked_at=now) == 1
