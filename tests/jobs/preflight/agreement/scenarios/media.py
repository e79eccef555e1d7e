"""CD and floppy drives."""

from __future__ import annotations

from typing import Any

from tests.jobs.preflight.agreement.bench import LOCAL, SHARED, Bench
from tests.jobs.preflight.agreement.guests import drive
from tests.jobs.preflight.agreement.scenario import scenario

GROUP = "CD and floppy drives"


@scenario(GROUP, "an empty SATA CD drive and an empty floppy drive", "disk.sata")
def empty_drives(bench: Bench) -> None:
    bench.guest(drive("cdrom") + drive("floppy", target="fda", bus="fdc"))


@scenario(GROUP, "a CD that only the source has", "disk.removable-media")
def cd_on_local_storage(bench: Bench) -> None:
    bench.guest(drive("cdrom", bench.image(f"{LOCAL}/cd.iso")))


@scenario(GROUP, "the same for a shut-off guest", "disk.removable-media")
def cd_on_local_storage_offline(bench: Bench) -> dict[str, Any]:
    bench.guest(drive("cdrom", bench.image(f"{LOCAL}/cd.iso")), state="shut off")
    return {"kind": "offline"}


@scenario(
    GROUP,
    "an optional CD that only the source has",
    "disk.removable-media",
    on_purpose="the definition itself calls the medium optional, so its loss is a warning; libvirt drops it silently",
)
def optional_cd_on_local_storage(bench: Bench) -> None:
    bench.guest(drive("cdrom", bench.image(f"{LOCAL}/cd.iso"), policy="optional"))


@scenario(
    GROUP, "a CD and a floppy on shared storage, and a CD of the same path on both hosts", "disk.floppy"
)
def media_on_both_hosts(bench: Bench) -> None:
    copies = bench.image(f"{LOCAL}/copies.iso", "mercury", "jupiter")
    bench.marks.clear()  # two copies of one CD are as good as one
    bench.guest(
        drive("cdrom", bench.image(f"{SHARED}/cd.iso"))
        + drive("cdrom", copies, target="sdb")
        + drive("floppy", bench.image(f"{SHARED}/floppy.img"), target="fda", bus="fdc")
    )


@scenario(GROUP, "a floppy that only the source has", "disk.removable-media")
def floppy_on_local_storage(bench: Bench) -> None:
    bench.guest(drive("floppy", bench.image(f"{LOCAL}/floppy.img"), target="fda", bus="fdc"))
