"""Child processes that cannot outlive their parent, each the leader of a process group of its own."""

import ctypes
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1  # linux/prctl.h
_libc = ctypes.CDLL(None, use_errno=True)


def signal_when_parent_ends(parent_pid: int, number: signal.Signals) -> None:
    """Ask the kernel to send this process a signal when its parent ends, however it ends.

    The kernel means the parent's *thread*: call `Child.start` from the main thread only.
    """
    _libc.prctl(PR_SET_PDEATHSIG, number)
    if os.getppid() != parent_pid:  # it ended before we asked
        os._exit(1)


class Child:
    """One process of the installation, under the name people see in the log."""

    def __init__(self, role: str, arguments: Sequence[str], stop_signal: signal.Signals, **how: str) -> None:
        self.role = role
        self.arguments = list(arguments)
        self.stop_signal = stop_signal
        self.executable = how.get("executable")
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        if self.process is None:
            raise RuntimeError(f"{self.role} was not started")
        return self.process.pid

    def start(
        self,
        environment: Mapping[str, str],
        directory: Path,
        on_line: Callable[[str, str], None],
        on_end: Callable[[], None],
        pass_fds: Sequence[int] = (),
    ) -> None:
        """Start the process; `on_line(role, line)` gets its output, `on_end()` is called when that ends."""
        parent_pid = os.getpid()
        self.process = subprocess.Popen(
            self.arguments,
            executable=self.executable,
            env=dict(environment),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=pass_fds,
            start_new_session=True,
            preexec_fn=lambda: signal_when_parent_ends(parent_pid, signal.SIGKILL),  # noqa: PLW1509 (started before any thread forks)
        )
        threading.Thread(target=self._pump, args=(on_line, on_end), daemon=True).start()

    def _pump(self, on_line: Callable[[str, str], None], on_end: Callable[[], None]) -> None:
        output = self.process.stdout if self.process else None
        for line in output or ():
            on_line(self.role, line.decode(errors="replace").rstrip("\n"))
        on_end()

    def has_ended(self) -> bool:
        """Return whether the process has ended, without reaping it: its group id stays ours until `reap`."""
        if self.process is None or self.process.returncode is not None:
            return True
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.pid, flags) is not None

    def ask_to_stop(self) -> None:
        if not self.has_ended():
            os.kill(self.pid, self.stop_signal)

    def reap(self) -> int:
        """Kill what is left of the process group and return the exit code (negative: the signal)."""
        if self.process is None:
            return 0
        if self.process.returncode is None:
            # Not reaped yet, so the kernel cannot have given this group id to anybody else.
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        return self.process.wait()


def describe_exit(code: int) -> str:
    """Return "exit code 3" or "killed by SIGKILL"."""
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
