"""What a person would type to the same end, ready to copy. Nothing of it is run here."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from hosts.services.storage_kinds import OperationKind

_POOL_LINES = {
    OperationKind.START: ("pool-start {pool}",),
    OperationKind.STOP: ("pool-destroy {pool}",),
    OperationKind.AUTOSTART_ON: ("pool-autostart {pool}",),
    OperationKind.AUTOSTART_OFF: ("pool-autostart {pool} --disable",),
    OperationKind.REFRESH: ("pool-refresh {pool}",),
    OperationKind.UNDEFINE: ("pool-destroy {pool}", "pool-undefine {pool}"),
    # A pool is deleted while it is stopped, and keeps its definition.
    OperationKind.DELETE: ("pool-destroy {pool}", "pool-delete {pool}", "pool-undefine {pool}"),
}
_VOLUME_LINES = {
    OperationKind.VOLUME_CLONE: "vol-clone {volume} {new_name} --pool {pool}",
    OperationKind.VOLUME_RESIZE: "vol-resize {volume} {size} --pool {pool}",
    OperationKind.VOLUME_DOWNLOAD: "vol-download {volume} {file} --pool {pool} --sparse",
    OperationKind.VOLUME_WIPE: "vol-wipe {volume} --pool {pool} --algorithm {algorithm}",
    OperationKind.VOLUME_DELETE: "vol-delete {volume} --pool {pool}",
}
_UNITS = ((1024**4, "TiB"), (1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB"))


def virsh_lines(
    kind: OperationKind, pool: str, volume: str = "", arguments: Mapping[str, Any] | None = None
) -> tuple[str, ...]:
    """One or more lines; names are quoted for the shell, what is not chosen yet stands in capitals."""
    values = dict(arguments or {})
    if kind in _POOL_LINES:
        return tuple(f"virsh {line.format(pool=_first(pool, 'pool'))}" for line in _POOL_LINES[kind])
    if kind == OperationKind.VOLUME_CREATE:
        return (_create_line(pool, volume, values),)
    if kind == OperationKind.VOLUME_UPLOAD:
        return _upload_lines(pool, volume, values)
    words = {name: shlex.quote(str(value)) for name, value in ({"file": volume} | values).items() if value}
    words |= {"pool": shlex.quote(pool), "volume": _first(volume, "vol")}
    if values.get("capacity_bytes"):
        words["size"] = size_word(int(values["capacity_bytes"]))
    return (f"virsh {_VOLUME_LINES[kind].format_map(_Missing(words))}",)


def size_word(count: int) -> str:
    """Bytes as virsh reads them, in the largest unit that holds them exactly: 8GiB."""
    for size, unit in _UNITS:
        if count and count % size == 0:
            return f"{count // size}{unit}"
    return f"{count}B"


def _create_line(pool: str, volume: str, values: Mapping[str, Any]) -> str:
    capacity = int(values.get("capacity_bytes") or 0)
    name = _first(volume, "name") if volume else "NAME"
    parts = ["virsh vol-create-as", _first(pool, "pool"), name, size_word(capacity) if capacity else "SIZE"]
    if values.get("format"):
        parts += ["--format", shlex.quote(str(values["format"]))]
    if values.get("preallocation") == "metadata":
        parts.append("--prealloc-metadata")
    elif values.get("preallocation") == "off":
        parts.append("--allocation 0")
    if values.get("backing_path"):
        parts += ["--backing-vol", shlex.quote(str(values["backing_path"]))]
        parts += ["--backing-vol-format", shlex.quote(str(values.get("backing_format") or "raw"))]
    return " ".join(parts)


def _upload_lines(pool: str, volume: str, values: Mapping[str, Any]) -> tuple[str, ...]:
    file = shlex.quote(str(values.get("file") or "FILE"))
    name = _first(volume, "vol") if volume else "NAME"
    upload = f"virsh vol-upload {name} {file} --pool {shlex.quote(pool)} --sparse"
    if not values.get("create"):
        return (upload,)
    return (_create_line(pool, volume, {**values, "preallocation": "off"}), upload)


def _first(name: str, option: str) -> str:
    """A name as one word; after its option where it begins with a dash and would be taken for one itself."""
    return f"--{option} {shlex.quote(name)}" if name.startswith("-") else shlex.quote(name)


class _Missing(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return key.upper()
