"""The launcher of an embedded installation: one foreground process that runs all the others.

    python -m vmmigrate.supervisor [--port 8000] [--state-dir DIR]

It restarts nothing: a child that ends is named with its exit code and everything stops with exit code 1.
Ctrl-C, SIGTERM and SIGHUP take everything down within STOP_WITHIN_S. If it is killed itself, the kernel kills
its children. `runtime.json` in the state directory tells tools where it listens.
"""

import argparse
import fcntl
import http.client
import json
import os
import re
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from vmmigrate.children import Child, describe_exit, signal_when_parent_ends
from vmmigrate.embedded_redis import PrivateRedis, RedisMissingError
from vmmigrate.paths import ROOT, default_state_dir, make_private_dir

DEFAULT_PORT = 8000
MIGRATION_SLOTS = 4
CONTROL_SLOTS = 2
# Two of them for copies that last, see hosts.services.storage_work.
STORAGE_SLOTS = 3
# Ten seconds in all: the workers' soft shutdown takes 3 of the first 7, Redis gets 2, one is spare.
STOP_WITHIN_S = 10.0
CHILDREN_STOP_WITHIN_S = 7.0
REDIS_STOP_WITHIN_S = 2.0
READY_WITHIN_S = 60.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Celery's advice to a person at its own terminal, which nobody has here.
NOISE = re.compile(r"\s*$|worker: Hitting Ctrl\+C again")
OUR_LOG_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ")


class StartError(Exception):
    """The installation cannot start; the message says why and what to do."""


