"""A whole embedded installation as people run it: the launcher, in a state directory of its own."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

from tests.waiting import wait_until
from vmmigrate.paths import ROOT

START_WITHIN_S = 60
STOP_WITHIN_S = 10


def environment_for(state_dir: Path) -> dict[str, str]:
    """Return this process's environment without settings of the test run's own."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("VM_MIGRATE_")
        and name not in {"DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE"}
    }
    return {**inherited, "VM_MIGRATE_STATE_DIR": str(state_dir)}


def processes_of(state_dir: Path) -> dict[int, str]:
    """Return pid → command line of every living process that was started with this state directory."""
    wanted = f"VM_MIGRATE_STATE_DIR={state_dir}".encode()
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue  # it ended while we looked, or it is somebody else's
    return {pid: command for pid, command in found.items() if command}  # a zombie has no command line


class Installation:
    """`start()`, use `url`, `runtime` and `run_manage`, `stop()`; every wait has a deadline."""

    def __init__(self, state_dir: Path, *arguments: str, **environment: str) -> None:
        self.state_dir = state_dir
        self.arguments = arguments
        self.environment = {**environment_for(state_dir), **environment}
        self.process: subprocess.Popen[bytes] | None = None
        self.output_file = state_dir.with_name(state_dir.name + ".log")

    @property
    def runtime(self) -> dict[str, Any]:
        """Return what the launcher says about itself, {} while it says nothing."""
        try:
            return json.loads((self.state_dir / "runtime.json").read_text())
        except FileNotFoundError:
            return {}

    @property
    def url(self) -> str:
        return self.runtime["url"]

    @property
    def output(self) -> str:
        return self.output_file.read_text(errors="replace")

    @property
    def has_not_ended(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def spawn(self) -> "Installation":
        """Start the launcher without waiting for it."""
        with self.output_file.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "vmmigrate.supervisor", *(self.arguments or ("--port", "0"))],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        return self

    def start(self) -> "Installation":
        self.spawn()

        def is_ready() -> bool:
            assert self.has_not_ended, f"the launcher ended:\n{self.output}"
            # A killed launcher leaves its file behind: only our own process's word counts.
            return bool(self.runtime.get("ready") and self.runtime["pid"] == self.process.pid)

        try:
            wait_until(is_ready, START_WITHIN_S, "installation ready")
        except AssertionError as error:
            self.stop(signal.SIGKILL)
            raise AssertionError(f"{error}\n{self.output}") from None
        return self

    def send(self, number: signal.Signals) -> None:
        assert self.process
        self.process.send_signal(number)

    def wait(self, within_s: float = STOP_WITHIN_S) -> int:
        assert self.process
        return self.process.wait(within_s)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Stop it and return its exit code; nothing of it is left afterwards."""
        assert self.process
        if self.process.poll() is None:
            self.send(number)
        code = self.wait()
        wait_until(lambda: not processes_of(self.state_dir), 5, f"no process of {self.state_dir} left")
        return code

    def run_manage(self, *arguments: str) -> str:
        """Run a management command in this installation and return what it prints."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def health(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as answer:  # noqa: S310 (our own)
            return json.load(answer)
