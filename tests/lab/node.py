"""A node: network, mount, UTS and PID namespaces of its own, with its own /etc, /run, /root, /var/log …

Nodes are the lab's hosts and its storage server. Their network namespaces have no name: they exist as long as
process 1 of the node does, so nothing can be left behind when that process ends.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from .system import LabError, ProcessIdentity, failure, run, run_in_background, wait_until

INIT = Path(__file__).with_name("node_init.sh")
INSIDE_ENVIRONMENT = {
    "HOME": "/root",
    "USER": "root",
    "LOGNAME": "root",
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
}
KILLED = 128 + signal.SIGKILL  # how `timeout` and shells tell it
# A copy of the machine's /etc must not carry its secrets into the lab's folder.
SECRET_FILES = ("shadow*", "gshadow*", "ssh_host_*", "private", "krb5.keytab", ".git")


class Node:
    """Namespaces with files of their own below `files`."""

    def __init__(self, name: str, files: Path, bound_paths: Sequence[str]) -> None:
        self.name = name
        self.files = files
        self.bound_paths = tuple(bound_paths)

    @property
    def _identity_file(self) -> Path:
        return self.files.with_name(self.files.name + ".process")

    @property
    def init(self) -> ProcessIdentity | None:
        """Process 1 as the root namespace numbers it, or None when the node is down."""
        identity = ProcessIdentity.read(self._identity_file)
        return identity if identity and identity.is_alive() else None

    @property
    def init_pid(self) -> int:
        init = self.init
        if init is None:
            raise LabError(f"{self.name} is down: its first process has ended")
        return init.pid

    def prepare_files(self, identity_text: str) -> None:
        """Make the node's folders; /etc is a copy of the machine's with its own /etc/hosts and passwords."""
        for path in self.bound_paths:
            if path != "/etc":
                (self.files / path[1:]).mkdir(parents=True, exist_ok=True)
        (self.files / "root").chmod(0o700)
        etc = self.files / "etc"
        ignored = shutil.ignore_patterns(*SECRET_FILES)
        shutil.copytree(
            "/etc", etc, symlinks=True, ignore=ignored, ignore_dangling_symlinks=True, dirs_exist_ok=True
        )
        (etc / "shadow").write_text("root:*:19000:0:99999:7:::\n")
        (etc / "shadow").chmod(0o600)
        (etc / "hostname").write_text(self.name + "\n")
        (etc / "hosts").write_text(identity_text)

    def start(self) -> None:
        """Start process 1 in new namespaces; returns when the node's files are mounted."""
        pid_file = self.files.with_name(self.files.name + ".pid")
        pid_file.unlink(missing_ok=True)
        unshare = ["unshare", "--mount", "--uts", "--net", "--pid", "--fork", "--kill-child", "sh", str(INIT)]
        log = (self.files / "var/log/node.log").open("w")
        with log:
            words = [*unshare, str(self.files), self.name, *self.bound_paths]
            run_in_background(words, stdout=log, stderr=log, env=INSIDE_ENVIRONMENT)
        wait_until(pid_file.exists, f"namespaces of {self.name}, see {log.name}", 10, 0.01)
        identity = ProcessIdentity.of(int(pid_file.read_text()))
        if identity is None:
            raise LabError(f"{self.name} ended at once, see {log.name}")
        identity.write(self._identity_file)
        pid_file.unlink()

    def stop(self) -> None:
        """End process 1; the kernel then ends every process of the node and removes its mounts and links."""
        init = self.init
        if init:
            init.kill(signal.SIGKILL)
            wait_until(lambda: not init.is_alive(), f"the end of {self.name}", 20, 0.02)
        self._identity_file.unlink(missing_ok=True)

    def run(
        self,
        command: Sequence[str | Path],
        *,
        check: bool = True,
        input: str | None = None,  # noqa: A002 - the word of subprocess.run
        timeout: float = 30,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside the node (timeout in seconds)."""
        enter = ["nsenter", "--target", str(self.init_pid), "--mount", "--uts", "--net", "--pid", "--wd=/"]
        # Ended from inside, too: ending nsenter alone would leave the command behind in the node.
        limit = ["timeout", "--signal=KILL", str(timeout)]
        words = [*enter, *limit, *command]
        done = run(words, check=False, input=input, timeout=timeout + 5, env=INSIDE_ENVIRONMENT)
        if done.returncode == KILLED:
            raise LabError(f"no end after {timeout} s on {self.name}: {' '.join(map(str, command))}")
        if check and done.returncode != 0:
            raise failure(words, done)
        return done

    def path(self, inside: str | Path) -> Path:
        """Where the root namespace finds a file of the node."""
        inside = Path(inside)
        for bound in self.bound_paths:
            if inside.is_relative_to(bound) and not inside.is_relative_to("/var/lib/libvirt/images/VM"):
                return self.files / inside.relative_to("/")
        return Path(f"/proc/{self.init_pid}/root") / inside.relative_to("/")  # a mount only the node sees
