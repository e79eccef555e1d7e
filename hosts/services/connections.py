"""From a Host row to an open connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hosts.driver.pool import borrow
from hosts.errors import Refused
from hosts.models import Host
from hosts.ports import ConnectionSpec, HostPort


def build_spec(host: Host) -> ConnectionSpec:
    """The connection of a host, with its secrets. Never log it, never store it."""
    return ConnectionSpec(
        name=host.name, address=host.address, known_hosts=host.known_hosts, probe_address=host.probe_address,
        **dict(host.credentials or {}),
    )  # fmt: skip


@contextmanager
def borrowed(host: Host) -> Iterator[HostPort]:
    """A warm connection of this process that nobody else uses meanwhile. Raises HostUnreachable, Refused."""
    refuse_disabled(host)
    with borrow(build_spec(host)) as connection:
        yield connection


def refuse_disabled(host: Host) -> None:
    if not host.enabled:
        raise Refused(f"{host.name} is disabled.", remedy="Enable the host on its page first.")
