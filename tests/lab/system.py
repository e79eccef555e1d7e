"""Commands, processes and waiting: the few things every part of the lab needs from the machine."""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

Result = TypeVar("Result")
PACKAGES_FILE = Path(__file__).with_name("packages.txt")


class LabError(Exception):
    """Something the lab was asked for cannot be done; the text says what, where and what next."""


def run(
    command: Sequence[str | Path],
    *,
    check: bool = True,
    input: str | None = None,  # noqa: A002 - the word of subprocess.run
    timeout: float = 30,
    env: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end (timeout in seconds); a failure is a LabError with what the command said."""
    words = [str(word) for word in command]
    stdin = {"input": input} if input is not None else {"stdin": subprocess.DEVNULL}
    try:
        done = subprocess.run(
            words,
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            env=env,
            **stdin,
        )
    except subprocess.TimeoutExpired as error:
        raise LabError(f"no end after {timeout} s: {' '.join(words)}") from error
    if check and done.returncode != 0:
        raise failure(words, done)
    return done


def failure(command: Sequence[str | Path], done: subprocess.CompletedProcess[str]) -> LabError:
    """The error that says what a failed command was and what it said."""
    said = (done.stderr.strip() or done.stdout.strip())[-2000:]
    return LabError(f"exit code {done.returncode} from: {' '.join(map(str, command))}\n{said}")


def run_in_background(command: Sequence[str | Path], **options: Any) -> None:
    """Start a command that outlives its caller and is nobody's child here."""
    words = ["setsid", "--fork", *(str(word) for word in command)]
    silent = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(words, check=True, **{**silent, **options})


def wait_until(
    condition: Callable[[], Result | None], what: str, timeout_s: float, interval_s: float = 0.05
) -> Result:
    """Ask until the condition gives something true and return that; LabError after timeout_s seconds."""
    deadline = time.monotonic() + timeout_s
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() >= deadline:
            raise LabError(f"waited {timeout_s:g} s in vain for {what}")
        time.sleep(interval_s)


@dataclass(frozen=True)
class ProcessIdentity:
    """A process by number and start (clock ticks since boot): the number alone may be a stranger's by now."""

    pid: int
    started_ticks: int

    @classmethod
    def of(cls, pid: int) -> ProcessIdentity | None:
        """The process that has this number now, or None; a zombie counts as gone."""
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if fields[0] in "ZX" else cls(pid, int(fields[19]))

    @classmethod
    def read(cls, path: Path) -> ProcessIdentity | None:
        """What `write` left in a file, or None."""
        try:
            pid, started_ticks = path.read_text().split()
        except (FileNotFoundError, ValueError):
            return None
        return cls(int(pid), int(started_ticks))

    def write(self, path: Path) -> None:
        path.write_text(f"{self.pid} {self.started_ticks}\n")

    def is_alive(self) -> bool:
        return ProcessIdentity.of(self.pid) == self

    def kill(self, signal_number: int) -> None:
        """Send a signal to this very process; a process that has gone already is no error."""
        if self.is_alive():
            try:
                os.kill(self.pid, signal_number)
            except ProcessLookupError:
                return


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a lock file. Its holder may delete it: whoever waited for the deleted one takes the lock anew."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        handle = path.open("a")
        fcntl.flock(handle, fcntl.LOCK_EX)
        if path.exists() and path.stat().st_ino == os.fstat(handle.fileno()).st_ino:
            break
        handle.close()
    try:
        yield
    finally:
        handle.close()


def check_machine() -> None:
    """LabError unless this is root on a machine that has every package of packages.txt."""
    if os.geteuid() != 0:
        raise LabError("the lab needs root: it makes network namespaces, bridges and mounts")
    wanted = PACKAGES_FILE.read_text().split()
    asked = run(
        ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n", *wanted], check=False
    ).stdout
    installed = {line.split()[0] for line in asked.splitlines() if line.endswith(" installed")}
    missing = [name for name in wanted if name not in installed]
    if missing:
        raise LabError(
            "packages are missing. Install them, then try again:\n"
            f"  apt-get install --no-install-recommends {' '.join(missing)}"
        )
