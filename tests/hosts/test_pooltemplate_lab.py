"""`manage.py pooltemplate` against the really running product: its own storage workers do what is ordered."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import Lab
from tests.product import Product

pytestmark = [pytest.mark.lab, pytest.mark.storage]
NAME = "by-command"
XML = f"<pool type='dir'><name>{NAME}</name><target><path>/var/lib/libvirt/{{{{ host.name }}}}</path></target></pool>"


@pytest.fixture
def fresh(product: Product, lab: Lab) -> Iterator[Lab]:
    lab.reset()
    yield lab
    lab.reset()


def run(product: Product, *words: str) -> subprocess.CompletedProcess[str]:
    done = product.manage("pooltemplate", *words, check=False)
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done


def states(product: Product) -> dict[str, str]:
    told = run(product, "drift", NAME, "--json").stdout
    return {item["host"]: item["state"] for item in json.loads(told)}


def test_template_is_imported_looked_at_applied_and_found_the_same(
    product: Product, fresh: Lab, tmp_path: Path
) -> None:
    file = tmp_path / "pool.xml"
    file.write_text(XML)
    made = run(product, "import", "--file", str(file), "--host", "mercury", "--host", "jupiter")
    assert made.returncode == 0, made.stderr
    twice = run(product, "import", "--file", str(file))
    assert (twice.returncode, "already" in twice.stderr) == (1, True)
    assert NAME in run(product, "list").stdout
    assert "{{ host.name }}" in json.loads(run(product, "show", NAME, "--json").stdout)["xml"]

    assert states(product) == {"jupiter": "missing", "mercury": "missing"}
    looked = run(product, "apply", NAME)
    assert (looked.returncode, "add --yes to do it" in looked.stdout) == (0, True), looked.stdout
    assert NAME not in fresh.hosts["mercury"].virsh("pool-list", "--all", "--name").split()

    done = run(product, "apply", NAME, "--yes", "--json")
    assert [item["outcome"] for item in json.loads(done.stdout)] == ["done", "done"], done.stdout
    assert "/var/lib/libvirt/jupiter" in fresh.hosts["jupiter"].virsh("pool-dumpxml", NAME)
    again = run(product, "apply", NAME, "--yes", "--json", "--host", "jupiter")
    assert [item["outcome"] for item in json.loads(again.stdout)] == ["not-needed"]
    assert run(product, "drift", NAME).returncode == 0


def test_pool_of_a_host_becomes_a_template(product: Product, fresh: Lab) -> None:
    made = run(product, "import", "--from-host", "mercury", "--pool", "local", "--host", "jupiter")
    assert made.returncode == 0, made.stderr
    assert "<uuid>" not in json.loads(run(product, "show", "local", "--json").stdout)["xml"]
    told = json.loads(run(product, "drift", "local", "--json").stdout)
    assert [(item["host"], item["state"]) for item in told] == [("jupiter", "same")], told


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("show", "nothing"), 2, "Known templates"),
        (("import", "--from-host", "nowhere", "--pool", "x"), 2, "Known hosts"),
        (("import", "--from-host", "mercury"), 2, "--pool NAME"),
        (("import", "--from-host", "mercury", "--pool", "none"), 1, "has no pool none"),
        (("import", "--file", "/nowhere.xml"), 2, "cannot be read"),
    ],
)
def test_wrong_use_is_told(product: Product, words: tuple[str, ...], code: int, said: str) -> None:
    done = run(product, *words)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
