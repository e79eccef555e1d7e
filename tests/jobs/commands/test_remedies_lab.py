"""`manage.py remedy` and `waive` against the really running product: the browser's services without a browser."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest

from tests.lab import Lab
from tests.product import Product

pytestmark = pytest.mark.lab

MEDIUM = "/var/lib/libvirt/images/local/medium.iso"
DRIVE = f"""<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='{MEDIUM}'/>
<target dev='sda' bus='sata'/><readonly/></disk>"""
WAY = ("--source=mercury", "--destination=jupiter")
NAMED = ("--finding=disk.removable-media", "--subject=drive sda")


@pytest.fixture
def emptied(product: Product, lab: Lab) -> Iterator[Lab]:
    """A guest whose medium only its own host has."""
    lab.reset()
    lab.hosts["mercury"].run(["truncate", "-s", "1M", MEDIUM])
    lab.create_guest(
        "mercury", "media02", xml_edit=lambda xml: xml.replace("<interface", f"{DRIVE}<interface", 1)
    )
    yield lab
    lab.reset()


def run(product: Product, *words: str) -> subprocess.CompletedProcess[str]:
    done = product.manage(*words, *WAY, "media02", check=False)
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    return done


def test_remedy_is_shown_then_done_then_not_offered_any_more(product: Product, emptied: Lab) -> None:
    mercury = emptied.hosts["mercury"]
    shown = run(product, "remedy", *NAMED)
    assert (shown.returncode, "add --yes to do it" in shown.stdout) == (1, True)
    assert MEDIUM in mercury.virsh("domblklist", "media02")
    done = run(product, "remedy", *NAMED, "--yes", "--json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["outcome"], answer["still_found"]) == (0, "done", False), answer
    assert MEDIUM not in mercury.virsh("domblklist", "media02")
    again = run(product, "remedy", *NAMED, "--yes")
    assert (again.returncode, "There is no finding disk.removable-media" in again.stderr) == (2, True)


def test_finding_is_waived_and_the_waiver_withdrawn(product: Product, emptied: Lab) -> None:
    assert run(product, "preflight").returncode == 1
    no_reason = run(product, "waive", *NAMED)
    assert (no_reason.returncode, "Say why" in no_reason.stderr) == (1, True)
    too_long = run(product, "waive", *NAMED, "--reason=tested", "--days=1e9")
    assert (too_long.returncode, "At most 90 days" in too_long.stderr) == (1, True)
    assert run(product, "waive", *NAMED, "--reason=tested", "--days=1").returncode == 0
    ready = run(product, "preflight")
    assert ready.returncode == 0, ready.stdout
    assert run(product, "waive", *NAMED, "--withdraw").returncode == 0
    assert run(product, "preflight").returncode == 1
