"""A host takes the checksum of its own file, over SSH: right, or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hosts.driver.asking import NotAsked
from hosts.driver.checksum import take_checksum
from hosts.driver.connection import Connection
from hosts.facts.storage import VolumeFacts
from tests.hosts.conftest import SpecFor
from tests.hosts.storage_lab import IMAGES, MIB
from tests.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.storage]

NAME = "a b; touch $(HOME) 'x' \"☕\".img"
DATA = os.urandom(3 * MIB + 17)
SHA256 = hashlib.sha256(DATA).hexdigest()


def quiet(done_bytes: int) -> None:
    """Nobody listens."""


@pytest.fixture
def path(lab: Lab) -> Iterator[Path]:
    """A file of the pool "local"."""
    file = lab.hosts["mercury"].path(f"{IMAGES}/local/{NAME}")
    file.write_bytes(DATA)
    yield file
    file.unlink(missing_ok=True)


@pytest.fixture
def facts(path: Path, connect: Callable[..., Connection]) -> VolumeFacts:
    found = connect("mercury").storage.find_volume("local", NAME)
    assert found is not None
    return found


def test_host_takes_the_checksum_of_the_file_that_libvirt_tells_of(
    spec_for: SpecFor, facts: VolumeFacts
) -> None:
    assert take_checksum(spec_for("mercury", "ssh"), facts, len(DATA), quiet) == SHA256
    login = f"ssh://root@{spec_for('mercury', 'ssh').address.rpartition('@')[2].partition('/')[0]}"
    spec = spec_for("mercury", "tcp", probe_address=login)
    assert take_checksum(spec, facts, len(DATA), quiet) == SHA256


def test_file_that_is_another_one_by_size_or_time_is_not_taken_for_it(
    spec_for: SpecFor, facts: VolumeFacts
) -> None:
    spec = spec_for("mercury", "ssh")
    for other, size in (
        (facts, len(DATA) + 1),
        (replace(facts, modified_at="1700000000.000000001"), len(DATA)),
        (replace(facts, path=f"{facts.path}.gone"), len(DATA)),
        (replace(facts, modified_at=""), len(DATA)),
        (replace(facts, type="block"), len(DATA)),
    ):
        with pytest.raises(NotAsked):
            take_checksum(spec, other, size, quiet)


def test_file_that_changes_meanwhile_has_no_checksum(
    spec_for: SpecFor, facts: VolumeFacts, path: Path
) -> None:
    os.truncate(path, 8 * 2**30)
    long_file = replace(facts, modified_at=_modified(path))

    def change(done_bytes: int) -> None:
        if done_bytes:
            os.truncate(path, MIB)

    with pytest.raises(NotAsked, match="no checksum"):
        take_checksum(spec_for("mercury", "ssh"), long_file, 8 * 2**30, change)


def test_who_asks_hears_how_far_it_is_and_can_stop_it(
    spec_for: SpecFor, facts: VolumeFacts, path: Path
) -> None:
    os.truncate(path, 2**40)
    long_file = replace(facts, modified_at=_modified(path))

    def stop(done_bytes: int) -> None:
        if done_bytes:
            raise KeyError("enough")

    with pytest.raises(KeyError):
        take_checksum(spec_for("mercury", "ssh"), long_file, 2**40, stop)
    os.truncate(path, 0)  # what still reads it on the host is at its end


def test_host_without_a_login_is_not_asked(spec_for: SpecFor, facts: VolumeFacts) -> None:
    with pytest.raises(NotAsked, match="no probe login"):
        take_checksum(spec_for("mercury", "tcp"), facts, len(DATA), quiet)


def test_host_without_openssl_uses_sha256sum(spec_for: SpecFor, facts: VolumeFacts, lab: Lab) -> None:
    mercury = lab.hosts["mercury"]
    mercury.run(["mount", "--bind", "/bin/false", "/usr/bin/openssl"])
    try:
        assert take_checksum(spec_for("mercury", "ssh"), facts, len(DATA), quiet) == SHA256
    finally:
        mercury.run(["umount", "/usr/bin/openssl"])


def _modified(path: Path) -> str:
    return "{}.{:09d}".format(*divmod(path.stat().st_mtime_ns, 10**9))
