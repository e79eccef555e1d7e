"""Pools and volumes of one host over one connection (hosts.storage_ports.StoragePort)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any

from hosts.driver import (
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
from hosts.storage_ports import Piece, PoolReading, SecretOrder, StoragePort, VolumeOrder, WipeAlgorithm


class Storage(StoragePort):
    """Valid as long as its connection. All calls raise hosts.errors.HostError only.

    The packets of a stream share the connection's one socket with everything else: other calls are answered, but
    later while it flows (60 ms instead of 12, measured), so long copies have a connection of their own. A host that is
    lost is noticed by the connection's keepalive.
    """

    def __init__(self, virt: Callable[[], Any], host: str) -> None:
        self._connection = virt  # asked anew for every call: it refuses in another process
        self._host = host

    @property
    def _virt(self) -> Any:
        return self._connection()

    def read_pools(self) -> tuple[PoolReading, ...]:
        return storage_pools.read_pools(self._virt, self._host)

    def find_pool(self, name: str) -> PoolReading | None:
        return storage_pools.find_pool_reading(self._virt, self._host, name)

    def define_pool(self, xml: str) -> Change:
        return storage_pools.define_pool(self._virt, self._host, xml)

    def build_pool(self, name: str, *, overwrite: bool = False) -> Change:
        return storage_pools.build_pool(self._virt, self._host, name, overwrite=overwrite)

    def start_pool(self, name: str) -> Change:
        return storage_pools.start_pool(self._virt, self._host, name)

    def stop_pool(self, name: str) -> Change:
        return storage_pools.stop_pool(self._virt, self._host, name)

    def set_pool_autostart(self, name: str, on: bool) -> Change:
        return storage_pools.set_pool_autostart(self._virt, self._host, name, on)

    def refresh_pool(self, name: str) -> Change:
        return storage_pools.refresh_pool(self._virt, self._host, name)

    def undefine_pool(self, name: str) -> Change:
        return storage_pools.undefine_pool(self._virt, self._host, name)

    def delete_pool(self, name: str) -> Change:
        return storage_pools.delete_pool(self._virt, self._host, name)

    def define_secret(self, order: SecretOrder) -> Change:
        return storage_secrets.define_secret(self._virt, self._host, order)

    def read_volumes(self, pool: str) -> tuple[VolumeFacts, ...]:
        return storage_volumes.read_volumes(self._virt, self._host, pool)

    def find_volume(self, pool: str, name: str) -> VolumeFacts | None:
        return storage_volumes.find_volume(self._virt, self._host, pool, name)

    def find_users(self, paths: Iterable[str]) -> tuple[tuple[str, str], ...]:
        uses = storage_users.find_uses(self._virt, self._host, paths)
        return tuple(dict.fromkeys((use.path, use.guest) for use in uses))

    def make_volume(self, pool: str, order: VolumeOrder) -> Change:
        return storage_volumes.make_volume(self._virt, self._host, pool, order)

    def clone_volume(self, pool: str, name: str, new_name: str) -> Change:
        return storage_copies.clone_volume(self._virt, self._host, pool, name, new_name)

    def resize_volume(self, pool: str, name: str, capacity_bytes: int) -> Change:
        return storage_copies.resize_volume(self._virt, self._host, pool, name, capacity_bytes)

    def wipe_volume(self, pool: str, name: str, algorithm: WipeAlgorithm) -> Change:
        return storage_removal.wipe_volume(self._virt, self._host, pool, name, algorithm)

    def delete_volume(self, pool: str, name: str) -> Change:
        return storage_removal.delete_volume(self._virt, self._host, pool, name)

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
        return storage_reading.read_size(self._virt, self._host, pool, name)

    def folder_pool(self, folder: str) -> AbstractContextManager[str]:
        return storage_folders.folder_pool(self._virt, self._host, folder)
