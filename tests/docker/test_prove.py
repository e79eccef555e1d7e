"""The production installation in containers; minutes, so only when asked for: bin/test --group docker."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.docker.engine import require_programs

pytestmark = pytest.mark.docker


def test_the_production_installation_moves_guests() -> None:
    require_programs()  # run on purpose only: what is missing is a failure that says so
    # A network that looks into TLS: PROVE_CA names the certificates to trust while building.
    authorities = os.environ.get("PROVE_CA")
    command = ["docker/prove", *(["--ca", authorities] if authorities else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
