"""Fixtures for the real thing: a lab of real libvirt hosts, and the whole product as subprocesses on it."""

from __future__ import annotations

import os
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from tests.jobs.console import Console
from tests.lab import Lab
from tests.product import Product
from tests.waiting import wait_until
from vmmigrate.embedded_redis import PrivateRedis


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Two real hosts of this test run's own. LAB_FOR_TESTS names a running instance to use instead."""
    kept = os.environ.get("LAB_FOR_TESTS")
    instance = Lab.up(name=kept or f"test-{os.getpid()}")
    yield instance
    if kept is None:
        instance.down()


@pytest.fixture(autouse=True)
def revived_daemons(request: pytest.FixtureRequest) -> None:
    """libvirtd 9.0 ends by itself now and then; one end must not fail every test that comes after it. Said in the
    summary, never hidden."""
    if "lab" not in request.fixturenames:
        return
    for name, host in request.getfixturevalue("lab").hosts.items():
        if host.libvirtd_pid() is None:
            warnings.warn(
                f"libvirtd of {name} had ended before this test and was started again", stacklevel=1
            )
            host.repair()


@pytest.fixture
def clean_lab(lab: Lab) -> Iterator[Lab]:
    """The lab without guests, its links and daemons as they should be, before and after."""
    lab.reset()
    yield lab
    lab.reset()


@pytest.fixture(scope="session")
def product(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """Web, workers, scheduler, watcher and Redis, really running, with the lab's hosts connected."""
    state_dir: Path = tmp_path_factory.mktemp("product")
    with Product.running(state_dir) as instance:
        instance.connect_lab(lab)
        yield instance


@pytest.fixture(scope="session")
def bells() -> Iterator[None]:
    """A Redis on this run's own socket: bells ring, nobody comes."""
    server = PrivateRedis.of(settings.STATE_DIR)
    if server.answers():
        yield
        return
    words, program = server.arguments(), server.program.executable
    process = subprocess.Popen(words, executable=program, cwd=server.directory, stdout=subprocess.DEVNULL)
    wait_until(server.answers, 10, "Redis answers on its socket")
    yield
    process.terminate()
    process.wait(10)


@pytest.fixture
def console(lab: Lab, bells: None, transactional_db: None) -> Iterator[Console]:
    """The lab's hosts connected in the test's own database; no guests are removed, no faults undone."""
    instance = Console(lab).connect()
    yield instance
    instance.close()
