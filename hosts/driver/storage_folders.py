"""A folder that no pool covers, reached through a pool for a moment: libvirt reads and writes files in pools only."""

from __future__ import annotations

import posixpath
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import libvirt
from lxml import etree

from hosts.driver.parallel import read_all
from hosts.driver.storage_finding import asking, reword, storing
from hosts.errors import HostError, Refused
from hosts.facts.storage import parse_pool
from hosts.facts.xml import outer_xml
from hosts.storage_ports import PASSING_POOL_PREFIX

ACTIVE: Final = libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE
TRANSIENT: Final = libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_TRANSIENT
# A pool of ours that is as old as this belongs to a worker that was killed.
FORGOTTEN_AFTER_S: Final = 24 * 3600
# Ways to write the same folder; two pools at once need two.
SPELLINGS: Final = 100
ATTEMPTS: Final = 5


@contextmanager
def folder_pool(virt: Any, host: str, folder: str) -> Iterator[str]:
    if not folder.startswith("/"):
        raise Refused(f"{folder!r} is no folder on {host}: its path must start with a slash.")
    wanted = posixpath.normpath(folder)
    name = _find(virt, host, wanted)
    if name:
        yield name
        return
    _sweep(virt, host)
    pool = _make(virt, host, wanted)
    try:
        yield str(pool.name())
    finally:
        _end(pool, host)


def _find(virt: Any, host: str, folder: str) -> str:
    """A pool of others. Those of ours vanish when the block that made them ends."""
    with asking(host, f"find the pool of {folder}"):
        pools = read_all(virt.listAllStoragePools(ACTIVE), lambda pool: parse_pool(pool.XMLDesc(0)))
    names = (
        pool.name for pool in pools if pool.type in {"dir", "fs", "netfs"} and _is(pool.target_path, folder)
    )
    return next((name for name in names if not name.startswith(PASSING_POOL_PREFIX)), "")


def _is(path: str, folder: str) -> bool:
    return bool(path) and posixpath.normpath(path) == folder


def _make(virt: Any, host: str, folder: str) -> Any:
    """libvirt refuses a second pool with the same target, but compares it as text: each gets a spelling of its own,
    so that two at once neither disturb nor wait for each other."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with _plainly(folder), storing(host, f"reach the folder {folder}"):
                return virt.storagePoolCreateXML(_render(folder), 0)
        except Refused:
            if attempt == ATTEMPTS:
                raise
    raise AssertionError("the last attempt returns or raises")


@contextmanager
def _plainly(folder: str) -> Iterator[None]:
    """People know the folder by its plain name."""
    try:
        yield
    except HostError as error:
        reword(error, re.sub(r"(/\.)+(?=['/: ]|$)", "", error.message))
        raise


def _render(folder: str) -> str:
    name = f"{PASSING_POOL_PREFIX}{int(time.time()):08x}{secrets.token_hex(6)}"
    pool = etree.Element("pool", type="dir")
    etree.SubElement(pool, "name").text = name
    spelling = folder.rstrip("/") + "/." * (1 + secrets.randbelow(SPELLINGS))
    etree.SubElement(etree.SubElement(pool, "target"), "path").text = spelling
    return outer_xml(pool)


def _end(pool: Any, host: str) -> None:
    """What cannot be ended now is swept away by a later block; the error of the block itself must not be hidden."""
    with suppress(HostError), storing(host, "let go of a folder"):
        pool.destroy()


def _sweep(virt: Any, host: str) -> None:
    with asking(host, "look for forgotten pools"):
        for pool in virt.listAllStoragePools(ACTIVE | TRANSIENT):
            if _is_forgotten(str(pool.name())):
                _end(pool, host)


def _is_forgotten(name: str) -> bool:
    if not name.startswith(PASSING_POOL_PREFIX):
        return False
    with suppress(ValueError):
        made = int(name.removeprefix(PASSING_POOL_PREFIX)[:8], 16)
        return time.time() - made > FORGOTTEN_AFTER_S
    return False
