"""What the tests of storage on real hosts share."""

from __future__ import annotations

from collections.abc import Iterable

from hosts.storage_ports import Hole, Piece, StoragePort

IMAGES = "/var/lib/libvirt/images"
MIB = 2**20
POOL = "<pool type='dir'><name>{name}</name><target><path>{path}</path></target></pool>"


def bring_up(storage: StoragePort, name: str, path: str = "") -> None:
    """A pool of files, running; the lab removes what it does not know."""
    storage.define_pool(POOL.format(name=name, path=path or f"{IMAGES}/{name}"))
    storage.build_pool(name)
    storage.start_pool(name)


def flat(pieces: Iterable[Piece]) -> bytes:
    return b"".join(bytes(piece.length) if isinstance(piece, Hole) else piece for piece in pieces)


def contents(storage: StoragePort, pool: str, name: str, *, offset: int = 0, length: int = 0) -> bytes:
    with storage.read_volume(pool, name, offset=offset, length=length) as pieces:
        return flat(pieces)
