"""Remedies on storage: a pool is started, a pool is created as another host defines it, an empty volume is made.

What fails half-way is undone where that is safe; what cannot be undone is named.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

import libvirt

from hosts.driver.changes import attempting, proving, start, started
from hosts.driver.errors import is_code, translate
from hosts.errors import HostError, OperationFailed, OutcomeUnknown, Refused
from hosts.facts.edits import render_twin_pool, render_volume
from hosts.facts.storage import PoolFacts, parse_pool, parse_volume
from hosts.ports import Change

# Building these makes a folder. Building any other kind writes to disks (partition tables, volume groups).
BUILT: Final = frozenset({"dir", "fs", "netfs"})


def read_pool_xml(virt: Any, host: str, name: str) -> str:
    """The pool's persistent definition. Raises Refused when there is no such pool."""
    pool = _find_pool(virt, host, name)
    if pool is None:
        raise Refused(f"{host} has no storage pool {name} any more.", remedy="Read the host again.")
    with translate(host, f"read the pool {name}"):
        return str(pool.XMLDesc(libvirt.VIR_STORAGE_XML_INACTIVE if pool.isPersistent() else 0))


def start_pool(virt: Any, host: str, name: str) -> Change:
    """Start a pool, let it start with its host, and look at its volumes."""
    pool = _find_pool(virt, host, name)
    if pool is None:
        raise Refused(f"{host} has no storage pool {name} any more.", remedy="Read the host again.")
    before = started(pool, host)
    done = start(pool, host, f"the pool {name}", before)
    _refresh(pool)
    with proving(host, f"start the pool {name}"):
        after = started(pool, host)
    if not done:
        return Change(False, f"The pool {name} on {host} was running already.", before, after)
    return Change(True, f"On {host} {' and '.join(done)}.", before, after)


def create_pool(virt: Any, host: str, source_xml: str) -> Change:
    """Define, build where that only makes a folder, start, autostart. On failure the definition is removed again."""
    try:
        wanted = parse_pool(source_xml)
        xml = render_twin_pool(source_xml)
    except ValueError as error:
        raise Refused(f"Nothing was changed on {host}. {error}") from error
    there = _find_pool(virt, host, wanted.name)
    if there is not None:
        return _found_there(there, host, wanted)
    with attempting(host, f"define the pool {wanted.name}"):
        pool = virt.storagePoolDefineXML(xml, 0)
    done = ["defined as on the source"]
    try:
        _bring_up(pool, host, wanted, done)
    except OutcomeUnknown:
        raise  # nothing is removed on a guess
    except HostError as error:
        error.message = f"{error.message} {_undo(pool, host, wanted, done)}"
        raise
    with proving(host, f"create the pool {wanted.name}"):
        after = {"pool": "defined"} | started(pool, host)
    sentence = f"{host} has the pool {wanted.name} now: {', '.join(done)}. No volume was copied."
    return Change(True, sentence, {"pool": "missing"}, after)


def create_volume(
    virt: Any, host: str, pool_name: str, name: str, format_name: str, capacity_bytes: int
) -> Change:
    """An empty volume. One that is there already is never touched."""
    pool = _find_pool(virt, host, pool_name)
    if pool is None or not pool.isActive():
        raise Refused(
            f"{host} has no running pool {pool_name}, so no volume can be made in it.",
            remedy=f"Create or start the pool {pool_name} on {host} first.",
        )
    _refresh(pool)
    there = _find_volume(pool, host, name)
    wanted = {"format": format_name, "capacity_bytes": str(capacity_bytes)}
    if there is not None:
        if there == wanted:
            return Change(False, f"The pool {pool_name} on {host} has {name} already.", there, there)
        raise Refused(
            f"The pool {pool_name} on {host} has another volume {name}: {there['format']}, "
            f"{there['capacity_bytes']} bytes. It was not touched.",
            remedy="See whether it is still needed; remove or rename it by hand.",
        )
    with attempting(host, f"create the volume {name} in the pool {pool_name}"):
        kind = parse_pool(pool.XMLDesc(0)).type
        pool.createXML(render_volume(kind, name, format_name, capacity_bytes), 0)
    with proving(host, f"create the volume {name}"):
        after = _find_volume(pool, host, name)
    if after is None:
        raise OperationFailed(
            f"{host} said that it created {name}, but the pool {pool_name} does not have it."
        )
    return Change(
        True, f"The pool {pool_name} on {host} has the empty volume {name} now.", {"volume": "missing"}, after
    )


def _bring_up(pool: Any, host: str, wanted: PoolFacts, done: list[str]) -> None:
    """Build, start, autostart; each step that is done is noted."""
    if wanted.type in BUILT:
        with attempting(host, f"build the pool {wanted.name}"):
            pool.build(0)
        done.append(f"its folder {wanted.target_path} built")
    with attempting(host, f"start the pool {wanted.name}"):
        pool.create(0)
    done.append("started")
    with attempting(host, f"let the pool {wanted.name} start with its host"):
        pool.setAutostart(1)
    done.append("starting with its host from now on")


def _undo(pool: Any, host: str, wanted: PoolFacts, done: list[str]) -> str:
    """Take the definition away again. What was done and what is left, in one sentence."""
    try:
        with attempting(host, "remove it again"):
            if pool.isActive():
                pool.destroy()
            pool.undefine()
    except HostError as error:
        return f"The pool stays defined on {host}: {error.message} By hand: virsh pool-undefine {wanted.name}"
    built = any(words.startswith("its folder") for words in done)
    folder = f" The folder {wanted.target_path} may be left." if built else ""
    return f"Its definition was removed again, so {host} has no pool {wanted.name}, as before.{folder}"


def _found_there(pool: Any, host: str, wanted: PoolFacts) -> Change:
    """Somebody else made it meanwhile. Only one that is the same and runs is as good as done."""
    with translate(host, f"read the pool {wanted.name}"):
        facts = parse_pool(pool.XMLDesc(0))
    state = started(pool, host)
    same = (facts.type, facts.target_path, facts.source) == (wanted.type, wanted.target_path, wanted.source)
    if same and state["active"] == "yes":
        return Change(False, f"{host} has the pool {wanted.name} already, and it runs.", state, state)
    if same:
        raise Refused(
            f"{host} has the pool {wanted.name} already; it is not started.",
            remedy=f"Start it: virsh pool-start {wanted.name}; virsh pool-autostart {wanted.name}",
        )
    raise Refused(
        f"{host} has another pool named {wanted.name}: {facts.source or facts.target_path}. It was not touched.",
        remedy=f"Rename or remove it by hand, if nobody needs it: virsh pool-dumpxml {wanted.name}",
    )


def _find_pool(virt: Any, host: str, name: str) -> Any:
    with translate(host, f"find the pool {name}"):
        try:
            return virt.storagePoolLookupByName(name)
        except libvirt.libvirtError as error:
            if is_code(error, "NO_STORAGE_POOL"):
                return None
            raise


def _find_volume(pool: Any, host: str, name: str) -> dict[str, str] | None:
    with translate(host, f"find the volume {name}"):
        try:
            facts = parse_volume(pool.storageVolLookupByName(name).XMLDesc(0), pool=pool.name())
        except libvirt.libvirtError as error:
            if is_code(error, "NO_STORAGE_VOL"):
                return None
            raise
    return {"format": facts.format, "capacity_bytes": str(facts.capacity_bytes)}


def _refresh(pool: Any) -> None:
    """Best effort: what the pool remembers may be older than what is there."""
    with suppress(libvirt.libvirtError):
        pool.refresh(0)
