"""Remedies on hosts, each proven by reading again. Called by workers: every call here talks to a host."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from hosts.driver.changes_keys import make_known
from hosts.driver.host_keys import accepted_keys
from hosts.errors import GuestNotFound, Refused
from hosts.facts.address import parse_address
from hosts.models import Guest, Host
from hosts.ports import Change, GuestPort
from hosts.services import inventory, pairs
from hosts.services.bells import ring
from hosts.services.connections import borrowed, build_spec, refuse_disabled
from hosts.services.host_pairs import find_host_pair
from hosts.services.live import publish_inventory


def eject_media(guest: Guest, target: str) -> Change:
    return _on_guest(guest, lambda port: port.eject_media(target))


def set_cache_none(guest: Guest, target: str) -> Change:
    return _on_guest(guest, lambda port: port.set_cache_none(target))


def start_network(host: Host, network: str) -> Change:
    with borrowed(host) as connection:
        return connection.start_network(network)


def start_pool(host: Host, pool: str) -> Change:
    with borrowed(host) as connection:
        return connection.start_pool(pool)


def create_pool(source: Host, destination: Host, pool: str) -> Change:
    """The destination gets the pool as the source defines it."""
    with borrowed(source) as connection:
        xml = connection.read_pool_xml(pool)
    with borrowed(destination) as connection:
        return connection.create_pool(xml)


def create_volume(host: Host, pool: str, volume: str, *, format_name: str, capacity_bytes: int) -> Change:
    with borrowed(host) as connection:
        return connection.create_volume(pool, volume, format_name=format_name, capacity_bytes=capacity_bytes)


def accept_host_key(source: Host, destination: Host) -> Change:
    """Root on the source gets to know the keys of the destination that people have accepted here."""
    refuse_disabled(source)
    keys = _accepted(destination)
    if not keys:
        raise Refused(
            f"No SSH host key of {destination.name} has been accepted here. Nothing was changed.",
            remedy=f"Test the connection of {destination.name} over SSH, compare its key and accept it.",
        )
    return make_known(build_spec(source), destination.name, _peer_ssh_name(destination), keys)


def read_again(guest: Guest, destination: Host, changed: Host) -> None:
    """Make what is stored true again after a change: the host that changed, and the pair. Never raises HostError."""
    if inventory.refresh_host(changed):
        row = Guest.objects.select_related("host").get(pk=guest.pk)
        there = Host.objects.get(pk=destination.pk)
        if not there.silent and not row.host.silent:
            pairs.read_pair(row, there)
    if find_host_pair(guest.host, destination) is not None:
        ring("hosts.tasks.read_host_pair_task", guest.host_id, destination.pk)
    publish_inventory()


def _on_guest(guest: Guest, act: Callable[[GuestPort], Change]) -> Change:
    with borrowed(guest.host) as connection:
        port = connection.find_guest(str(guest.domain_uuid))
        if port is None:
            raise GuestNotFound(
                f"{guest.name} is no longer on {guest.host.name}. Nothing was changed.",
                remedy="Open the guest where it is now.",
            )
        return act(port)


def _accepted(destination: Host) -> list[str]:
    """Keys as "algorithm base64", of every name by which this console reaches the host over SSH."""
    found: set[tuple[str, str]] = set()
    for address in filter(None, (destination.address, destination.probe_address)):
        place = urlsplit(address)
        port = (place.port if "ssh" in place.scheme else None) or 22
        found |= accepted_keys(place.hostname or "", port, destination.known_hosts)
    return [" ".join(key) for key in sorted(found)]


def _peer_ssh_name(destination: Host) -> str:
    """The name under which the source's ssh looks the destination up in its known hosts."""
    address = parse_address(pairs.peer_address(destination))
    if not address.uses_ssh:
        raise Refused(
            f"{destination.name} is not reached over SSH in peer-to-peer moves, so it needs no SSH host key there.",
            remedy=f"See the peer address of {destination.name}.",
        )
    port = address.effective_port or 22
    return address.host if port == 22 else f"[{address.host}]:{port}"
