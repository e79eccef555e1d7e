"""Fixtures for the real thing: a lab of real libvirt hosts, and the whole product as subprocesses on it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import Lab
from tests.product import Product


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Two real hosts of this test run's own. LAB_FOR_TESTS names a running instance to use instead."""
    kept = os.environ.get("LAB_FOR_TESTS")
    instance = Lab.up(name=kept or f"test-{os.getpid()}")
    yield instance
    if kept is None:
        instance.down()


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
