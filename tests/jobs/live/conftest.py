"""A real Redis for the channel layer, on the private socket of this test run."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
from django.conf import settings

from tests.waiting import wait_until
from vmmigrate.embedded_redis import PrivateRedis


@pytest.fixture(scope="session", autouse=True)
def redis() -> Iterator[None]:
    server = PrivateRedis.of(settings.STATE_DIR)
    process = subprocess.Popen(
        server.arguments(),
        executable=server.program.executable,
        cwd=server.directory,
        stdout=subprocess.DEVNULL,
    )
    wait_until(server.answers, 10, "Redis answers on its socket")
    yield
    process.terminate()
    process.wait(10)
