"""`manage.py preflight` and `move` against the really running product: exit codes, JSON, clear words."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab import Lab
from tests.lab.guest import LabGuest
from tests.product import Product
from tests.waiting import wait_until

pytestmark = pytest.mark.lab

MOVE_KEYS = {
    "id", "phase", "verdict", "source_state", "destination_state", "duration_ms", "downtime_ms", "findings", "error",
}  # fmt: skip
FINDING_KEYS = {"id", "severity", "subject", "message", "evidence", "remedy"}
HOSTILE_NAMES = (
    "a name with spaces",
    "quotes\" and 'more'",
    "🚚 Umzug",
    "<script>alert(1)<script>",
    "--json",
    "$(id)",
)
TINY = """<domain type='qemu'><name>{name}</name><title>{name}</title><description>{name} &amp; more</description>
<memory unit='MiB'>32</memory><os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os><devices/></domain>"""


@pytest.fixture
def emptied(product: Product, lab: Lab) -> Iterator[Lab]:
    lab.reset()
    yield lab
    lab.reset()


@pytest.fixture
def guest(emptied: Lab) -> LabGuest:
    made = emptied.create_guest("mercury", "web-1")
    made.wait_until_answering()
    return made


def run(product: Product, *words: str) -> subprocess.CompletedProcess[str]:
    done = product.manage(*words, check=False)
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done


def ask(product: Product, command: str, guest: str, *words: str) -> tuple[int, Any]:
    """Exit code and the one JSON object."""
    way = ("--source=mercury", "--destination=jupiter", "--json")
    done = run(product, command, *way, *words, "--", guest)
    return done.returncode, json.loads(done.stdout)


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def define_tiny(lab: Lab, host: str, name: str) -> str:
    """A shut-off guest of any name; its UUID."""
    lab.hosts[host].path("/run/tiny.xml").write_text(TINY.format(name=escaped(name)))
    lab.hosts[host].virsh("define", "/run/tiny.xml")
    return lab.hosts[host].virsh("domuuid", "--", name).strip()


def test_guest_is_checked_and_moved(product: Product, guest: LabGuest) -> None:
    code, checked = ask(product, "preflight", guest.name)
    assert (code, set(checked)) == (0, {"verdict", "findings"})
    assert checked["verdict"] in {"ready", "warnings"}
    assert all(set(finding) == FINDING_KEYS for finding in checked["findings"])
    assert guest.where() == {"mercury": "running"}, "a check touches nothing"
    code, moved = ask(product, "move", guest.name, "--wait", "--reason", "test <b>&</b>")
    assert code == 0, moved
    assert set(moved) == MOVE_KEYS
    assert (moved["phase"], moved["verdict"], moved["error"]) == ("succeeded", "moved", None)
    assert moved["source_state"] == "not there"
    assert moved["destination_state"].startswith("running")
    assert 0 < moved["downtime_ms"] <= moved["duration_ms"]
    assert all(set(finding) == FINDING_KEYS for finding in moved["findings"])
    assert guest.where() == {"jupiter": "running"}
    assert guest.ping(2)


def test_blocker_ends_both_commands_with_one_and_leaves_the_guest(
    product: Product, guest: LabGuest, lab: Lab
) -> None:
    lab.hosts["jupiter"].path("/run/tiny.xml").write_text(TINY.format(name=guest.name))
    lab.hosts["jupiter"].virsh("create", "/run/tiny.xml")
    code, checked = ask(product, "preflight", guest.name)
    assert (code, checked["verdict"]) == (1, "blocked")
    assert "name.running-clash" in {finding["id"] for finding in checked["findings"]}
    code, moved = ask(product, "move", guest.name, "--wait")
    assert (code, set(moved)) == (1, MOVE_KEYS)
    assert (moved["id"], moved["phase"]) == (None, None)
    assert "name.running-clash" in {finding["id"] for finding in moved["findings"]}
    assert moved["error"]
    assert guest.where() == {"mercury": "running", "jupiter": "running"}


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_shut_off_guest_of_any_name_goes_offline_by_itself(product: Product, emptied: Lab, name: str) -> None:
    uuid = define_tiny(emptied, "mercury", name)
    code, moved = ask(product, "move", name, "--wait")
    assert (code, moved["phase"], moved["error"]) == (0, "succeeded", None), moved
    assert moved["destination_state"].startswith("shut off")
    assert (moved["downtime_ms"], moved["source_state"]) == (None, "not there")
    assert emptied.hosts["jupiter"].virsh("domname", uuid).strip() == name
    assert emptied.hosts["mercury"].virsh("list", "--all", "--name").strip() == ""


WAY = ("--source=mercury", "--destination=jupiter")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["preflight", *WAY, "nobody"], 'mercury has no guest "nobody"'),
        (["move", *WAY, "nobody", "--wait"], 'mercury has no guest "nobody"'),
        (["move", "--source=mercury", "--destination=nowhere", "x"], 'There is no host "nowhere"'),
        (["preflight", "--source=<b>", "--destination=jupiter", "x"], 'There is no host "<b>"'),
        (["move", "--source=mercury", "--destination=mercury", "x"], "the same host (mercury)"),
        (["preflight", *WAY, "--bandwidth-mib-per-s=lots", "x"], "invalid int value"),
        (["move", *WAY, "--kind=teleport", "x"], "invalid choice"),
        (["move", *WAY, "--destination-xml=/nonexistent", "x"], "cannot be read"),
        (["move", "--source=mercury", "x"], "--destination"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wrong_use_ends_with_two_and_clear_words(product: Product, words: list[str], told: str) -> None:
    done = run(product, *words)
    assert done.returncode == 2, done.stderr
    assert told in done.stderr
    assert done.stdout == ""


def test_absurd_number_is_a_blocker_of_both_commands(product: Product, emptied: Lab) -> None:
    define_tiny(emptied, "mercury", "tiny")
    for command in ("preflight", "move"):
        code, answer = ask(product, command, "tiny", "--kind=non-live", "--bandwidth-mib-per-s=-7")
        assert code == 1
        assert "kind.options" in {finding["id"] for finding in answer["findings"]}


def test_guest_on_the_other_host_is_pointed_to(product: Product, emptied: Lab) -> None:
    define_tiny(emptied, "jupiter", "elsewhere")
    done = run(product, "move", "--source=jupiter", "--destination=mercury", "--wait", "elsewhere")
    assert done.returncode == 0, done.stderr
    done = run(product, "move", "--source=jupiter", "--destination=mercury", "elsewhere")
    assert (done.returncode, "it is on mercury" in done.stderr) == (2, True)


@pytest.mark.faults
def test_killed_pool_process_costs_neither_the_move_nor_the_product(
    product: Product, guest: LabGuest
) -> None:
    code, queued = ask(product, "move", guest.name, "--bandwidth-mib-per-s=15")
    assert (code, queued["phase"]) == (0, "queued")
    row = f"from jobs.models import Migration; m = Migration.objects.filter(pk={queued['id']}); "
    middle = row + "print(m.get().phase, (m.get().progress_data.get('percent') or 0) > 3, m.get().worker)"
    wait_until(
        lambda: product.run_python(middle).startswith("transferring True"), 30, "the move is under way"
    )
    worker = int(product.run_python(middle).rpartition(":")[2])
    assert worker != product.pids()["migrate"], "the pool's process does the work, its parent watches it"
    os.kill(worker, signal.SIGKILL)
    product.run_python(row + "from django.utils import timezone; m.update(lease_until=timezone.now())")
    ended = row + "print(m.get().phase)"
    wait_until(
        lambda: product.run_python(ended) == "succeeded", 60, "another worker has adopted and settled it"
    )
    assert guest.where() == {"jupiter": "running"}
    assert product.pids(), "the product goes on"
