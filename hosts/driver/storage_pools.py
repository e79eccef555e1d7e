"""Pools: reading, defining, building, starting, stopping, removing. Each first finds out whether it is needed at
all, so that doing it twice is harmless, and is proven by reading again."""

from __future__ import annotations

from typing import Any, Final

import libvirt
from lxml import etree

from hosts.driver.changes import proving
from hosts.driver.errors import is_code
from hosts.driver.parallel import read_all
from hosts.driver.storage_finding import asking, find_pool, get_pool, storing
from hosts.errors import OperationFailed, Refused
from hosts.facts.edits import add_running_permissions
from hosts.facts.pool_drift import compare_definitions
from hosts.facts.storage import PoolFacts, parse_pool
from hosts.facts.xml import outer_xml, parse_xml, text_of
from hosts.ports import Change
from hosts.storage_ports import PoolReading

# Building these makes a folder and nothing else.
FOLDER_POOLS: Final = frozenset({"dir", "fs", "netfs", "vstorage"})
# Building these writes to devices: partition tables, volume groups, file systems of their own.
DEVICE_POOLS: Final = frozenset({"logical", "disk", "zfs"})
INACTIVE: Final = libvirt.VIR_STORAGE_XML_INACTIVE


def read_pools(virt: Any, host: str) -> tuple[PoolReading, ...]:
    with asking(host, "read its storage pools"):
        return read_all(virt.listAllStoragePools(0), _read)


def find_pool_reading(virt: Any, host: str, name: str) -> PoolReading | None:
    pool = find_pool(virt, host, name)
    return None if pool is None else read_pool(pool, host)


def read_pool(pool: Any, host: str) -> PoolReading:
    with asking(host, f"read the pool {pool.name()}"):
        try:
            return _read(pool)
        except ValueError as error:
            raise OperationFailed(
                f"{host} describes the pool {pool.name()} in a way that is not understood: {error}"
            ) from error


def define_pool(virt: Any, host: str, xml: str) -> Change:
    root, wanted = _understood(host, xml)
    there = find_pool_reading(virt, host, wanted.name)
    if there is not None and there.definition_xml and not compare_definitions(xml, there.definition_xml):
        state = pool_state(there)
        return Change(False, f"{host} has the pool {wanted.name} defined like this already.", state, state)
    if there is not None:
        _set_uuid(root, there.facts.pool_uuid)
    with storing(host, f"define the pool {wanted.name}"):
        pool = _define(virt, outer_xml(root))
    with proving(host, f"define the pool {wanted.name}"):
        after = read_pool(pool, host)
    if not after.definition_xml:
        raise OperationFailed(
            f"{host} said that it defined the pool {wanted.name}, but has no definition of it."
        )
    return Change(True, _defined_words(host, there, after), pool_state(there), pool_state(after))


def build_pool(virt: Any, host: str, name: str, *, overwrite: bool) -> Change:
    pool = get_pool(virt, host, name)
    reading = read_pool(pool, host)
    state, kind = pool_state(reading), reading.facts.type
    if reading.facts.active:
        return Change(False, f"The pool {name} on {host} runs, so it is built already.", state, state)
    if kind not in FOLDER_POOLS | DEVICE_POOLS:
        return Change(False, f"A pool of type {kind} has nothing to build.", state, state)
    with storing(host, f"build the pool {name}"):
        _build(pool, kind, overwrite=overwrite)
    made = (
        f"its folder {reading.facts.target_path} is there"
        if kind in FOLDER_POOLS
        else "its devices are prepared"
    )
    return Change(True, f"The pool {name} on {host} is built: {made}.", state, state | {"built": "yes"})


def start_pool(virt: Any, host: str, name: str) -> Change:
    pool = get_pool(virt, host, name)
    before = pool_state(read_pool(pool, host))
    if before["active"] == "yes":
        return Change(False, f"The pool {name} on {host} was running already.", before, before)
    with storing(host, f"start the pool {name}"):
        pool.create(0)
    after = _proven(pool, host, f"start the pool {name}", "active", "yes")
    return Change(True, f"The pool {name} on {host} is started.", before, after)


