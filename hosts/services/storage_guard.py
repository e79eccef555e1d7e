"""The guard that libvirt lacks: what must not be done to a pool or a volume, and why, from what was last read.

The worker asks the host itself once more (hosts.services.storage_work); this here answers a person at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from hosts.models import StorageOperation, Volume
from hosts.services import usage
from hosts.services.contents import find_contents
from hosts.services.pool_plan import FOLDER_TYPES
from hosts.services.storage_kinds import OperationKind, StorageRefused
from hosts.services.usage import Use, name_guests
from hosts.storage_ports import Preallocation, WipeAlgorithm

K = OperationKind
LONGEST_NAME: Final = 255  # bytes, of a file on Linux
LONGEST_POOL_NAME: Final = 250  # characters, as it is stored
LONGEST_VOLUME_NAME: Final = 500
LARGEST_BYTES: Final = 2**63 - 1
# What destroys or changes contents under whoever reads them.
_TOUCHES_CONTENTS: Final = frozenset({K.VOLUME_UPLOAD, K.VOLUME_WIPE, K.VOLUME_DELETE})


def refuse_nonsense(operation: StorageOperation) -> None:
    """Raises StorageRefused for what cannot be meant, whatever the host is like."""
    if operation.kind not in list(K):
        raise StorageRefused(f"There is no storage operation {operation.kind[:40]!r}.")
    kind = K(operation.kind)
    if not operation.pool_name:
        raise StorageRefused("No pool is named.", "Choose a pool.")
    if "/" in operation.pool_name or not _is_one_line(operation.pool_name + operation.volume_name):
        raise StorageRefused("No pool or volume has such a name.", "Choose one that is there.")
    if len(operation.pool_name) > LONGEST_POOL_NAME or len(operation.volume_name) > LONGEST_VOLUME_NAME:
        raise StorageRefused("The name is longer than any pool or volume has.", "Choose one that is there.")
    if kind.on_volume != bool(operation.volume_name):
        raise StorageRefused("This is for a volume, and none is named." if kind.on_volume else
                             "This is for a whole pool, not for a volume.")  # fmt: skip
    if kind in (K.VOLUME_CREATE, K.VOLUME_UPLOAD):
        refuse_bad_name(operation.volume_name)
    if kind in _ARGUMENTS:
        _ARGUMENTS[kind](operation.arguments_data)


def _is_one_line(text: str) -> bool:
    """Without line breaks and zero bytes, which libvirt takes in no name and PostgreSQL in no text."""
    return not any(letter in text for letter in "\0\r\n")


def refuse_impossible(operation: StorageOperation) -> None:
    """Raises StorageRefused for what would hurt a guest, or cannot be done on this host."""
    if not operation.host.enabled:
        raise StorageRefused(
            f"{operation.host.name} is disabled. Nothing was changed.", "Enable the host on its page first."
        )
    refuse_hurting(operation)


def refuse_hurting(operation: StorageOperation) -> None:
    """The guests and volumes that depend on it, as last read."""
    kind = K(operation.kind)
    if kind is K.STOP:
        _refuse_stop(operation)
    elif kind is K.UNDEFINE:
        _refuse_undefine(operation)
    elif kind is K.DELETE:
        _refuse_delete(operation)
    elif kind is K.VOLUME_RESIZE:
        _refuse(operation, tuple(use for use in _of_volume(operation) if use.running))
        _refuse_on_top(operation)
    elif kind in _TOUCHES_CONTENTS and not operation.arguments_data.get("create"):
        _refuse(operation, _of_volume(operation))
        _refuse_on_top(operation)


def running_here(operation: StorageOperation) -> tuple[Use, ...]:
    """Only guests of this very host lose the pool when it stops here."""
    uses = usage.users_here(operation.host, operation.pool_name)
    return tuple(use for use in uses if use.running)


def is_confirmed(operation: StorageOperation) -> bool:
    """The person typed the pool's name."""
    return bool(operation.arguments_data.get("confirmed") == operation.pool_name)


def refuse_bad_name(name: str) -> None:
    """A volume's name becomes a file's. Raises StorageRefused."""
    if name in {".", ".."} or "/" in name or not name.isprintable() or name != name.strip():
        raise StorageRefused(
            f"{name[:60]!r} cannot be the name of a volume.",
            "Use a name without slashes, line breaks, and blanks at its ends.",
        )
    if len(name.encode()) > LONGEST_NAME:
        raise StorageRefused(f"The name has more than {LONGEST_NAME} bytes.", "Choose a shorter one.")


