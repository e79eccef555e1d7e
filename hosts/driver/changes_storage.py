"""Remedies on storage: a pool is started, a pool is created as another host defines it, an empty volume is made.

Each is a few steps of storage_pools and storage_volumes. What fails half-way is undone where that is safe; what
cannot be undone is named.
"""

from __future__ import annotations

from typing import Any

from hosts.driver import storage_pools
from hosts.driver.changes import naming
from hosts.driver.storage_finding import get_pool, refresh
from hosts.driver.storage_volumes import make_volume
from hosts.errors import HostError, OutcomeUnknown, Refused
from hosts.facts.edits import render_twin_pool
from hosts.facts.storage import PoolFacts, parse_pool
from hosts.ports import Change
from hosts.storage_ports import PoolReading, VolumeOrder


def read_pool_xml(virt: Any, host: str, name: str) -> str:
    """The pool's persistent definition. Raises Refused when there is no such pool."""
    reading = storage_pools.read_pool(get_pool(virt, host, name), host)
    return reading.definition_xml or reading.live_xml


def start_pool(virt: Any, host: str, name: str) -> Change:
    """Start a pool, let it start with its host, and look at its volumes."""
    changes = [storage_pools.start_pool(virt, host, name)]
    if changes[0].before["pool"] == "defined":
        done = [f"the pool {name} is started"] if changes[0].changed else []
        with naming(done, f"On {host} {{done}}, but does not start with its host yet."):
            changes.append(storage_pools.set_pool_autostart(virt, host, name, on=True))
    refresh(get_pool(virt, host, name))
    says = [change.says for change in changes if change.changed]
    return Change(
        bool(says),
        " ".join(says) or f"The pool {name} on {host} was running already.",
        changes[0].before,
        changes[-1].after,
    )


def create_pool(virt: Any, host: str, source_xml: str) -> Change:
    """Define, build where that only makes a folder, start, autostart. On failure the definition is removed again."""
    try:
        wanted = parse_pool(source_xml)
        xml = render_twin_pool(source_xml)
    except ValueError as error:
        raise Refused(f"Nothing was changed on {host}. {error}") from error
    there = storage_pools.find_pool_reading(virt, host, wanted.name)
    if there is not None:
        return _found_there(there, host, wanted)
    before = storage_pools.define_pool(virt, host, xml).before
    done = ["defined as on the source"]
    try:
        after = _bring_up(virt, host, wanted, done)
    except OutcomeUnknown:
        raise  # nothing is removed on a guess
    except HostError as error:
        error.message = f"{error.message} {_undo(virt, host, wanted, done)}"
        raise
    sentence = f"{host} has the pool {wanted.name} now: {', '.join(done)}. No volume was copied."
    return Change(True, sentence, before, after)


def create_volume(
    virt: Any, host: str, pool_name: str, name: str, format_name: str, capacity_bytes: int
) -> Change:
    """An empty volume. One that is there already is never touched."""
    return make_volume(virt, host, pool_name, VolumeOrder(name, format_name, capacity_bytes))


def _bring_up(virt: Any, host: str, wanted: PoolFacts, done: list[str]) -> dict[str, str]:
    """Build, start, autostart; each step that is done is noted."""
    if wanted.type in storage_pools.FOLDER_POOLS:
        storage_pools.build_pool(virt, host, wanted.name, overwrite=False)
        done.append(f"its folder {wanted.target_path} built")
    storage_pools.start_pool(virt, host, wanted.name)
    done.append("started")
    change = storage_pools.set_pool_autostart(virt, host, wanted.name, on=True)
    done.append("starting with its host from now on")
    return dict(change.after)


def _undo(virt: Any, host: str, wanted: PoolFacts, done: list[str]) -> str:
    """Take the definition away again. What was done and what is left, in one sentence."""
    try:
        storage_pools.stop_pool(virt, host, wanted.name)
        storage_pools.undefine_pool(virt, host, wanted.name)
    except HostError as error:
        return f"The pool stays defined on {host}: {error.message} By hand: virsh pool-undefine {wanted.name}"
    built = any(words.startswith("its folder") for words in done)
    folder = f" The folder {wanted.target_path} may be left." if built else ""
    return f"Its definition was removed again, so {host} has no pool {wanted.name}, as before.{folder}"


def _found_there(there: PoolReading, host: str, wanted: PoolFacts) -> Change:
    """Somebody else made it meanwhile. Only one that is the same and runs is as good as done."""
    facts = there.facts
    same = (facts.type, facts.target_path, facts.source) == (wanted.type, wanted.target_path, wanted.source)
    if same and facts.active:
        state = storage_pools.pool_state(there)
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
