"""Pools and volumes by name, as they are now, and what libvirt's errors mean when storage is worked on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import libvirt

from hosts.driver.errors import is_code, translate
from hosts.driver.storage_rules import STORAGE_RULES
from hosts.errors import HostError, OutcomeUnknown, Refused
from hosts.facts.storage import VolumeFacts, parse_volume
from hosts.facts.xml import squeeze


@contextmanager
def asking(host: str, doing: str) -> Iterator[None]:
    """For a call that only reads. `doing` completes "could not …"."""
    with _telling(host, doing), translate(host, doing, rules=STORAGE_RULES):
        yield


@contextmanager
def storing(host: str, doing: str) -> Iterator[None]:
    """For a call that changes pools or volumes: a lost connection leaves its outcome unknown."""
    try:
        with _telling(host, doing), translate(host, doing, changes=True, rules=STORAGE_RULES):
            yield
    except OutcomeUnknown as error:
        error.remedy = "It is read again as soon as the host answers; nothing is deleted until then."
        raise


@contextmanager
def _telling(host: str, doing: str) -> Iterator[None]:
    """Which host, and behind what an error means what libvirt said: it names the path, the device, the element."""
    try:
        yield
    except HostError as error:
        message = error.message.replace(f"Could not {doing}. ", f"{host} could not {doing}: ", 1)
        text = squeeze(error.libvirt_text).rstrip(".")
        if text and text not in message:
            message = f"{message} libvirt says: {text}."
        reword(error, message)
        raise


def reword(error: HostError, message: str) -> None:
    error.message, error.args = message, (message,)


def find_pool(virt: Any, host: str, name: str) -> Any:
    """libvirt's object, None when the host answers that it has no pool of this name."""
    with asking(host, f"find the pool {name}"):
        try:
            return virt.storagePoolLookupByName(name)
        except libvirt.libvirtError as error:
            if is_code(error, "NO_STORAGE_POOL"):
                return None
            raise


def get_pool(virt: Any, host: str, name: str) -> Any:
    pool = find_pool(virt, host, name)
    if pool is None:
        raise Refused(f"{host} has no storage pool {name} any more.", remedy="Read the host again.")
    return pool


def get_active_pool(virt: Any, host: str, name: str) -> Any:
    pool = get_pool(virt, host, name)
    with asking(host, f"read the state of the pool {name}"):
        if not pool.isActive():
            raise Refused(
                f"The pool {name} on {host} is not started, so its volumes cannot be reached.",
                remedy=f"Start it first: virsh pool-start {name}",
            )
    return pool


def find_in_pool(pool: Any, host: str, name: str) -> Any:
    """The volume, None when there is none. What the pool remembers may be older than what is there, so it looks
    again before it says no, and before it says yes to a file that has gone."""
    with asking(host, f"find the volume {name}"):
        found = _look(pool, name)
        if found is None:
            refresh(pool)
            found = _look(pool, name)
        return found


def get_volume(virt: Any, host: str, pool_name: str, name: str) -> Any:
    volume = find_in_pool(get_active_pool(virt, host, pool_name), host, name)
    if volume is None:
        raise Refused(
            f"The pool {pool_name} on {host} has no volume {name}.",
            remedy="Refresh the pool, then look again.",
        )
    return volume


def read_volume_facts(volume: Any, host: str, pool_name: str) -> VolumeFacts:
    with asking(host, f"read the volume {volume.name()}"):
        return parse_volume(volume.XMLDesc(0), pool=pool_name)


def refresh(pool: Any) -> None:
    """Best effort: a pool that is busy with another volume cannot be looked at anew."""
    with suppress(libvirt.libvirtError):
        pool.refresh(0)


def _look(pool: Any, name: str) -> Any:
    try:
        volume = pool.storageVolLookupByName(name)
        volume.info()  # looks at the file itself
    except libvirt.libvirtError as error:
        if is_code(error, "NO_STORAGE_VOL") or file_is_gone(error):
            return None
        raise
    return volume


def file_is_gone(error: libvirt.libvirtError) -> bool:
    return is_code(error, "SYSTEM_ERROR") and error.get_int1() == 2  # ENOENT
