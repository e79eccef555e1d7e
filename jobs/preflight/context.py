"""Everything a check may look at: facts of both hosts, the guest, the options. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from hosts.facts.domain import CpuSpec, DomainFacts, DomainState, DomainStatus, GuestReading
from hosts.facts.host import HostFacts
from hosts.facts.probe import HostProbe, PeerProbe
from hosts.ports import CpuComparison, DestinationReading
from jobs.options import MoveOptions


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A guest that already is on the destination."""

    domain_uuid: str
    name: str
    state: str  # DomainState value
    memory_bytes: int
    macs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HostSide:
    """One host of the pair. `facts` None: never read. `silent_reason` not "": did not answer just now."""

    name: str  # the product's name of the host
    facts: HostFacts | None
    silent_reason: str = ""
    migration_ports: tuple[int, int] = (49152, 49215)
    migration_address: str = ""
    bandwidth_cap_mib_per_s: int | None = None
    probe: HostProbe | None = None  # None: never asked over SSH


@dataclass(frozen=True, slots=True)
class PreflightContext:
    """None for a reading means: could not be read; checks say so with `preflight.not-evaluated`."""

    guest: GuestReading
    options: MoveOptions
    source: HostSide
    destination: HostSide
    neighbours: tuple[Neighbour, ...] | None
    destination_reading: DestinationReading | None
    peer_probe: PeerProbe | None
    # Destination's answer about the source's own CPU, and the other way round: for the pair, without a guest.
    host_cpus: tuple[CpuComparison, CpuComparison] | None = None
    peer_address: str = ""  # the destination as the source's libvirtd is told to reach it
    planned_memory_bytes: int = 0  # of other moves on their way to the destination
    disk_capacity_bytes: Mapping[str, int] = field(
        default_factory=dict
    )  # disk target → virtual size at the source
    planned_storage_bytes: Mapping[str, int] = field(
        default_factory=dict
    )  # destination pool → of other moves


# Stands in where two hosts are looked at without a guest; checks for pairs do not look at it.
NO_GUEST: Final = GuestReading(
    domain_uuid="",
    name="",
    status=DomainStatus(DomainState.RUNNING, "", persistent=True),
    facts=DomainFacts("", "", "", "", "", "", "", 0, 0, 0, 0, CpuSpec("", "", "", "", "", (), "")),
    xml="",
    inactive_xml="",
)
