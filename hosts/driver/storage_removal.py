"""Volumes whose contents go: wipe, delete. Refused while anything uses them."""

from __future__ import annotations

import posixpath
from typing import Any, Final

import libvirt

from hosts.driver.changes import proving
from hosts.driver.storage_finding import (
    find_in_pool,
    get_active_pool,
    get_volume,
    read_volume_facts,
    storing,
)
from hosts.driver.storage_users import refuse_used
from hosts.driver.storage_volumes import MISSING, read_volumes, volume_state
from hosts.errors import OperationFailed, Refused
from hosts.facts.storage import VolumeFacts
from hosts.ports import Change
from hosts.storage_ports import WipeAlgorithm

_PATTERNS: Final = {
    algorithm: getattr(libvirt, f"VIR_STORAGE_VOL_WIPE_ALG_{algorithm.name}") for algorithm in WipeAlgorithm
}


def wipe_volume(virt: Any, host: str, pool_name: str, name: str, algorithm: WipeAlgorithm) -> Change:
    """Always done when asked: whether a volume is wiped cannot be seen."""
    volume = get_volume(virt, host, pool_name, name)
    facts = read_volume_facts(volume, host, pool_name)
    _refuse_in_use(virt, host, facts, "wiped")
    with storing(host, f"wipe the volume {name} ({algorithm.value})"):
        volume.wipePattern(_PATTERNS[algorithm], 0)
    with proving(host, f"wipe {name}"):
        after = volume_state(read_volume_facts(volume, host, pool_name))
    note = "" if facts.format in {"", "raw"} else f" It is no {facts.format} image any more: delete it."
    return Change(True, f"{name} on {host} is wiped ({algorithm.value}).{note}", volume_state(facts), after)


def delete_volume(virt: Any, host: str, pool_name: str, name: str) -> Change:
    pool = get_active_pool(virt, host, pool_name)
    volume = find_in_pool(pool, host, name)
    if volume is None:
        return Change(False, f"The pool {pool_name} on {host} has no volume {name}.", MISSING, MISSING)
    facts = read_volume_facts(volume, host, pool_name)
    _refuse_in_use(virt, host, facts, "deleted")
    with storing(host, f"delete the volume {name}"):
        volume.delete(0)
    with proving(host, f"delete {name}"):
        left = find_in_pool(pool, host, name)
    if left is not None:
        raise OperationFailed(f"{host} said that it deleted {name}, but the pool {pool_name} still has it.")
    return Change(
        True, f"{name} is deleted from the pool {pool_name} on {host}.", volume_state(facts), MISSING
    )


def _refuse_in_use(virt: Any, host: str, facts: VolumeFacts, doing: str) -> None:
    refuse_used(virt, host, facts.path, doing)
    above = sorted(
        one.name
        for one in read_volumes(virt, host, facts.pool)
        if one.backing_path and _layer(one) == posixpath.normpath(facts.path)
    )
    if above:
        raise Refused(
            f"{facts.name} on {host} is the layer below {', '.join(above[:10])}"
            f"{' and others' if len(above) > 10 else ''}. It was not {doing}.",
            remedy="Delete what lies on it first, or leave it.",
        )


def _layer(facts: VolumeFacts) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(facts.path), facts.backing_path))