def stop_pool(virt: Any, host: str, name: str) -> Change:
    pool = find_pool(virt, host, name)
    before = pool_state(None if pool is None else read_pool(pool, host))
    if before["active"] == "no":
        return Change(False, f"The pool {name} on {host} was stopped already.", before, before)
    with storing(host, f"stop the pool {name}"):
        pool.destroy()
    with proving(host, f"stop the pool {name}"):
        after = pool_state(find_pool_reading(virt, host, name))
    if after["active"] != "no":
        raise OperationFailed(f"{host} said that it stopped the pool {name}, but it still runs.")
    gone = "" if after["pool"] == "defined" else " It had no definition, so the host has forgotten it."
    return Change(True, f"The pool {name} on {host} is stopped.{gone}", before, after)


def set_pool_autostart(virt: Any, host: str, name: str, on: bool) -> Change:
    pool = get_pool(virt, host, name)
    before, wanted = pool_state(read_pool(pool, host)), "yes" if on else "no"
    words = f"The pool {name} {'starts' if on else 'does not start'} with {host}"
    if before["autostart"] == wanted:
        return Change(False, f"{words} already.", before, before)
    if before["pool"] != "defined":
        raise Refused(
            f"The pool {name} on {host} has no definition, so it cannot start with its host.",
            remedy="Define it first, from its template or its own description.",
        )
    with storing(host, f"change whether the pool {name} starts with its host"):
        pool.setAutostart(int(on))
    after = _proven(pool, host, f"set the autostart of {name}", "autostart", wanted)
    return Change(True, f"{words} from now on.", before, after)


def refresh_pool(virt: Any, host: str, name: str) -> Change:
    """Changed: when there is something else in it than the host knew."""
    pool = get_pool(virt, host, name)
    reading = read_pool(pool, host)
    if not reading.facts.active:
        raise Refused(
            f"The pool {name} on {host} is not started, so there is nothing to look at.",
            remedy=f"Start it first: virsh pool-start {name}",
        )
    before = _contents(pool, host, reading)
    with storing(host, f"refresh the pool {name}"):
        pool.refresh(0)
    with proving(host, f"refresh the pool {name}"):
        after = _contents(pool, host, read_pool(pool, host))
    volumes = "1 volume" if after["volumes"] == "1" else f"{after['volumes']} volumes"
    return Change(before != after, f"{host} has looked at the pool {name} anew: {volumes}.", before, after)


def undefine_pool(virt: Any, host: str, name: str) -> Change:
    pool = find_pool(virt, host, name)
    before = pool_state(None if pool is None else read_pool(pool, host))
    if pool is None:
        return Change(False, f"{host} has no pool {name}.", before, before)
    _refuse_active(host, name, before, "Its definition is not removed while it runs.")
    with storing(host, f"remove the definition of the pool {name}"):
        pool.undefine()
    after = _proven_gone(virt, host, name)
    return Change(
        True, f"{host} has no definition of the pool {name} any more; what lies in it stays.", before, after
    )


def delete_pool(virt: Any, host: str, name: str) -> Change:
    pool = find_pool(virt, host, name)
    before = pool_state(None if pool is None else read_pool(pool, host))
    if pool is None:
        return Change(False, f"{host} has no pool {name}.", before, before)
    _refuse_active(host, name, before, "What it lies on is not removed while it runs.")
    with storing(host, f"delete the pool {name}"):
        _delete_contents(pool)
    with storing(host, f"remove the definition of the pool {name}, after what it lay on"):
        pool.undefine()
    after = _proven_gone(virt, host, name)
    return Change(True, f"The pool {name} on {host} and what it lay on are gone.", before, after)


def _read(pool: Any) -> PoolReading:
    persistent = bool(pool.isPersistent())
    live = pool.XMLDesc(0)
    facts = parse_pool(
        live,
        active=bool(pool.isActive()),
        persistent=persistent,
        autostart=persistent and bool(pool.autostart()),
    )
    definition = add_running_permissions(str(pool.XMLDesc(INACTIVE)), str(live)) if persistent else ""
    return PoolReading(facts, definition, str(live))


def _understood(host: str, xml: str) -> tuple[etree._Element, PoolFacts]:
    try:
        facts = parse_pool(xml)
        if not facts.name:
            raise ValueError("The pool has no name.")
        return parse_xml(xml, root="pool"), facts
    except ValueError as error:
        raise Refused(f"Nothing was changed on {host}. {error}", remedy="Correct the description.") from error


