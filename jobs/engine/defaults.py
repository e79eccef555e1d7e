"""What the hosts' own settings add to the options asked for. Pure."""

from __future__ import annotations

import dataclasses

from jobs.options import Control, Kind, MoveOptions, Storage
from jobs.preflight.context import HostSide, PreflightContext
from jobs.preflight.disks import copied_disks
from jobs.preflight.graphics import find_ip


def effective_options(context: PreflightContext) -> MoveOptions:
    """The options with the hosts' defaults filled in: the order and the virsh line are both made from
    these."""
    options = context.options
    if options.kind is Kind.OFFLINE:
        return options
    return dataclasses.replace(
        options,
        migrate_uri=options.migrate_uri or build_migrate_uri(options, context.destination),
        bandwidth_mib_per_s=lowest_bandwidth(options, context.source, context.destination),
        tls_destination=options.tls_destination or _certificate_name(options, context.destination),
        migrate_disks=_named_disks(context),
    )


def build_migrate_uri(options: MoveOptions, destination: HostSide) -> str:
    """tcp://address[:port] of the destination; "" lets libvirt use the name the destination gives itself.

    One fixed port is said; a range is libvirt's own (migration_port_min and _max of its qemu.conf), which
    chooses.
    """
    if not destination.migration_address or options.control is Control.TUNNELLED:
        return ""
    first, last = destination.migration_ports
    port = f":{first}" if first == last else ""
    return f"tcp://{_bracketed(destination.migration_address)}{port}"


def lowest_bandwidth(options: MoveOptions, *sides: HostSide) -> int | None:
    """In MiB/s; None: no limit asked for and no host has one."""
    limits = [side.bandwidth_cap_mib_per_s for side in sides] + [options.bandwidth_mib_per_s]
    return min((limit for limit in limits if limit is not None), default=None)


def _certificate_name(options: MoveOptions, destination: HostSide) -> str:
    """Certificates carry names: when we send to a bare address, the name to expect is the destination's
    own."""
    if not options.tls or options.migrate_uri or find_ip(destination.migration_address) is None:
        return ""
    return destination.facts.hostname if destination.facts is not None else ""


def _named_disks(context: PreflightContext) -> tuple[str, ...]:
    """Always named: an empty list means all to libvirt, and what is copied must be what was approved."""
    if context.options.storage is Storage.SHARED:
        return context.options.migrate_disks
    return tuple(disk.target for disk in copied_disks(context.guest.facts, context.options))


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address and not address.startswith("[") else address
