"""A Docker engine of our own: its data in one folder, its bridges and firewall in a network namespace of its own.

Docker sets the machine's FORWARD chain to DROP and turns forwarding on. Here that happens where nobody else lives.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from tests.lab.system import LabError

PROGRAMS = ("dockerd", "docker", "debootstrap", "openssl")
READY_WITHIN_S = 60
STOP_WITHIN_S = 60


def require_programs() -> None:
    """Raises LabError with what to install."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if os.geteuid() != 0:
        raise LabError("the proof wants root")
    if missing:
        raise LabError(
            f"missing: {', '.join(missing)}. apt-get install docker.io docker-compose debootstrap openssl"
        )


class Engine:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "engine.sock"
        self.environment = {
            **os.environ,
            "DOCKER_HOST": f"unix://{self.socket}",
            "DOCKER_CONFIG": str(folder / "config"),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *, own_network: bool) -> None:
        """Start it for building, in the machine's network and without touching that, or for running, in its own."""
        options = ["--data-root", "data", "--exec-root", "exec", "--pidfile", "engine.pid"]
        arguments = [
            f"--{name[2:]}={self.folder / value}" for name, value in zip(*[iter(options)] * 2, strict=True)
        ]
        command = ["dockerd", f"--host=unix://{self.socket}", *arguments]
        if own_network:
            command = ["unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "sh", *command]
        else:
            command += ["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"]
        with (self.folder / "engine.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + READY_WITHIN_S
        while subprocess.run(
            ["docker", "version"], env=self.environment, capture_output=True, check=False
        ).returncode:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise LabError(f"the engine does not start, see {self.folder / 'engine.log'}")
            time.sleep(0.3)

    @property
    def pid(self) -> int:
        if self.process is None:
            raise LabError("the engine does not run")
        return self.process.pid

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process = None
        # It leaves its network namespace mounted, which would keep that and its end of the lab's cable.
        for path in (self.folder / "exec" / "netns").glob("*"):
            self.run(["umount", str(path)], check=False)

    def docker(self, *arguments: str, check: bool = True) -> str:
        return self.run(["docker", *arguments], check=check)

    def run(self, command: Sequence[str], *, check: bool = True, timeout_s: float = 900, **more: str) -> str:
        """What it printed. Raises LabError with the end of what it said when it fails."""
        done = subprocess.run(
            list(command),
            env={**self.environment, **more},
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )
        if check and done.returncode:
            said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
            raise LabError(f"exit code {done.returncode} from: {' '.join(command)}\n{said}")
        return done.stdout

    def join(self, node_pid: int, bridge: str, address: str) -> None:
        """Hang the engine's network on a lab's bridge, as a machine with this address."""
        inside = ["nsenter", "--target", str(self.pid), "--net"]
        lab = ["nsenter", "--target", str(node_pid), "--net"]
        for command in (
            [
                *lab,
                "ip",
                "link",
                "add",
                "engine",
                "type",
                "veth",
                "peer",
                "name",
                "lab",
                "netns",
                str(self.pid),
            ],
            [*lab, "ip", "link", "set", "engine", "master", bridge, "up"],
            [*inside, "ip", "address", "add", f"{address}/24", "dev", "lab"],
            [*inside, "ip", "link", "set", "lab", "up"],
        ):
            self.run(command)