def _refuse_stop(operation: StorageOperation) -> None:
    users = running_here(operation)
    if users and not is_confirmed(operation):
        raise StorageRefused(
            f"Running guests use pool {operation.pool_name}: {name_guests(users)}. Stopping it may take their disks "
            "away. Nothing was changed.",
            "Shut them down or move them first; or type the pool's name to stop it all the same.",
        )


def _refuse_undefine(operation: StorageOperation) -> None:
    here = usage.users_here(operation.host, operation.pool_name)
    if here and not is_confirmed(operation):
        raise StorageRefused(
            f"Pool {operation.pool_name} is in use by {name_guests(here)}. Nothing was changed.",
            "Remove or move these guests first; or type the pool's name to remove its definition all the same.",
        )


def _refuse_delete(operation: StorageOperation) -> None:
    _refuse(operation, usage.users_of_pool(operation.host, operation.pool_name))
    _refuse_unread(operation)
    rows = Volume.objects.filter(contents__host=operation.host, contents__pool_name=operation.pool_name)
    names = list(rows.values_list("name", flat=True)[:3])
    if names:
        raise StorageRefused(
            f"Pool {operation.pool_name} still holds volumes: {', '.join(names)}"
            f"{', …' if rows.count() > len(names) else ''}. Nothing was changed.",
            "Delete them first, or only stop the pool and remove its definition.",
        )


def _refuse_unread(operation: StorageOperation) -> None:
    """A folder is only removed when it is empty; a volume group goes with all that is in it."""
    pool = usage.find_pool(operation.host, operation.pool_name)
    contents = find_contents(operation.host, operation.pool_name)
    read = contents is not None and contents.read_at is not None
    if (pool is None or pool.type not in FOLDER_TYPES) and not read:
        raise StorageRefused(
            f"The volumes of pool {operation.pool_name} on {operation.host.name} were never read, and deleting it "
            "deletes them. Nothing was changed.",
            "Start the pool, look at its volumes, stop it, then delete it.",
        )


def _of_volume(operation: StorageOperation) -> tuple[Use, ...]:
    return usage.users_of_volume(operation.host, operation.pool_name, operation.volume_name)


def _refuse(operation: StorageOperation, uses: tuple[Use, ...]) -> None:
    if uses:
        thing = f"Volume {operation.volume_name}" if operation.volume_name else f"Pool {operation.pool_name}"
        raise StorageRefused(
            f"{thing} is in use by {name_guests(uses)}. Nothing was changed.",
            "Remove the disk from these guests, or the guests, first.",
        )


def _refuse_on_top(operation: StorageOperation) -> None:
    names = usage.volumes_on_top(operation.host, operation.pool_name, operation.volume_name)
    if names:
        raise StorageRefused(
            f"Volume {operation.volume_name} is the layer below {', '.join(names[:5])}: they would be lost with it. "
            "Nothing was changed.",
            "Flatten or delete those volumes first.",
        )


def _check_create(arguments: dict[str, Any]) -> None:
    _check_size(arguments.get("capacity_bytes"))
    _check_choice(arguments.get("preallocation") or Preallocation.OFF, Preallocation, "preallocation")
    if arguments.get("backing_path") and not arguments.get("backing_format"):
        raise StorageRefused(
            "The format of the backing file is not said: guessing it from the contents is unsafe.",
            "Say raw or qcow2.",
        )


def _check_clone(arguments: dict[str, Any]) -> None:
    refuse_bad_name(str(arguments.get("new_name") or ""))
    if not arguments.get("new_name"):
        raise StorageRefused("The new volume has no name.", "Give it one.")


def _check_resize(arguments: dict[str, Any]) -> None:
    _check_size(arguments.get("capacity_bytes"))


def _check_wipe(arguments: dict[str, Any]) -> None:
    _check_choice(arguments.get("algorithm") or WipeAlgorithm.ZERO, WipeAlgorithm, "way to wipe")


def _check_upload(arguments: dict[str, Any]) -> None:
    if not arguments.get("spool"):
        raise StorageRefused("There is no uploaded file.", "Choose the file again.")


def _check_size(value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= LARGEST_BYTES:
        raise StorageRefused("The size is not a number of bytes above zero.", "Give a size, such as 8 GiB.")


def _check_choice(value: Any, choices: type[Preallocation] | type[WipeAlgorithm], what: str) -> None:
    if value not in list(choices):
        raise StorageRefused(f"There is no {what} {str(value)[:40]!r}.", f"Choose {', '.join(choices)}.")


_ARGUMENTS: Final[dict[OperationKind, Callable[[dict[str, Any]], None]]] = {
    K.VOLUME_CREATE: _check_create,
    K.VOLUME_CLONE: _check_clone,
    K.VOLUME_RESIZE: _check_resize,
    K.VOLUME_WIPE: _check_wipe,
    K.VOLUME_UPLOAD: _check_upload,
}
