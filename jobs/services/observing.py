"""Asks both hosts about one domain, side by side, over the management path. A host that is silent is unknown."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from hosts.errors import GuestNotFound, HostError
from hosts.facts.jobstats import JobStats
from hosts.models import Host
from hosts.services.connections import borrowed
from jobs.engine.observation import Absent, Observation, Seen, Unreachable


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one host said; `job` are the statistics of a job that runs there, `completed` those of the last one."""

    observation: Observation
    job: JobStats | None = None
    completed: JobStats | None = None


@dataclass(frozen=True, slots=True)
class BothHosts:
    source: Sighting
    destination: Sighting


def observe_both(source: Host, destination: Host, domain_uuid: str) -> BothHosts:
    with ThreadPoolExecutor(max_workers=2) as pool:
        there = pool.submit(_observe, destination, domain_uuid)
        return BothHosts(source=_observe(source, domain_uuid), destination=there.result())


def _observe(host: Host, domain_uuid: str) -> Sighting:
    try:
        with borrowed(host) as connection:
            guest = connection.find_guest(domain_uuid)
            if guest is None:
                return Sighting(Absent())
            status = guest.read_status()
            job = guest.read_job() if status.job not in ("", "incoming") else None
            return Sighting(Seen(status), job, None if status.job else guest.read_completed_job())
    except GuestNotFound:
        return Sighting(Absent())
    except HostError as error:
        return Sighting(Unreachable(error.message))
