"""Files on their way between a browser and a worker: an upload waits here for its volume, a download for its person.

One file and one description for each, named by a token nobody can guess. Web and workers must see the same folder.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.utils import timezone

from hosts.errors import Refused
from hosts.models import StorageOperation

_TOKEN = re.compile(r"[A-Za-z0-9_-]{32}")  # what token_urlsafe(24) makes; nothing else ever becomes a path
_RESERVE_BYTES = 256 * 1024**2  # left free for everything else that lives on the same disk
_GIB = 1024**3


class SpoolRefused(Refused):
    """The file was not taken or not given. `stored_bytes`: where to go on, where the offset was wrong."""

    def __init__(self, message: str, *, remedy: str = "", stored_bytes: int | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.stored_bytes = stored_bytes


@dataclass(frozen=True, slots=True)
class SpoolFile:
    """One file as it stands. `size_bytes` was announced, `stored_bytes` are here."""

    token: str
    owner_id: int
    name: str
    size_bytes: int
    identity: str
    stored_bytes: int

    @property
    def complete(self) -> bool:
        return self.stored_bytes == self.size_bytes


def create(owner_id: int, name: str, size: int, *, identity: str = "") -> str:
    """Make room for a file of that size; its token. `identity` is what find_begun looks for. Raises SpoolRefused."""
    _refuse_too_large(name, size)
    token = secrets.token_urlsafe(24)
    words = {"owner_id": owner_id, "name": name, "size_bytes": size, "identity": identity}
    _write_private(_folder() / token, b"")
    _write_private(_folder() / f"{token}.json", json.dumps(words).encode())
    return token


def append(token: str, owner_id: int, offset: int, chunks: Iterable[bytes]) -> int:
    """Add bytes at the end; how many are stored then. What came before an interruption stays, so the next call goes on
    at `size(token)`. Raises SpoolRefused for a wrong offset, another owner, or more than was announced."""
    entry = get(token, owner_id)
    with path(token).open("r+b") as file:
        _lock(file, entry)
        if file.seek(0, os.SEEK_END) != offset:
            raise SpoolRefused(
                f"{entry.name}: the next byte expected is {file.tell()}, not {offset}.",
                stored_bytes=file.tell(),
            )
        return _write_within(file, entry, offset, chunks)


def find(token: str) -> SpoolFile | None:
    """The file of a token; None where there is none, or the token is no token."""
    if not _TOKEN.fullmatch(token):
        return None
    with suppress(FileNotFoundError):
        words: dict[str, Any] = json.loads((_folder() / f"{token}.json").read_text())
        return SpoolFile(token=token, stored_bytes=(_folder() / token).stat().st_size, **words)
    return None


def get(token: str, owner_id: int) -> SpoolFile:
    """The file of a token, for its owner. Raises SpoolRefused, with the same words whether it is gone or another's."""
    entry = find(token)
    if entry is None or entry.owner_id != owner_id:
        raise SpoolRefused(
            "This file is no longer waiting on the server.",
            remedy="Files that nobody asked for are removed after a day. Start anew.",
        )
    return entry


def find_begun(owner_id: int, identity: str) -> SpoolFile | None:
    """An upload this owner began with the same identity, sent in part or whole, that no operation has taken yet."""
    mine = [entry for entry in _entries() if (entry.owner_id, entry.identity) == (owner_id, identity)]
    taken = _needed_tokens() if mine else set()
    return next((entry for entry in mine if entry.token not in taken), None)


def path(token: str) -> Path:
    """Where the file lies. Raises SpoolRefused for what is no token."""
    if not _TOKEN.fullmatch(token):
        raise SpoolRefused("This is no token of a waiting file.")
    return _folder() / token


def size(token: str) -> int:
    """How many bytes are stored so far. Raises SpoolRefused when the file is gone."""
    entry = find(token)
    if entry is None:
        raise SpoolRefused("The file is no longer waiting on the server.", remedy="Start anew.")
    return entry.stored_bytes


def open_reader(token: str) -> BinaryIO:
    """The contents from the start. Raises SpoolRefused when the file is gone."""
    return _open(token, "rb")


