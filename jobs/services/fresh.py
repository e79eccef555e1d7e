"""Reads anew what a preflight needs, for callers that may wait (the command line). Pages use what is stored."""

from __future__ import annotations

from hosts.models import Guest, Host
from hosts.services import inventory, pairs


def read_hosts(*hosts: Host) -> None:
    """Each host, now. One that does not answer is marked silent and becomes a finding."""
    for host in hosts:
        if host.enabled:
            inventory.refresh_host(host)


def read_pair_anew(guest: Guest, destination: Host) -> Guest:
    """What the destination and the source say about this guest, now. The row is as it was then stored."""
    if not guest.host.silent and not destination.silent:
        pairs.read_pair(guest, destination)
        guest.refresh_from_db(
            fields=["state", "state_reason", "persistent", "reading_data", "read_at", "gone_at"]
        )
    return guest
