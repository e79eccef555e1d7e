"""Asks hosts over SSH what libvirt cannot tell, and keeps the answers: refreshed with the inventory and on demand."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from urllib.parse import urlsplit

from django.core.cache import cache
from django.utils import timezone

from hosts.driver.probe import HostAnswer, PeerQuestion, probe_host
from hosts.facts.address import parse_address
from hosts.facts.codec import to_data
from hosts.facts.probe import HostProbe, PeerProbe
from hosts.models import Host
from hosts.services.bells import ring
from hosts.services.connections import build_spec
from hosts.services.inventory import write_host

log = logging.getLogger(__name__)

FRESH = timedelta(seconds=60)
ASKED_RECENTLY_S = 15  # an answer takes at most 8 s; then the bell may be rung again


@dataclass(frozen=True, slots=True)
class Way:
    """Where a move with its own options sends memory and disks; "" and None: as the destination is registered."""

    migrate_uri: str = ""
    disks_uri: str = ""
    disks_port: int | None = None
    copies_disks: bool = False


AS_REGISTERED = Way()


@dataclass(frozen=True, slots=True)
class PairProbes:
    """Both hosts about themselves, and the source about the destination: asked side by side, at one moment."""

    source: HostProbe
    destination: HostProbe
    peer: PeerProbe


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


def request_probe(host: Host) -> None:
    """Ring the workers' bell unless the host was asked within the last minute or is being asked."""
    if host.probed_at is not None and timezone.now() - host.probed_at < FRESH:
        return
    if cache.add(f"probe-asked:{host.pk}", 1, timeout=ASKED_RECENTLY_S):
        ring("hosts.tasks.probe_host_task", host.pk)


def read_probe(host: Host) -> HostProbe:
    """Ask the host now and store what it says. Never raises: what is not known says why."""
    probe = probe_host(build_spec(host)).itself
    store_probe(host, probe)
    return probe


def ask_pair(
    source: Host, destination: Host, *, paths: Sequence[str] = (), way: Way = AS_REGISTERED
) -> PairProbes:
    """Both hosts now, one round trip each, side by side. `paths`: files to be told apart from look-alikes. Nothing
    is stored, so threads may call it."""
    question = _question(destination, way)
    with ThreadPoolExecutor(max_workers=1) as pool:
        there = pool.submit(probe_host, build_spec(destination), paths=paths)
        here = probe_host(build_spec(source), peer=question, paths=paths)
        return _together(here, there.result())


def store_pair_probes(source: Host, destination: Host, probes: PairProbes) -> None:
    store_probe(source, probes.source)
    store_probe(destination, probes.destination)


def store_probe(host: Host, probe: HostProbe) -> None:
    if probe.why_unknown:
        log.debug("%s cannot be asked over SSH: %s", host.name, probe.why_unknown)
    write_host(host, probe_data=to_data(probe), probed_at=timezone.now())


def _together(here: HostAnswer, there: HostAnswer) -> PairProbes:
    return PairProbes(here.itself, there.itself, replace(here.peer, destination_files=there.files))


def _question(destination: Host, way: Way) -> PeerQuestion:
    address, facts = peer_address(destination), destination.facts
    # Without a migration address QEMU is told the name that the destination gives itself.
    host = (
        destination.migration_address or (facts.hostname if facts else "") or urlsplit(address).hostname or ""
    )
    first, last = destination.migration_ports
    asked = urlsplit(way.migrate_uri)
    if asked.hostname:
        host = asked.hostname
        first, last = (asked.port, asked.port) if asked.port else (first, last)
    disks = urlsplit(way.disks_uri)
    # Without a port of their own disks take one of the range.
    port = (disks.port or way.disks_port or 0) if way.copies_disks else 0
    return PeerQuestion(address, host, first, last, disks.hostname or host, port)
