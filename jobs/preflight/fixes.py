"""Remedies that the product can do itself, as findings offer them: what the button says and what will change. Pure.

What is done is in jobs.services.remedies; nothing is done before a person has read `says` and confirmed it.
"""

from __future__ import annotations

from jobs.preflight.context import HostSide, PreflightContext
from jobs.preflight.findings import Fix, FixKind
from jobs.preflight.say import gib


def eject_media(context: PreflightContext, target: str) -> Fix:
    """`target` is the drive: sda, fda."""
    return Fix(
        FixKind.EJECT_MEDIA,
        context.source.name,
        f"Eject the media of {target}",
        f"The drive {target} of {context.guest.name} on {context.source.name} is emptied, now and in its "
        "definition. The image file itself stays where it is.",
        (("target", target),),
    )


def set_cache_none(context: PreflightContext, target: str) -> Fix:
    return Fix(
        FixKind.CACHE_NONE,
        context.source.name,
        f"Set cache='none' for {target}",
        f"The definition of {context.guest.name} on {context.source.name} gets cache='none' for {target}. It "
        "takes effect when the guest is shut off and started again; until then it runs as before.",
        (("target", target),),
    )


def start_pool(side: HostSide, pool: str) -> Fix:
    return Fix(
        FixKind.START_POOL,
        side.name,
        f"Start the pool {pool}",
        f"The storage pool {pool} on {side.name} is started, and starts with its host from now on.",
        (("pool", pool),),
    )


def create_pool(context: PreflightContext, pool: str) -> Fix:
    source, destination = context.source.name, context.destination.name
    return Fix(
        FixKind.CREATE_POOL,
        destination,
        f"Create the pool {pool}",
        f"{destination} gets the storage pool {pool} exactly as {source} defines it: defined, its folder built, "
        "started, and started with its host from now on. No volume is copied.",
        (("pool", pool),),
    )


def create_volume(
    context: PreflightContext, *, pool: str, volume: str, format_name: str, capacity_bytes: int
) -> Fix:
    """An empty one for a disk that is going to be copied."""
    destination = context.destination.name
    return Fix(
        FixKind.CREATE_VOLUME,
        destination,
        f"Create the volume {volume}",
        f"The pool {pool} on {destination} gets an empty volume {volume}: {format_name}, {gib(capacity_bytes)}.",
        (
            ("pool", pool),
            ("volume", volume),
            ("format", format_name),
            ("capacity_bytes", str(capacity_bytes)),
        ),
    )


def start_network(side: HostSide, network: str) -> Fix:
    return Fix(
        FixKind.START_NETWORK,
        side.name,
        f"Start the network {network}",
        f"The network {network} on {side.name} is started, and starts with its host from now on.",
        (("network", network),),
    )


def accept_host_key(context: PreflightContext) -> Fix:
    """The source's root learns the key of the destination that the console has accepted already."""
    source, destination = context.source.name, context.destination.name
    return Fix(
        FixKind.ACCEPT_HOST_KEY,
        source,
        f"Let {source} know the key of {destination}",
        f"The SSH host keys of {destination} that were accepted here are added to the known hosts of root on "
        f"{source}. Nothing is added if {source} knows another key of {destination}.",
        (("peer", destination),),
    )
