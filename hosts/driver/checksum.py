"""The checksum of a file, taken by its own host over SSH: the contents need not come back through libvirt.

Read only. The file is the one that libvirt tells of, and nobody writes to it meanwhile, only if size and time of the
last change are the expected ones before and after.
"""

from __future__ import annotations

import os
import re
import secrets
import select
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Final

from hosts.driver.asking import NotAsked, probe_login, usable_paths
from hosts.driver.material import prepare
from hosts.driver.ssh import end, start_on_host
from hosts.errors import HostError
from hosts.facts.storage import VolumeFacts
from hosts.ports import ConnectionSpec

LOGIN_S: Final = 8.0
LOOK_EVERY_S: Final = 0.25
SILENT_S: Final = 15.0  # the host tells how far it is every second
_MAX_LINE_BYTES: Final = 8192
_SUM = re.compile(r"[0-9a-f]{64}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,19}", re.ASCII)
# Arguments: mark, path, "SIZE SECONDS.NANOSECONDS". OpenSSL is three times as fast as sha256sum where the processor
# helps. The offset of the file that both processes share says how far it is.
SCRIPT: Final = r"""
LC_ALL=C PATH="$PATH:/usr/bin:/bin"; export LC_ALL PATH
mark=$1 path=$2 expected=$3
say() { printf '%s\t%s\t%s\n' "$mark" "$1" "$2"; }
same() { [ "$(stat -L -c '%s %.9Y' -- "$path" 2>/dev/null)" = "$expected" ]; }
take() {
  sum=$(openssl dgst -sha256 -r 2>/dev/null || sha256sum 2>/dev/null)
  same && say sum "${sum%% *}"
}
tell() {
  while sleep 1 >/dev/null 2>&1; do say at "$(sed -n 's/^pos:[[:space:]]*//p' "/proc/$1/fdinfo/0" 2>/dev/null)"; done
}
same || exit 0
take <"$path" &
job=$!
tell "$job" &
told=$!
wait "$job"
kill "$told"
say end 0
"""


def take_checksum(
    spec: ConnectionSpec, file: VolumeFacts, size_bytes: int, tell: Callable[[int], None]
) -> str:
    """The SHA-256 of the whole file, in hexadecimal. `tell` hears several times a second how many bytes are done; what
    it raises ends the work. Raises NotAsked for whatever else went wrong."""
    paths = usable_paths([file.path])
    if not paths or file.type not in ("", "file") or not file.modified_at:
        raise NotAsked(f"{file.name} is no file that its host can be asked about.")
    mark, expected = secrets.token_hex(8), f"{size_bytes} {_nanoseconds(file.modified_at)}"
    command = ["sh", "-c", SCRIPT, "sh", mark, paths[0], expected]
    try:
        with prepare(probe_login(spec), deadline_s=LOGIN_S) as material:
            process = start_on_host(material, command)
            try:
                return _listen(process, mark, tell)
            finally:
                end(process)
                process.communicate()
    except (HostError, ValueError, OSError) as error:
        raise NotAsked(str(error)) from error


def _nanoseconds(text: str) -> str:
    """As `stat` writes it: libvirt leaves out nanoseconds that are zero."""
    seconds, _, rest = text.partition(".")
    return f"{seconds}.{rest.ljust(9, '0')}"


def _listen(process: subprocess.Popen[bytes], mark: str, tell: Callable[[int], None]) -> str:
    done_bytes = 0
    for line in _lines(process):
        words = line.split("\t")
        if len(words) == 3 and words[0] == mark:
            if words[1] == "sum" and _SUM.fullmatch(words[2]):
                return words[2]
            if words[1] == "at" and _NUMBER.fullmatch(words[2]):
                done_bytes = int(words[2])
        tell(done_bytes)
    raise NotAsked("The host gave no checksum.")


def _lines(process: subprocess.Popen[bytes]) -> Iterator[str]:
    """Whole lines as they come, "" while there are none."""
    if process.stdout is None:
        raise OSError("The ssh program was started without pipes.")
    descriptor, pending, heard = process.stdout.fileno(), b"", time.monotonic()
    while time.monotonic() - heard < SILENT_S:
        if not select.select([descriptor], [], [], LOOK_EVERY_S)[0]:
            yield ""
            continue
        read, heard = os.read(descriptor, _MAX_LINE_BYTES), time.monotonic()
        *lines, pending = (pending + read).split(b"\n")
        yield from (line.decode("utf-8", "replace") for line in lines)
        if not read or len(pending) > _MAX_LINE_BYTES:
            return
