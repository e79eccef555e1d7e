"""Our words for a transfer → libvirt's flags and typed parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import libvirt

from hosts.errors import Refused
from hosts.ports import MigrateFlag, TransferOrder

# Names libvirt knows (VIR_MIGRATE_PARAM_*) and the type each takes. libvirt refuses unknown names only after
# the call was sent; a wrong type is turned into another one silently.
PARAMETER_TYPES: Mapping[str, type] = {
    "migrate_uri": str,
    "destination_name": str,
    "destination_xml": str,
    "persistent_xml": str,
    "bandwidth": int,
    "bandwidth.postcopy": int,
    "graphics_uri": str,
    "listen_address": str,
    "migrate_disks": tuple,
    "migrate_disks_detect_zeroes": tuple,  # libvirt ≥ 10.9
    "disks_port": int,
    "disks_uri": str,
    "compression": tuple,
    "compression.mt.level": int,
    "compression.mt.threads": int,
    "compression.mt.dthreads": int,
    "compression.xbzrle.cache": int,
    "compression.zlib.level": int,  # libvirt ≥ 9.4
    "compression.zstd.level": int,  # libvirt ≥ 9.4
    "auto_converge.initial": int,
    "auto_converge.increment": int,
    "parallel.connections": int,
    "tls.destination": str,
}
# Above this libvirt takes the number and QEMU misbehaves: bytes per second must fit a signed 64-bit integer.
MAX_BANDWIDTH_MIB_PER_S = (2**63 - 1) // 2**20


def flag_bits(flags: Iterable[MigrateFlag]) -> int:
    """The flags as libvirt's number. Raises Refused for one that the console's libvirt does not know."""
    bits = 0
    for flag in flags:
        bit = getattr(libvirt, f"VIR_MIGRATE_{flag.value}", None)
        if bit is None:
            raise Refused(
                f"The console's libvirt does not know the option {flag.value}.",
                remedy="Update libvirt on the console, or do without this option.",
            )
        bits |= bit
    return bits


def typed_parameters(order: TransferOrder) -> dict[str, int | str | list[str]]:
    """The order's parameters as libvirt-python takes them. Refused for unknown names and wrong types."""
    return {name: _typed(name, value) for name, value in order.parameters.items()}


def _typed(name: str, value: int | str | tuple[str, ...]) -> int | str | list[str]:
    kind = PARAMETER_TYPES.get(name)
    if kind is None or not isinstance(value, kind) or isinstance(value, bool):
        raise Refused(
            f"The migration parameter {name} is not known or has a wrong value.", remedy="Leave it out."
        )
    if isinstance(value, int) and not 0 <= value <= _highest(name):
        raise Refused(
            f"The migration parameter {name} is out of range: {value}.", remedy=f"At most {_highest(name)}."
        )
    return list(value) if isinstance(value, tuple) else value


def _highest(name: str) -> int:
    if name.startswith("bandwidth"):
        return MAX_BANDWIDTH_MIB_PER_S
    return 2**63 - 1 if name == "compression.xbzrle.cache" else 2**31 - 1