def open_writer(token: str) -> BinaryIO:
    """For a worker that fills it; it may seek over holes and must truncate to the full size at the end."""
    return _open(token, "r+b")


def remove(token: str) -> None:
    """Gone afterwards, whether it was there or not."""
    for file in (path(token), path(token).with_name(f"{token}.json")):
        file.unlink(missing_ok=True)


def sweep(older_than: timedelta) -> int:
    """Remove what nobody touched for so long and no operation under way needs; how many files went."""
    limit = timezone.now().timestamp() - older_than.total_seconds()
    kept = _needed_tokens()
    old = [file for file in _files() if file.name.split(".")[0] not in kept and _touched_at(file) < limit]
    for file in old:
        file.unlink(missing_ok=True)
    return sum(1 for file in old if file.suffix != ".json")


def largest_bytes() -> int:
    """The largest file that would be taken now: what the disk has left, and never more than the setting."""
    promised = sum(entry.size_bytes - entry.stored_bytes for entry in _entries())
    free = max(0, shutil.disk_usage(_folder()).free - promised - _RESERVE_BYTES)
    return min(free, settings.SPOOL_LIMIT_GIB * _GIB) if settings.SPOOL_LIMIT_GIB else free


def _refuse_too_large(name: str, wanted: int) -> None:
    limit = settings.SPOOL_LIMIT_GIB * _GIB
    if limit and wanted > limit:
        raise SpoolRefused(
            f"{name} has {wanted} bytes; more than {settings.SPOOL_LIMIT_GIB} GiB are not taken here.",
            remedy="The limit is VM_MIGRATE_SPOOL_LIMIT_GIB. Larger volumes: virsh vol-upload and vol-download.",
        )
    free = largest_bytes()
    if wanted > free:
        raise SpoolRefused(
            f"{name} has {wanted} bytes; the server has room for {free} more in its spool folder.",
            remedy="Make room there, or let VM_MIGRATE_SPOOL_DIR name a larger disk.",
        )


def _write_within(file: BinaryIO, entry: SpoolFile, offset: int, chunks: Iterable[bytes]) -> int:
    for chunk in chunks:
        if file.tell() + len(chunk) > entry.size_bytes:
            file.truncate(offset)
            raise SpoolRefused(
                f"{entry.name}: more bytes than the {entry.size_bytes} that were announced.",
                stored_bytes=offset,
            )
        file.write(chunk)
    file.flush()
    return file.tell()


def _lock(file: BinaryIO, entry: SpoolFile) -> None:
    """Two windows must not write one file at once. The lock goes with the file's closing."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise SpoolRefused(
            f"{entry.name} is being sent by another window at this moment.", stored_bytes=entry.stored_bytes
        ) from error


def _open(token: str, mode: str) -> BinaryIO:
    try:
        os.utime(path(token))  # being used keeps it from the sweep
        return path(token).open(mode)  # type: ignore[return-value]
    except FileNotFoundError as error:
        raise SpoolRefused("The file is no longer waiting on the server.", remedy="Start anew.") from error


def _folder() -> Path:
    folder: Path = settings.SPOOL_DIR
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_mode & 0o077:
        folder.chmod(0o700)  # disks of guests are nobody else's business
    return folder


def _write_private(file: Path, contents: bytes) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(contents)


def _files() -> list[Path]:
    return [file for file in _folder().iterdir() if _TOKEN.fullmatch(file.name.removesuffix(".json"))]


def _entries() -> Iterator[SpoolFile]:
    for file in _files():
        if file.suffix != ".json" and (entry := find(file.name)) is not None:
            yield entry


def _touched_at(file: Path) -> float:
    """Of the contents, for the description too: the two go together."""
    for candidate in (file.with_name(file.name.removesuffix(".json")), file):
        with suppress(FileNotFoundError):
            return candidate.stat().st_mtime
    return 0.0


def _needed_tokens() -> set[str]:
    arguments = StorageOperation.objects.filter(ended_at=None).values_list("arguments_data", flat=True)
    return {str(data["spool"]) for data in arguments if isinstance(data, dict) and data.get("spool")}
