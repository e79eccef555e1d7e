"""Make the base of the data folders anew from two real hosts: python -m tests.jobs.preflight.capture_base

What is real and what is put in its place is described in tests/data/checks/_base/README.md.
"""

from __future__ import annotations

import dataclasses
import json
import os
from typing import Any, Final

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from django.test.runner import DiscoverRunner  # noqa: E402

from hosts.facts.codec import to_data  # noqa: E402
from hosts.facts.host import CapabilitiesFacts  # noqa: E402
from hosts.models import Host  # noqa: E402
from hosts.services import connections, pairs, probing  # noqa: E402
from jobs.options import MoveOptions  # noqa: E402
from jobs.preflight.context import HostSide, PreflightContext  # noqa: E402
from jobs.services.preflight import Readings, build_run_context  # noqa: E402
from tests.jobs.console import Console  # noqa: E402
from tests.jobs.preflight.data_folders import BASE  # noqa: E402
from tests.lab import Lab  # noqa: E402
from tests.lab.host import LabHost  # noqa: E402
from tests.waiting import wait_until  # noqa: E402

LAN: Final = "<network><name>lan</name><forward mode='bridge'/><bridge name='br0'/></network>"
READ_AT: Final = "2026-01-01T12:00:00+00:00"
# Debian's numbers; the lab runs QEMU as root.
ROOT_LABEL, DEBIAN_LABEL = "+0:+0", "+64055:+64055"
# What a virtual host inside another machine does not have.
KEPT: Final[dict[str, Any]] = {
    "clock_offset_ms": 2,
    "clock_error_ms": 3,
    "clock_synchronised": True,
    "qemu_uid": 64055,
    "nested": False,
}


def main() -> None:
    DiscoverRunner(verbosity=0, interactive=False).setup_databases()
    lab = Lab.up(f"base-{os.getpid()}")
    try:
        mercury, jupiter = lab.hosts["mercury"], lab.hosts["jupiter"]
        _start_guests(lab, mercury, jupiter)
        console = Console(lab, transport="ssh").connect()
        context = _read(
            console.hosts["mercury"], console.hosts["jupiter"], mercury.virsh("domuuid web01").strip()
        )
        subnet = mercury.address.rpartition(".")[0] + "."
        _write_context(_neutral(context), subnet)
        for name, text in {
            "guest.xml": context.guest.xml.replace("state='disconnected'", "state='connected'"),
            "source-capabilities.xml": mercury.virsh("capabilities"),
            "destination-capabilities.xml": jupiter.virsh("capabilities"),
        }.items():
            _write(name, text.replace(ROOT_LABEL, DEBIAN_LABEL), subnet)
    finally:
        lab.down()


def _start_guests(lab: Lab, mercury: LabHost, jupiter: LabHost) -> None:
    for host in (mercury, jupiter):
        host.path("/run/lan.xml").write_text(LAN)
        host.virsh("net-define /run/lan.xml; net-start lan; net-autostart lan")
    mercury.path("/run/web01.xml").write_text((BASE / "guest-as-defined.xml").read_text())
    mercury.virsh("vol-create-as VM web01.qcow2 8G --format qcow2; define /run/web01.xml; start web01")
    lab.create_guest("jupiter", "db01", pool=None).wait_until_answering()
    wait_until(lambda: mercury.virsh("domstate web01").strip() == "running", 20, "web01 runs")


def _read(source: Host, destination: Host, domain_uuid: str) -> PreflightContext:
    """As the product reads before a move."""
    with connections.borrowed(source) as here, connections.borrowed(destination) as there:
        guest = here.find_guest_reading(domain_uuid)
        assert guest is not None
        answer = there.read_for_guest(guest, disk_paths=pairs.disk_paths(guest))
        source_facts, destination_facts = here.read_facts(), there.read_facts()
        neighbours = there.read_guests()
        host_cpus = there.compare_host_cpu(here), here.compare_host_cpu(there)
    probes = probing.ask_pair(source, destination, paths=pairs.probed_paths(guest))
    readings = Readings(
        guest,
        source_facts,
        destination_facts,
        neighbours,
        answer,
        probes.peer,
        probes.source,
        probes.destination,
    )
    context = build_run_context(source, destination, MoveOptions(), readings)
    return dataclasses.replace(context, host_cpus=host_cpus)


def _neutral(context: PreflightContext) -> PreflightContext:
    """As two well kept hosts would have it."""
    source, destination = _kept(context.source), _kept(context.destination)
    return dataclasses.replace(context, source=source, destination=destination)


def _kept(side: HostSide) -> HostSide:
    assert side.probe is not None
    return dataclasses.replace(side, probe=dataclasses.replace(side.probe, **KEPT))


def _write_context(context: PreflightContext, subnet: str) -> None:
    """Without what the XML files beside it say."""
    data: dict[str, Any] = to_data(context)
    for name in ("domain_uuid", "name", "facts", "xml", "inactive_xml"):
        del data["guest"][name]
    for side in ("source", "destination"):
        facts = data[side]["facts"]
        for field in dataclasses.fields(CapabilitiesFacts):
            facts.pop(field.name, None)
        facts["read_at"] = READ_AT
    _write("context.json", json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False) + "\n", subnet)


def _write(name: str, text: str, subnet: str) -> None:
    """The lab's subnet differs from run to run."""
    (BASE / name).write_text(text.replace(subnet, "10.99.0."), encoding="utf-8")


if __name__ == "__main__":
    main()
