"""Pools and volumes of one host over one connection (hosts.storage_ports.StoragePort)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from hosts.driver import (
    limits,
    storage_copies,
    storage_folders,
    storage_pools,
    storage_reading,
    storage_removal,
    storage_secrets,
    storage_users,
    storage_volumes,
    storage_writing,
)
from hosts.facts.storage import VolumeFacts
from hosts.ports import Change
from hosts.storage_ports import (
    Piece,
    PoolReading,
    Preallocation,
    SecretOrder,
    StoragePort,
    VolumeOrder,
    WipeAlgorithm,
)

T = TypeVar("T")


class Storage(StoragePort):
    """Valid as long as its connection. All calls raise hosts.errors.HostError only.

    The packets of a stream share the connection's one socket with everything else: other calls are answered, but
    later while it flows (60 ms instead of 12, measured), so long copies have a connection of their own. A host that is
    lost is noticed by the connection's keepalive. One whose storage waits without end is given up after a limit; what
    lasts as long as its volume is large (a clone, a wipe, a preallocation, a stream) has none.
    """

    def __init__(self, virt: Callable[[], Any], host: str) -> None:
        self._connection = virt  # asked anew for every call: it refuses in another process
        self._host = host

    @property
    def _virt(self) -> Any:
        return self._connection()

    def _ask(self, act: Callable[..., T], *words: Any) -> T:
        virt = self._virt
        answer: T = limits.ask(self._host, lambda: act(virt, self._host, *words))
        return answer

    def _change(self, act: Callable[..., Change], *words: Any, **more: Any) -> Change:
        virt = self._virt
        answer: Change = limits.change(self._host, lambda: act(virt, self._host, *words, **more))
        return answer

    def read_pools(self) -> tuple[PoolReading, ...]:
        return self._ask(storage_pools.read_pools)

    def find_pool(self, name: str) -> PoolReading | None:
        return self._ask(storage_pools.find_pool_reading, name)

    def define_pool(self, xml: str) -> Change:
        return self._change(storage_pools.define_pool, xml)

    def build_pool(self, name: str, *, overwrite: bool = False) -> Change:
        return self._change(storage_pools.build_pool, name, overwrite=overwrite)

    def start_pool(self, name: str) -> Change:
        return self._change(storage_pools.start_pool, name)

    def stop_pool(self, name: str) -> Change:
        return self._change(storage_pools.stop_pool, name)

    def set_pool_autostart(self, name: str, on: bool) -> Change:
        return self._change(storage_pools.set_pool_autostart, name, on)

    def refresh_pool(self, name: str) -> Change:
        return self._change(storage_pools.refresh_pool, name)

    def undefine_pool(self, name: str) -> Change:
        return self._change(storage_pools.undefine_pool, name)

    def delete_pool(self, name: str) -> Change:
        return self._change(storage_pools.delete_pool, name)

    def define_secret(self, order: SecretOrder) -> Change:
        return self._change(storage_secrets.define_secret, order)

    def read_volumes(self, pool: str) -> tuple[VolumeFacts, ...]:
        return self._ask(storage_volumes.read_volumes, pool)

    def find_volume(self, pool: str, name: str) -> VolumeFacts | None:
        return self._ask(storage_volumes.find_volume, pool, name)

    def find_users(self, paths: Iterable[str]) -> tuple[tuple[str, str], ...]:
        uses = self._ask(storage_users.find_uses, paths)
        return tuple(dict.fromkeys((use.path, use.guest) for use in uses))

    def make_volume(self, pool: str, order: VolumeOrder) -> Change:
        if order.preallocation is Preallocation.FULL:
            return storage_volumes.make_volume(self._virt, self._host, pool, order)
        return self._change(storage_volumes.make_volume, pool, order)

    def clone_volume(self, pool: str, name: str, new_name: str) -> Change:
        return storage_copies.clone_volume(self._virt, self._host, pool, name, new_name)

    def resize_volume(self, pool: str, name: str, capacity_bytes: int) -> Change:
        return self._change(storage_copies.resize_volume, pool, name, capacity_bytes)

    def wipe_volume(self, pool: str, name: str, algorithm: WipeAlgorithm) -> Change:
        return storage_removal.wipe_volume(self._virt, self._host, pool, name, algorithm)

    def delete_volume(self, pool: str, name: str) -> Change:
        return self._change(storage_removal.delete_volume, pool, name)

    def read_volume(
        self, pool: str, name: str, *, offset: int = 0, length: int = 0
    ) -> AbstractContextManager[Iterator[Piece]]:
        return storage_reading.read_volume(self._virt, self._host, pool, name, offset, length)

    def write_volume(
        self, pool: str, name: str, pieces: Iterable[Piece], *, offset: int = 0, length: int = 0
    ) -> int:
        target = storage_writing.Target(pool, name, offset, length)
        return storage_writing.write_volume(self._virt, self._host, target, pieces)

    def read_size(self, pool: str, name: str) -> int:
        return self._ask(storage_reading.read_size, pool, name)

    def folder_pool(self, folder: str) -> AbstractContextManager[str]:
        return storage_folders.folder_pool(self._virt, self._host, folder)