class Log:
    """Writes one line per event; lines of children that already have our format pass through unchanged."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def say(self, message: str, level: str = "INFO") -> None:
        self.child_line("launcher", message, level)

    def child_line(self, role: str, line: str, level: str = "INFO") -> None:
        if NOISE.match(line):
            return
        if not OUR_LOG_LINE.match(line):
            now = datetime.now(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
            line = f"{now}Z {level:<7} {role:<9} {line}"
        # The terminal may be gone: the next signal is to end us, a log line is not.
        with self._lock, suppress(OSError):
            print(line, file=self._stream, flush=True)


def take_lock(state_dir: Path) -> int:
    """Return the open lock file, freed at exit; raise StartError if another launcher holds it."""
    descriptor = os.open(state_dir / "supervisor.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise StartError(
            f"VM Migrate already runs on {state_dir} (process {holder}). Stop it first."
        ) from None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor


def listen(address: str, port: int | None) -> tuple[socket.socket, bool]:
    """Return a listening socket and whether the default port was taken; a port asked for must be free."""
    wanted = DEFAULT_PORT if port is None else port
    for attempt, candidate in enumerate([wanted, 0] if port is None else [wanted]):
        listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address, candidate))
            listener.listen(128)
        except OSError as error:
            listener.close()
            reason = error.strerror
            continue
        return listener, attempt > 0
    raise StartError(f"Cannot listen on {address} port {wanted}: {reason}. Choose another one with --port.")


class Supervisor:
    """Runs one installation until it is told to stop or a child ends."""

    def __init__(
        self,
        state_dir: Path,
        port: int | None = None,
        address: str = "127.0.0.1",
        without: frozenset[str] = frozenset(),
        stream: TextIO = sys.stdout,
    ) -> None:
        self.state_dir = state_dir
        self.port = port
        self.address = address
        self.without = without
        self.log = Log(stream)
        self.children: list[Child] = []
        self.redis: PrivateRedis | None = None
        self.signals: list[signal.Signals] = []
        self.started_at = time.monotonic()
        self._wake = threading.Event()
        self._listener: socket.socket | None = None

    @property
    def runtime_file(self) -> Path:
        return self.state_dir / "runtime.json"

    @property
    def url(self) -> str:
        address, port = self._listener.getsockname()[:2] if self._listener else (self.address, self.port)
        return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"

    def run(self) -> int:
        """Start everything, wait, stop everything; return the exit code (0 stopped by signal, 1 failed)."""
        for number in STOP_SIGNALS:
            signal.signal(number, self._note_signal)
        make_private_dir(self.state_dir)
        lock = take_lock(self.state_dir)
        self.runtime_file.unlink(missing_ok=True)
        try:
            return self._run_locked()
        finally:
            self.runtime_file.unlink(missing_ok=True)
            os.close(lock)

    def _run_locked(self) -> int:
        try:
            self._start_redis()
            self._listen()
            if self._run_to_end(self._management("schema", "migrate", "--noinput", "-v", "0")):
                self._start_services()
                self._wait_until_ready()
                self._wait_for_end()
        except StartError as error:
            self.log.say(str(error), "ERROR")
            return self._stop(1)
        return self._stop(0 if self.signals else 1)

    # Starting ---------------------------------------------------------------------------------------------

    def _start_redis(self) -> None:
        if os.environ.get("REDIS_URL") or os.environ.get("REDIS_URL_FILE"):
            return
        try:
            self.redis = PrivateRedis.of(self.state_dir)
        except (RedisMissingError, PermissionError) as error:
            raise StartError(str(error)) from error
        program = self.redis.program
        child = Child("redis", self.redis.arguments(), signal.SIGTERM, executable=program.executable)
        self._start(child, directory=self.redis.directory)
        deadline = time.monotonic() + 10
        while not self.redis.answers():
            if child.has_ended() or time.monotonic() > deadline:
                raise StartError(f"Redis does not start:\n{self.redis.last_log_lines()}")
            self._wake.wait(0.05)

    def _listen(self) -> None:
        self._listener, moved = listen(self.address, self.port)
        if moved:
            self.log.say(f"Port {DEFAULT_PORT} is taken: using {self.url} instead.", "WARNING")

    def _run_to_end(self, child: Child) -> bool:
        """Run a child that does one thing; return False if interrupted; raise StartError if it failed."""
        self._start(child)
        while not child.has_ended() and not self.signals:
            self._wake.wait(0.1)
            self._wake.clear()
        if self.signals:
            return False
        self.children.remove(child)
        code = child.reap()
        if code:
            raise StartError(f"{child.role} failed: {describe_exit(code)}.")
        return True

    def _start_services(self) -> None:
        for child in self._services():
            if child.role not in self.without:
                fds = [self._listener.fileno()] if self._listener and child.role == "web" else []
                self._start(child, pass_fds=fds)
        self._write_runtime(ready=False)

    def _services(self) -> list[Child]:
        fd = self._listener.fileno() if self._listener else -1
        beat = ["beat", "--schedule", str(self.state_dir / "beat-schedule"), "--pidfile="]
        services = [
            self._python(
                "web",
                signal.SIGTERM,
                *("-m", "daphne", "--fd", str(fd), "--websocket_timeout", "-1", "-v", "0"),
                "vmmigrate.asgi:application",
            ),
            # SIGQUIT: finish what takes at most the soft shutdown's seconds, then go. A move that runs longer
            # goes on inside the hosts and is found again by the reconciler at the next start.
            self._celery("migrate", signal.SIGQUIT, *self._worker("migrate", MIGRATION_SLOTS)),
            self._celery("control", signal.SIGQUIT, *self._worker("control", CONTROL_SLOTS)),
            self._celery("storage", signal.SIGQUIT, *self._worker("storage", STORAGE_SLOTS)),
            self._celery("scheduler", signal.SIGTERM, *beat),
        ]
        if any(ROOT.glob("*/management/commands/watchhosts.py")):
            services.append(self._management("watcher", "watchhosts"))
        return services

    @staticmethod
    def _worker(queue: str, slots: int) -> list[str]:
        name = f"{queue}@%h"
        return ["worker", "-Q", queue, "-c", str(slots), "-n", name, "--without-gossip", "--without-mingle"]

    @staticmethod
    def _python(role: str, stop_signal: signal.Signals, *arguments: str) -> Child:
        return Child(role, [sys.executable, *arguments], stop_signal)

    def _celery(self, role: str, stop_signal: signal.Signals, *arguments: str) -> Child:
        return self._python(role, stop_signal, "-m", "celery", "-A", "vmmigrate", "--quiet", *arguments)

    def _management(self, role: str, *arguments: str) -> Child:
        return self._python(role, signal.SIGTERM, str(ROOT / "manage.py"), *arguments)

    def _start(self, child: Child, directory: Path = ROOT, pass_fds: list[int] | None = None) -> None:
        environment = {
            **os.environ,
            "VM_MIGRATE_STATE_DIR": str(self.state_dir),
            "VM_MIGRATE_ROLE": child.role,
            "PYTHONUNBUFFERED": "1",
        }
        child.start(environment, directory, self.log.child_line, self._wake.set, pass_fds or [])
        self.children.append(child)

    def _write_runtime(self, ready: bool) -> None:
        """Tell tools and tests what runs here; written in one step, so that nobody reads half a file."""
        facts: dict[str, Any] = {
            "url": self.url,
            "ready": ready,
            "pid": os.getpid(),
            "pids": {child.role: child.pid for child in self.children},
            "redis_socket": str(self.redis.socket) if self.redis else None,
            "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        draft = self.runtime_file.with_suffix(".new")
        draft.write_text(json.dumps(facts, indent=2) + "\n")
        draft.replace(self.runtime_file)

    # Running ----------------------------------------------------------------------------------------------

    def _note_signal(self, number: int, _: FrameType | None) -> None:
        self.signals.append(signal.Signals(number))
        self._wake.set()

    def _ended(self) -> Child | None:
        return next((child for child in self.children if child.has_ended()), None)

    def _wait_until_ready(self) -> None:
        deadline = self.started_at + READY_WITHIN_S
        while not self.signals and not self._ended():
            if self._is_ready():
                self._write_runtime(ready=True)
                took_s = time.monotonic() - self.started_at
                self.log.say(f"Ready after {took_s:.1f} s: {self.url} (Ctrl-C stops everything)")
                return
            if time.monotonic() > deadline:
                raise StartError(f"Not ready after {READY_WITHIN_S:.0f} s; the lines above may say why.")
            self._wake.wait(0.1)
            self._wake.clear()

    def _is_ready(self) -> bool:
        """Return whether pages are answered and every worker has shown itself since this start."""
        running_s = time.monotonic() - self.started_at
        health = self._health()
        if health is None:
            return False
        ages_s = [age for queue, age in health["worker_heartbeat_age_s"].items() if queue not in self.without]
        return all(age is not None and age < running_s for age in ages_s)

    def _health(self) -> dict[str, Any] | None:
        if self._listener is None:
            return None
        address, port = self._listener.getsockname()[:2]
        connection = http.client.HTTPConnection(address, port, timeout=2)
        try:
            connection.request("GET", "/healthz", headers={"Host": "localhost"})
            answer = connection.getresponse()
            return json.load(answer) if answer.status == http.client.OK else None
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            connection.close()

    def _wait_for_end(self) -> None:
        while not self.signals and not self._ended():
            self._wake.wait(1)
            self._wake.clear()

    # Stopping ---------------------------------------------------------------------------------------------

    def _stop(self, exit_code: int) -> int:
        for child in [child for child in self.children if child.has_ended()]:
            self._report_death(child)
        if self.signals:
            self.log.say(f"{self.signals[0].name}: stopping.")
        stopping_at = time.monotonic()
        redis = [child for child in self.children if child.role == "redis"]
        # Redis goes last: the others still write to it while they stop.
        self._stop_all([child for child in self.children if child not in redis], CHILDREN_STOP_WITHIN_S)
        self._stop_all(redis, REDIS_STOP_WITHIN_S)
        if self._listener:
            self._listener.close()
        self.log.say(f"Stopped in {time.monotonic() - stopping_at:.1f} s.")
        return exit_code

    def _report_death(self, child: Child) -> None:
        self.children.remove(child)
        self.log.say(
            f"{child.role} ended by itself: {describe_exit(child.reap())}. Stopping everything.", "ERROR"
        )
        if child.role == "redis" and self.redis:
            self.log.say(self.redis.last_log_lines(), "ERROR")

    def _stop_all(self, children: list[Child], within_s: float) -> None:
        deadline = time.monotonic() + within_s
        signals_before = len(self.signals)
        for child in children:
            child.ask_to_stop()
        while any(not child.has_ended() for child in children):
            left_s = deadline - time.monotonic()
            # A second Ctrl-C means: at once.
            if left_s <= 0 or len(self.signals) > max(signals_before, 1):
                break
            self._wake.wait(min(0.1, left_s))
            self._wake.clear()
        for child in children:
            if not child.has_ended():
                self.log.say(f"{child.role} did not stop in time: killed.", "WARNING")
            child.reap()


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m vmmigrate.supervisor", description="Run VM Migrate here."
    )
    parser.add_argument(
        "--state-dir", type=Path, default=default_state_dir(), help="where everything is kept"
    )
    parser.add_argument("--address", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=int, help=f"0: any free one (default: {DEFAULT_PORT}, else a free one)"
    )
    parser.add_argument("--no-beat", action="store_true", help="start no periodic work")
    parser.add_argument("--no-watcher", action="store_true", help="do not listen to the hosts' events")
    parser.add_argument(
        "--with-parent", action="store_true", help="stop when the process that started this ends"
    )
    options = parser.parse_args()
    if options.with_parent:
        signal_when_parent_ends(os.getppid(), signal.SIGTERM)
    left_out = {"scheduler": options.no_beat, "watcher": options.no_watcher}
    supervisor = Supervisor(
        options.state_dir.expanduser().resolve(),
        options.port,
        options.address,
        frozenset(role for role, is_left_out in left_out.items() if is_left_out),
    )
    try:
        return supervisor.run()
    except (StartError, PermissionError) as error:
        supervisor.log.say(str(error), "ERROR")
        return 1


if __name__ == "__main__":
    sys.exit(main())
