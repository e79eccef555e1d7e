"""Graphics consoles."""

from __future__ import annotations

from tests.jobs.preflight.agreement.bench import ON_BRIDGE_BR0, Bench
from tests.jobs.preflight.agreement.guests import GuestForm
from tests.jobs.preflight.agreement.scenario import scenario

GROUP = "Consoles"


@scenario(
    GROUP,
    "a VNC console on an address of the source, no address known that could stand in",
    "graphics.listen",
)
def graphics_on_own_address(bench: Bench) -> None:
    bench.set_host(bench.destination, migration_address="")
    bench.guest(f"<graphics type='vnc' autoport='yes' listen='{bench.here.address}'/>")


@scenario(
    GROUP,
    "the same on a fixed port that is free there, the destination's address stands in",
    "graphics.listen",
    "graphics.port",
)
def graphics_rewritten(bench: Bench) -> None:
    bench.guest(f"<graphics type='vnc' autoport='no' port='5955' listen='{bench.here.address}'/>")


@scenario(GROUP, "a VNC console on a network that is missing there", "graphics.listen")
def graphics_on_missing_network(bench: Bench) -> None:
    bench.network(bench.source, "screens", inside=ON_BRIDGE_BR0)
    bench.guest("<graphics type='vnc' autoport='yes'><listen type='network' network='screens'/></graphics>")


@scenario(
    GROUP,
    "a VNC console on a fixed port that is taken there",
    "graphics.port",
    on_purpose="who holds a port cannot be asked through libvirt; the warning names the port and how to look",
)
def graphics_port_taken(bench: Bench) -> None:
    console = "<graphics type='vnc' autoport='no' port='5955' listen='0.0.0.0'/>"
    bench.guest(console)
    bench.other_guest(bench.destination, "cousin", state="running", form=GuestForm(console))
