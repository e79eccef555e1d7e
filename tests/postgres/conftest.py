"""A PostgreSQL of this test run's own: a socket in a folder, no port, no password, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

BINARIES = (*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), Path("/usr/bin"))


def program(name: str) -> str:
    return next(str(folder / name) for folder in BINARIES if (folder / name).exists())


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """DATABASE_URL of an empty cluster's first database."""
    # PostgreSQL refuses to run as root; the folder must be one that its user can reach.
    user = pwd.getpwnam("postgres" if _known("postgres") else "nobody") if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="vm-migrate-postgres-", dir="/tmp"))
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
    demotion = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user is not None else {}

    def run(name: str, *words: str) -> None:
        # No pipes: the server would keep them open.
        with (folder / f"{name}.out").open("w") as out:
            done = subprocess.run(
                [program(name), *words],
                cwd=folder,
                stdout=out,
                stderr=out,
                timeout=60,
                check=False,
                **demotion,
            )
        assert done.returncode == 0, (folder / f"{name}.out").read_text()[-2000:]

    cluster = str(folder / "cluster")
    run("initdb", "-D", cluster, "-U", "vmmigrate", "-A", "trust", "--no-sync")
    options = (
        f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off -c max_connections=60"
    )
    run("pg_ctl", "-D", cluster, "-w", "-l", str(folder / "log"), "-o", options, "start")
    yield f"postgres://vmmigrate@/{folder}/postgres"
    run("pg_ctl", "-D", cluster, "-w", "-m", "immediate", "stop")
    shutil.rmtree(folder)


def _known(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
