"""What can be ordered of a pool or a volume, in words, and how an order is refused."""

from __future__ import annotations

import enum
from typing import Final

from hosts.models import StorageOperation


class OperationKind(enum.StrEnum):
    APPLY = "apply"
    START = "start"
    STOP = "stop"
    AUTOSTART_ON = "autostart-on"
    AUTOSTART_OFF = "autostart-off"
    REFRESH = "refresh"
    UNDEFINE = "undefine"
    DELETE = "delete-pool"
    VOLUME_CREATE = "create-volume"
    VOLUME_CLONE = "clone-volume"
    VOLUME_RESIZE = "resize-volume"
    VOLUME_UPLOAD = "upload-volume"
    VOLUME_DOWNLOAD = "download-volume"
    VOLUME_WIPE = "wipe-volume"
    VOLUME_DELETE = "delete-volume"

    @property
    def on_volume(self) -> bool:
        return self.value.endswith("-volume")


LABELS: Final[dict[OperationKind, str]] = {
    OperationKind.APPLY: "Bring pool {pool} in line with its template",
    OperationKind.START: "Start pool {pool}",
    OperationKind.STOP: "Stop pool {pool}",
    OperationKind.AUTOSTART_ON: "Start pool {pool} with its host",
    OperationKind.AUTOSTART_OFF: "No longer start pool {pool} with its host",
    OperationKind.REFRESH: "Refresh pool {pool}",
    OperationKind.UNDEFINE: "Remove the definition of pool {pool}",
    OperationKind.DELETE: "Delete pool {pool} and what it lies on",
    OperationKind.VOLUME_CREATE: "Create volume {volume} in pool {pool}",
    OperationKind.VOLUME_CLONE: "Clone volume {volume} in pool {pool}",
    OperationKind.VOLUME_RESIZE: "Resize volume {volume} in pool {pool}",
    OperationKind.VOLUME_UPLOAD: "Upload into volume {volume} in pool {pool}",
    OperationKind.VOLUME_DOWNLOAD: "Download volume {volume} from pool {pool}",
    OperationKind.VOLUME_WIPE: "Wipe volume {volume} in pool {pool}",
    OperationKind.VOLUME_DELETE: "Delete volume {volume} from pool {pool}",
}
CANCELLABLE: Final = frozenset(
    {OperationKind.APPLY, OperationKind.VOLUME_UPLOAD, OperationKind.VOLUME_DOWNLOAD}
)
# What lasts as long as its volume is large.
LONG: Final = frozenset(
    {
        OperationKind.VOLUME_CLONE,
        OperationKind.VOLUME_UPLOAD,
        OperationKind.VOLUME_DOWNLOAD,
        OperationKind.VOLUME_WIPE,
    }
)


class StorageRefused(Exception):
    """Nothing was changed. `under_way`: the order that is in the way."""

    def __init__(self, message: str, advice: str = "", under_way: StorageOperation | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice
        self.under_way = under_way


def label(operation: StorageOperation) -> str:
    """What is done, as people read it."""
    if operation.kind not in list(OperationKind):
        return "A storage operation that does not exist"
    words = LABELS[OperationKind(operation.kind)]
    return words.format(pool=operation.pool_name, volume=operation.volume_name)


def object_name(operation: StorageOperation) -> str:
    thing = f"volume {operation.volume_name} in pool" if operation.volume_name else "pool"
    return f"{thing} {operation.pool_name} on {operation.host.name}"
