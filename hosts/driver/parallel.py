"""Many small reads on one connection, a few at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import libvirt

from hosts.driver.errors import is_code

logger = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")

# libvirtd serves five requests of one connection at a time; one stays free for whoever else uses it.
PARALLEL_READS = 4
_GONE = ("NO_DOMAIN", "NO_STORAGE_POOL", "NO_STORAGE_VOL", "NO_NETWORK", "NO_INTERFACE", "OPERATION_INVALID")


def read_all(items: Iterable[T], read: Callable[[T], R | None]) -> tuple[R, ...]:
    """What `read` says of each item, in order. Left out: None, items that vanished meanwhile, descriptions
    that are not understood (logged). Raises libvirtError for everything else."""

    def read_or_none(item: T) -> R | None:
        try:
            return read(item)
        except libvirt.libvirtError as error:
            if is_code(error, *_GONE):
                return None
            raise
        except ValueError:
            logger.warning("A description is not understood", exc_info=True)
            return None

    with ThreadPoolExecutor(max_workers=PARALLEL_READS, thread_name_prefix="read") as pool:
        return tuple(result for result in pool.map(read_or_none, items) if result is not None)
