"""Options → the flags and typed parameters libvirt is given. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from hosts.ports import MigrateFlag, TransferOrder
from jobs.options import OPTIONS, Control, Group, Kind, MoveOptions, Option, Value

Parameter = int | str | tuple[str, ...]


def build_order(
    domain_uuid: str, options: MoveOptions, peer_address: str, *, arrive_paused: bool = False
) -> TransferOrder:
    """What libvirt is asked to do.

    Never UNDEFINE_SOURCE: the source's shut-off definition with the reason "migrated" is the positive proof
    that the guest was moved and not removed by somebody; it is undefined by us once the guest was seen at the
    destination.
    """
    flags = set(_list_flags(options)) - {MigrateFlag.UNDEFINE_SOURCE}
    if arrive_paused:
        flags.add(MigrateFlag.PAUSED)
    return TransferOrder(
        domain_uuid=domain_uuid,
        flags=frozenset(flags),
        parameters=dict(_list_parameters(options)),
        destination_uri="" if options.control is Control.DIRECT else peer_address,
    )


def _list_flags(options: MoveOptions) -> Iterator[MigrateFlag]:
    for option in list_told(options):
        value = getattr(options, option.field)
        if option.flag is not None and value is True:
            yield option.flag
        if option.value is Value.CHOICE:
            yield from next(choice.flags for choice in option.choices if choice.value == value)


def list_told(options: MoveOptions) -> Iterator[Option]:
    """libvirt's offline migration refuses every word about disks: there this product carries them itself."""
    if options.kind is not Kind.OFFLINE:
        return iter(OPTIONS)
    ours = {Group.STORAGE, Group.BANDWIDTH}
    return (option for option in OPTIONS if option.group not in ours)


def _list_parameters(options: MoveOptions) -> Iterator[tuple[str, Parameter]]:
    """What was not asked for is left out: to libvirt an empty list of disks means all of them.

    XML is not here: it is made from the definitions as they are at the moment of the transfer
    (complete_order).
    """
    for option in list_told(options):
        value = getattr(options, option.field)
        given = value is not None and value not in ("", ())
        if option.parameter and option.value is not Value.XML and given:
            yield option.parameter, value
