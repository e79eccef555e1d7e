"""Volumes: reading and making. One that is there already is never touched."""

from __future__ import annotations

from typing import Any, Final

import libvirt

from hosts.driver.changes import proving
from hosts.driver.parallel import read_all
from hosts.driver.storage_finding import (
    asking,
    file_is_gone,
    find_in_pool,
    get_active_pool,
    read_volume_facts,
    refresh,
    storing,
)
from hosts.errors import OperationFailed, Refused
from hosts.facts.edits import render_volume
from hosts.facts.storage import VolumeFacts, parse_pool, parse_volume
from hosts.ports import Change
from hosts.storage_ports import Preallocation, VolumeOrder

MISSING: Final = {"volume": "missing"}


def read_volumes(virt: Any, host: str, pool_name: str) -> tuple[VolumeFacts, ...]:
    """As libvirt remembers them, without what has gone: refresh the pool before, where new ones matter."""
    pool = get_active_pool(virt, host, pool_name)
    with asking(host, f"read the volumes of the pool {pool_name}"):
        return read_all(pool.listAllVolumes(0), lambda volume: _read(volume, pool_name))


def find_volume(virt: Any, host: str, pool_name: str, name: str) -> VolumeFacts | None:
    volume = find_in_pool(get_active_pool(virt, host, pool_name), host, name)
    return None if volume is None else read_volume_facts(volume, host, pool_name)


def make_volume(virt: Any, host: str, pool_name: str, order: VolumeOrder) -> Change:
    _check_order(host, order)
    pool = get_active_pool(virt, host, pool_name)
    refresh(pool)
    there = find_in_pool(pool, host, order.name)
    if there is not None:
        return _found_there(read_volume_facts(there, host, pool_name), host, order)
    _create(pool, host, order)
    with proving(host, f"create the volume {order.name}"):
        made = find_in_pool(pool, host, order.name)
        after = MISSING if made is None else volume_state(read_volume_facts(made, host, pool_name))
    if made is None:
        raise OperationFailed(
            f"{host} said that it created {order.name}, but the pool {pool_name} does not have it."
        )
    kind = (
        f"volume {order.name} on {order.backing_path}" if order.backing_path else f"empty volume {order.name}"
    )
    return Change(True, f"The pool {pool_name} on {host} has the {kind} now.", MISSING, after)


def volume_state(facts: VolumeFacts) -> dict[str, str]:
    state = {
        "format": facts.format,
        "capacity_bytes": str(facts.capacity_bytes),
        "allocation_bytes": str(facts.allocation_bytes),
    }
    return state | ({"backing_path": facts.backing_path} if facts.backing_path else {})


def _read(volume: Any, pool_name: str) -> VolumeFacts | None:
    try:
        return parse_volume(volume.XMLDesc(0), pool=pool_name)
    except libvirt.libvirtError as error:
        if file_is_gone(error):
            return None
        raise


def _check_order(host: str, order: VolumeOrder) -> None:
    """What libvirt would refuse in words that do not help, or silently understand otherwise."""
    words = ""
    if not order.name or "/" in order.name or order.name in {".", ".."}:
        words = f"{order.name!r} is no name for a volume: it needs one without a slash."
    elif order.capacity_bytes <= 0:
        words = f"{order.name} needs a size above zero."
    elif order.backing_path and order.format not in {"qcow2", "qed"}:
        words = f"{order.name} cannot lie on {order.backing_path}: only qcow2 has layers."
    elif order.backing_path and not order.backing_format:
        words = f"The format of {order.backing_path} is not given, and guessing it would be a security hole."
    elif order.preallocation is not Preallocation.OFF:
        words = _preallocation_problem(order)
    if words:
        raise Refused(f"Nothing was created on {host}. {words}", remedy="Correct the order, then try again.")


def _preallocation_problem(order: VolumeOrder) -> str:
    if order.backing_path:
        return f"{order.name} lies on {order.backing_path}, so it cannot be preallocated."
    if order.preallocation is Preallocation.METADATA and order.format != "qcow2":
        return f"Only the metadata of qcow2 can be preallocated, and {order.name} is {order.format or 'raw'}."
    return ""


def _create(pool: Any, host: str, order: VolumeOrder) -> None:
    # qcow2 becomes as large as its capacity only when both are asked for (measured).
    ahead = order.format == "qcow2" and order.preallocation is not Preallocation.OFF
    with storing(host, f"create the volume {order.name} in the pool {pool.name()}"):
        xml = render_volume(
            parse_pool(pool.XMLDesc(0)).type,
            order.name,
            order.format,
            order.capacity_bytes,
            full=order.preallocation is Preallocation.FULL,
            backing=(order.backing_path, order.backing_format),
        )
        pool.createXML(xml, libvirt.VIR_STORAGE_VOL_CREATE_PREALLOC_METADATA if ahead else 0)


def _found_there(facts: VolumeFacts, host: str, order: VolumeOrder) -> Change:
    state, where = volume_state(facts), f"The pool {facts.pool} on {host}"
    # A pool without formats says raw of its own accord, or nothing.
    same_format = facts.format == order.format or not order.format
    same = (facts.capacity_bytes, facts.backing_path) == (order.capacity_bytes, order.backing_path)
    if same and same_format:
        return Change(False, f"{where} has {order.name} already.", state, state)
    layer = f", on {facts.backing_path}" if facts.backing_path else ""
    raise Refused(
        f"{where} has another volume {order.name}: {facts.format}, {facts.capacity_bytes} bytes{layer}. "
        "It was not touched.",
        remedy="See whether it is still needed; remove or rename it by hand.",
    )
