"""Volumes that become another or larger one: clone, resize."""

from __future__ import annotations

from typing import Any

from hosts.driver.changes import proving
from hosts.driver.storage_finding import (
    find_in_pool,
    get_active_pool,
    get_volume,
    read_volume_facts,
    refresh,
    storing,
)
from hosts.driver.storage_users import find_uses, refuse_used
from hosts.driver.storage_volumes import MISSING, volume_state
from hosts.errors import OperationFailed, Refused
from hosts.facts.edits import render_clone
from hosts.ports import Change


def clone_volume(virt: Any, host: str, pool_name: str, name: str, new_name: str) -> Change:
    """In the same pool and format, without layers. What is there already is refused even when it looks alike: nobody
    can say that it holds the same."""
    volume = get_volume(virt, host, pool_name, name)
    facts = read_volume_facts(volume, host, pool_name)
    pool = get_active_pool(virt, host, pool_name)
    _check_clone(virt, host, pool, facts.path, new_name)
    with storing(host, f"copy {name} to {new_name} in the pool {pool_name}"):
        pool.createXMLFrom(_rendered(volume.XMLDesc(0), new_name), volume, 0)
    with proving(host, f"copy {name} to {new_name}"):
        refresh(pool)  # until then libvirt tells what it was asked for
        made = find_in_pool(pool, host, new_name)
        after = MISSING if made is None else volume_state(read_volume_facts(made, host, pool_name))
    if made is None or after["capacity_bytes"] != str(facts.capacity_bytes):
        raise OperationFailed(
            f"{host} said that it copied {name}, but {new_name} in the pool {pool_name} is not like it: {after}."
        )
    alone = " that needs no layer below" if facts.backing_path else ""
    return Change(
        True, f"The pool {pool_name} on {host} has {new_name} now, a copy of {name}{alone}.", MISSING, after
    )


def resize_volume(virt: Any, host: str, pool_name: str, name: str, capacity_bytes: int) -> Change:
    volume = get_volume(virt, host, pool_name, name)
    facts = read_volume_facts(volume, host, pool_name)
    before = volume_state(facts)
    if facts.capacity_bytes == capacity_bytes:
        return Change(False, f"{name} on {host} has this size already.", before, before)
    if facts.capacity_bytes > capacity_bytes:
        raise Refused(
            f"{name} on {host} has {facts.capacity_bytes} bytes; making it smaller would cut off what lies at its "
            "end. It was not touched.",
            remedy="Make a smaller volume and copy the files inside the guest.",
        )
    refuse_used(virt, host, facts.path, "resized", running_only=True)
    with storing(host, f"resize the volume {name}"):
        volume.resize(capacity_bytes, 0)
    with proving(host, f"resize {name}"):
        after = volume_state(read_volume_facts(volume, host, pool_name))
    if int(after["capacity_bytes"]) < capacity_bytes:
        raise OperationFailed(
            f"{host} said that it resized {name}, but it has {after['capacity_bytes']} bytes."
        )
    return Change(
        True, f"{name} on {host} has {after['capacity_bytes']} bytes now. The guest uses them.", before, after
    )


def _check_clone(virt: Any, host: str, pool: Any, path: str, new_name: str) -> None:
    if not new_name or "/" in new_name or new_name in {".", ".."}:
        raise Refused(f"{new_name!r} is no name for a volume: it needs one without a slash.")
    refresh(pool)
    if find_in_pool(pool, host, new_name) is not None:
        raise Refused(
            f"The pool {pool.name()} on {host} has a volume {new_name} already. It was not touched.",
            remedy="Choose another name, or delete that volume if nobody needs it.",
        )
    writers = sorted({use.guest for use in find_uses(virt, host, [path]) if use.running and use.writes})
    if writers:
        raise Refused(
            f"{', '.join(writers)} runs on {host} and writes to {path}: a copy made now would be torn.",
            remedy="Shut the guest off, or pause it and take a snapshot to copy from.",
        )


def _rendered(xml: str, new_name: str) -> str:
    try:
        return render_clone(xml, new_name)
    except ValueError as error:
        raise Refused(f"Nothing was copied. {error}") from error