def _set_uuid(root: etree._Element, pool_uuid: str) -> None:
    """The UUID is what libvirt knows a pool by: with another one the same name would be refused."""
    if text_of(root, "uuid") == pool_uuid:
        return
    for element in root.findall("uuid"):
        root.remove(element)
    element = etree.Element("uuid")
    element.text = pool_uuid
    root.insert(0, element)


def _define(virt: Any, xml: str) -> Any:
    # REQUIRED_FOR: libvirt < 7.3, which does not know the flag.
    flag = getattr(libvirt, "VIR_STORAGE_POOL_DEFINE_VALIDATE", 0)
    try:
        return virt.storagePoolDefineXML(xml, flag)
    except libvirt.libvirtError as error:
        if flag and is_unknown_flag(error):
            return virt.storagePoolDefineXML(xml, 0)
        raise


def is_unknown_flag(error: libvirt.libvirtError) -> bool:
    """Whether the host's libvirt does not know a flag, so that nothing was done."""
    words = str(error.get_error_message() or "")
    return is_code(error, "INVALID_ARG", "ARGUMENT_UNSUPPORTED") and "unsupported flags" in words


def _build(pool: Any, kind: str, *, overwrite: bool) -> None:
    if kind in FOLDER_POOLS:
        pool.build(0)
        return
    flag = (
        libvirt.VIR_STORAGE_POOL_BUILD_OVERWRITE if overwrite else libvirt.VIR_STORAGE_POOL_BUILD_NO_OVERWRITE
    )
    try:
        pool.build(flag)
    except libvirt.libvirtError as error:
        # ZFS knows neither flag and refuses by itself to write over what is there.
        if overwrite or not is_unknown_flag(error):
            raise
        pool.build(0)


def _delete_contents(pool: Any) -> None:
    try:
        pool.delete(0)
    except libvirt.libvirtError as error:
        # Gone since an attempt that did not come to its end: the definition is what is left to remove.
        if "No such file or directory" not in str(error.get_error_message()):
            raise


def _refuse_active(host: str, name: str, state: dict[str, str], words: str) -> None:
    if state["active"] == "yes":
        raise Refused(
            f"The pool {name} on {host} runs. {words}",
            remedy="See which guests use it, then stop it first.",
        )


def _proven(pool: Any, host: str, done: str, key: str, wanted: str) -> dict[str, str]:
    with proving(host, done):
        after = pool_state(read_pool(pool, host))
    if after[key] != wanted:
        raise OperationFailed(f"{host} said that it did this, but did not: {done}.")
    return after


def _proven_gone(virt: Any, host: str, name: str) -> dict[str, str]:
    with proving(host, f"remove the pool {name}"):
        after = pool_state(find_pool_reading(virt, host, name))
    if after["pool"] != "missing":
        raise OperationFailed(f"{host} said that it removed the pool {name}, but still has it.")
    return after


def _contents(pool: Any, host: str, reading: PoolReading) -> dict[str, str]:
    with asking(host, f"count the volumes of {reading.facts.name}"):
        volumes = pool.numOfVolumes()
    facts = reading.facts
    return {
        "volumes": str(volumes),
        "capacity_bytes": str(facts.capacity_bytes),
        "available_bytes": str(facts.available_bytes),
    }


def pool_state(reading: PoolReading | None) -> dict[str, str]:
    if reading is None:
        return {"pool": "missing", "active": "no", "autostart": "no"}
    facts = reading.facts
    return {
        "pool": "defined" if facts.persistent else "not defined",
        "active": "yes" if facts.active else "no",
        "autostart": "yes" if facts.autostart else "no",
    }


def _defined_words(host: str, before: PoolReading | None, after: PoolReading) -> str:
    name = after.facts.name
    if before is None:
        return f"{host} has the pool {name} defined now."
    if not before.definition_xml:
        return f"{host} has a definition of the running pool {name} now."
    later = " It takes effect when the pool is stopped and started again." if after.facts.active else ""
    return f"{host} has the pool {name} defined anew.{later}"
