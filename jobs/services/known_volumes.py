"""What is stored of the pools that disks are to go to: pages ask no host, so a name is known to be free only where the
pool's contents were read lately."""

from __future__ import annotations

from dataclasses import replace

from hosts.facts.domain import DomainFacts
from hosts.facts.host import HostFacts
from hosts.facts.storage import VolumeFacts
from hosts.models import Host, PoolContents
from hosts.ports import DestinationReading
from hosts.services import contents
from jobs.options import MoveOptions
from jobs.preflight.disks import copied_disks
from jobs.preflight.places import Place, find_place


def add_known_volumes(
    reading: DestinationReading,
    destination: Host,
    facts: HostFacts | None,
    guest: DomainFacts,
    options: MoveOptions,
) -> DestinationReading:
    """The reading, with the places of mapped disks as far as they are known; for others fresh contents are asked."""
    if not options.storage_map:
        return reading
    places = [find_place(facts, disk, options) for disk in copied_disks(guest, options)]
    mapped = [place for place in places if place is not None and place.mapped and place.path]
    known: dict[str, VolumeFacts | None] = {}
    for pool in {place.pool for place in mapped}:
        row = contents.find_contents(destination, pool)
        if row is None or not contents.is_fresh(row):
            contents.request_contents(destination, pool)
        if row is not None and row.read_at is not None and not row.error:
            known |= {place.path: _find(row, place) for place in mapped if place.pool == pool}
    return replace(reading, volumes={**reading.volumes, **known})


def _find(contents_row: PoolContents, place: Place) -> VolumeFacts | None:
    row = contents_row.volumes.filter(name=place.volume).first()
    if row is None:
        return None
    return VolumeFacts(
        path=row.path,
        pool=place.pool,
        name=row.name,
        format=row.format,
        capacity_bytes=row.capacity_bytes,
        allocation_bytes=row.allocation_bytes,
        backing_path=row.backing_path,
        backing_format=row.backing_format,
    )
