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
    """Make those that are missing and wait until the running ones answer."""
    hosts = list(lab.hosts)
    existing = lab.guests
    started = []
    for position, name, parameters in DEMO_GUESTS:  # one by one: each has the same address in every demo
        if name not in existing:
            guest = lab.create_guest(hosts[position % len(hosts)], name, tick_ms=1000, **parameters)
            started += [guest] if parameters.get("start", True) else []
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda guest: guest.wait_until_answering(120), started))
    return [lab.guests[name] for _, name, _ in DEMO_GUESTS]
