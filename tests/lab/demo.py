"""The guests of the demo: a small company's servers on two hosts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .guest import LabGuest
    from .lab import Lab

# Once a second is enough for the eye and leaves the processors to the pages.
DEMO_GUESTS: tuple[tuple[int, str, dict[str, Any]], ...] = (
    (0, "web01", {}),
    (0, "app01", {"dirty_mib": 32, "dirty_mib_per_s": 4}),
    (0, "db01", {"memory_mib": 512, "disk_mib": 256, "start": False}),
    (1, "mail01", {"memory_mib": 192}),
    (1, "build01", {"pool": "local", "disk_format": "qcow2"}),
    (1, "wiki01", {"disk_format": "qcow2", "start": False}),
)


def create_demo_guests(lab: Lab) -> list[LabGuest]:
    """Make those that are missing, all at the same time, and wait until the running ones answer."""
    hosts = list(lab.hosts)
    existing = lab.guests
    missing = [guest for guest in DEMO_GUESTS if guest[1] not in existing]

    def create(wanted: tuple[int, str, dict[str, Any]]) -> None:
        position, name, parameters = wanted
        guest = lab.create_guest(hosts[position % len(hosts)], name, tick_ms=1000, **parameters)
        if parameters.get("start", True):
            guest.wait_until_answering(60)

    with ThreadPoolExecutor() as pool:
        list(pool.map(create, missing))
    return [lab.guests[name] for _, name, _ in DEMO_GUESTS]
