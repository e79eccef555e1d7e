"""A private Redis for an embedded installation: one child process on a socket only its owner can open.

No Django here: the launcher starts this before anything else exists.
"""

import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from vmmigrate.paths import make_private_dir, redis_socket

# Celery 5.7 needs it (BLMOVE and others).
OLDEST_MAJOR_MINOR = (6, 2)
LOG_NAME = "redis.log"


class RedisMissingError(Exception):
    """No usable Redis server program was found; the message says what to install."""


@dataclass(frozen=True)
class RedisProgram:
    """What to execute, and the name to execute it under: the program looks at its name to choose its role."""

    executable: str
    name: str
    version: tuple[int, ...]


def _read_version(executable: str, name: str) -> tuple[int, ...] | None:
    """Return the server version, e.g. (7, 0, 15), or None if this is no Redis or Valkey server."""
    try:
        answer = subprocess.run(
            [name, "--version"],
            executable=executable,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except OSError:
        return None
    if " server " not in answer.stdout:
        return None
    numbers = answer.stdout.partition(" v=")[2].split(maxsplit=1)[0]
    return tuple(int(part) for part in numbers.split(".") if part.isdigit())


def find_redis_program() -> RedisProgram:
    """Return the server to run; raise RedisMissingError if there is none that is new enough.

    Debian's redis-tools ships the whole server inside redis-check-rdb, and unlike the package redis-server it
    starts no service of its own.
    """
    for file_name, name in (
        ("redis-server", "redis-server"),
        ("valkey-server", "valkey-server"),
        ("redis-check-rdb", "redis-server"),
    ):
        executable = shutil.which(file_name)
        version = _read_version(executable, name) if executable else None
        if executable and version and version >= OLDEST_MAJOR_MINOR:
            return RedisProgram(executable, name, version)
    raise RedisMissingError(
        "No Redis server found. Install one (on Debian: apt-get install redis-tools; version 6.2 or newer), "
        "or name a running one in REDIS_URL."
    )


@dataclass(frozen=True)
class PrivateRedis:
    """How to run the private Redis of one state directory."""

    program: RedisProgram
    directory: Path
    socket: Path

    @classmethod
    def of(cls, state_dir: Path) -> "PrivateRedis":
        """Find the program and make the directories; raise RedisMissingError or PermissionError."""
        path = redis_socket(state_dir)
        make_private_dir(path.parent)
        return cls(find_redis_program(), make_private_dir(state_dir / "redis"), path)

    def arguments(self) -> list[str]:
        """Return the command line; run it with `executable=program.executable`."""
        # Names relative to the directory: Redis splits an option at blanks that a path may contain.
        shown = self.socket.name if self.socket.parent == self.directory else str(self.socket)
        options = {
            "port": "0",
            "unixsocket": shown,
            "unixsocketperm": "700",
            "dir": ".",
            "logfile": LOG_NAME,
            "loglevel": "warning",
            "save": "",
            "appendonly": "yes",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        return [
            self.program.name,
            *(part for name, value in options.items() for part in (f"--{name}", value)),
        ]

    def answers(self) -> bool:
        """Return whether the server takes commands now."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(1)
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False

    def last_log_lines(self, count: int = 5) -> str:
        """Return the end of the server's own log, for the message about its death."""
        log = self.directory / LOG_NAME
        return "\n".join(log.read_text(errors="replace").splitlines()[-count:]) if log.exists() else ""
