"""One command on a host through ssh, with the verified key and limits on time and length of the answer."""

from __future__ import annotations

import io
import os
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from hosts.driver.material import Material

# A host that answers without end must not fill the console's memory.
MAX_ANSWER_BYTES = 64 * 1024
# What ssh itself returns when it could not connect or log in (ssh(1), EXIT STATUS).
SSH_FAILED = 255


@dataclass(frozen=True, slots=True)
class Answer:
    """`text`: standard output and error, mixed and cut. `code` is negative when the time was over. The clock of this
    machine (seconds since 1970) when the script went out, and when the first of the answer to it came."""

    code: int
    text: str
    sent_s: float = 0.0
    answered_s: float = 0.0


def run_on_host(
    material: Material, command: Sequence[str], *, script: str = "", timeout_s: float, wait_for: str = ""
) -> Answer:
    """Run `command` (quoted for the remote shell) with `script` as its standard input, sent when the command has
    written `wait_for`. Never raises for what the host does; OSError when there is no ssh program."""
    process = start_on_host(material, command)
    timer = threading.Timer(timeout_s, end, [process])
    timer.start()
    try:
        return _answer(process, script, wait_for.encode())
    finally:
        timer.cancel()
        end(process)
        process.wait()


def start_on_host(material: Material, command: Sequence[str]) -> subprocess.Popen[bytes]:
    """`command`, quoted for the remote shell, with pipes. Raises OSError when there is no ssh program."""
    address = material.address
    arguments = ["ssh", *material.ssh_arguments, "-T", "-p", str(address.effective_port or 22)]
    arguments += ["-l", address.user] if address.user else []
    # A process group of its own, so that nothing it starts outlives the time limit.
    return subprocess.Popen(
        [*arguments, "--", address.host, " ".join(map(shlex.quote, command))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "LC_ALL": "C"},
        start_new_session=True,
    )


def _answer(process: subprocess.Popen[bytes], script: str, wait_for: bytes) -> Answer:
    with process:
        if process.stdin is None or process.stdout is None:
            raise OSError("The ssh program was started without pipes.")
        # read1 is of the buffered reader that Popen makes; it gives what has come, without waiting for more.
        output: io.BufferedReader = process.stdout  # type: ignore[assignment]
        before = _read_until(output, wait_for)
        sent_s = time.time()
        with suppress(BrokenPipeError):
            process.stdin.write(script.encode())
            process.stdin.close()
        first = output.read1(MAX_ANSWER_BYTES)
        answered_s = time.time()
        rest = output.read(max(0, MAX_ANSWER_BYTES - len(before) - len(first)))
        text = (before + first + rest).decode("utf-8", "replace")
        _end_if_still_talking(process, text)
        return Answer(process.wait(), text, sent_s, answered_s)


def _read_until(output: io.BufferedReader, wanted: bytes) -> bytes:
    """What came up to the wanted text, or until the end of a host that never says it."""
    read = b""
    while wanted not in read and len(read) < MAX_ANSWER_BYTES:
        piece = output.read1(MAX_ANSWER_BYTES)
        if not piece:
            break
        read += piece
    return read


def _end_if_still_talking(process: subprocess.Popen[bytes], text: str) -> None:
    if len(text.encode()) >= MAX_ANSWER_BYTES:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """With everything that it started. What runs on the host ends when it next writes."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
