"""The launcher, really started, and ended in every way it can be ended."""

import os
import signal
import socket
import stat
import time
from pathlib import Path

import pytest

from tests.platform.installation import STOP_WITHIN_S, Installation, processes_of
from tests.waiting import wait_until
from vmmigrate import celery, healthcheck
from vmmigrate.paths import redis_socket

LEVELS = {"INFO", "WARNING", "ERROR", "CRITICAL"}


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """One installation for the tests that only look at it."""
    installation = Installation(tmp_path_factory.mktemp("running") / "state").start()
    yield installation
    assert installation.stop() == 0


def test_everything_runs_and_answers(running):
    assert {"redis", "web", "migrate", "control", "storage", "scheduler"} <= set(running.runtime["pids"])
    health = running.health()
    assert (health["database"], health["redis"]) == ("ok", "ok")
    assert all(age is not None for age in health["worker_heartbeat_age_s"].values())


def test_workers_and_scheduler_go_on_giving_signs_of_life(running):
    def beaten_at() -> dict[str, float]:
        ages = running.health()["worker_heartbeat_age_s"]
        return {queue: time.monotonic() - age for queue, age in ages.items()}

    first = beaten_at()
    # A second is the precision of the ages; a heartbeat comes every HEARTBEAT_EVERY_S.
    wait_until(
        lambda: all(at > first[queue] + 2 for queue, at in beaten_at().items()),
        2 * celery.HEARTBEAT_EVERY_S + 20,
        "a newer heartbeat of each worker",
    )
    schedule = str(running.state_dir / "beat-schedule")
    wait_until(lambda: healthcheck.main(["scheduler", schedule]) == 0, 20, "a tick of the scheduler")


def test_second_launcher_on_same_state_is_refused(running):
    second = Installation(running.state_dir)
    second.output_file = running.output_file.with_name("second.log")
    assert second.spawn().wait() == 1
    assert f"already runs on {running.state_dir} (process {running.process.pid})" in second.output
    assert running.runtime["ready"]
    assert running.health()["database"] == "ok"


def test_secrets_and_socket_are_for_the_owner_only(running):
    state_dir = running.state_dir
    paths = [state_dir, *(state_dir / "secrets").iterdir(), redis_socket(state_dir)]
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in paths}
    assert len(modes) == 4
    assert not [name for name, mode in modes.items() if mode & 0o077], modes


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_signal_ends_everything_in_time(installation, number):
    installation.start()
    asked_at = time.monotonic()
    assert installation.stop(number) == 0
    assert time.monotonic() - asked_at < STOP_WITHIN_S
    assert not installation.runtime
    assert f"{number.name}: stopping." in installation.output
    assert_readable_and_without_secrets(installation)


def assert_readable_and_without_secrets(installation):
    lines = installation.output.splitlines()
    assert lines
    assert not [line for line in lines if line.split(maxsplit=3)[1] not in LEVELS]
    secrets = [path.read_text().strip() for path in (installation.state_dir / "secrets").iterdir()]
    assert len(secrets) == 2
    assert not [secret for secret in secrets if secret in installation.output]


def test_stop_during_start_leaves_nothing(installation):
    installation.spawn()
    wait_until(lambda: redis_socket(installation.state_dir).exists(), 10, "Redis is starting")
    assert installation.stop() == 0


def test_killed_launcher_takes_its_children_along(installation):
    installation.start()
    key_ring = (installation.state_dir / "secrets" / "key_ring").read_text()
    assert len(processes_of(installation.state_dir)) > 8  # the pool processes too
    assert installation.stop(signal.SIGKILL) == -signal.SIGKILL
    installation.start()  # what a kill leaves behind does not stop the next start
    assert (installation.state_dir / "secrets" / "key_ring").read_text() == key_ring
    assert installation.stop() == 0


@pytest.mark.parametrize("role", ["web", "migrate", "redis"])
def test_a_child_that_dies_is_named_and_ends_everything(installation, role):
    installation.start()
    os.kill(installation.runtime["pids"][role], signal.SIGKILL)
    assert installation.wait() == 1
    assert f"{role} ended by itself: killed by SIGKILL" in installation.output
    wait_until(lambda: not processes_of(installation.state_dir), 2, "no process left")


def test_killed_worker_leaves_no_pool_process(installation):
    installation.start()
    worker = installation.runtime["pids"]["migrate"]
    pool = [int(pid) for pid in Path(f"/proc/{worker}/task/{worker}/children").read_text().split()]
    assert len(pool) == 4
    os.kill(installation.process.pid, signal.SIGSTOP)  # so that only the kernel can end them
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: not set(pool) & set(processes_of(installation.state_dir)), 5, "pool processes ended")
    os.kill(installation.process.pid, signal.SIGCONT)
    assert installation.wait() == 1


def test_asked_port_that_is_taken_is_refused(installation):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        installation.arguments = ("--port", str(port))
        assert installation.spawn().wait(20) == 1
    assert f"Cannot listen on 127.0.0.1 port {port}" in installation.output
