"""Disks that libvirt copies."""

from __future__ import annotations

from typing import Any

from tests.jobs.preflight.agreement.bench import IMAGES, LOCAL, NAME, SHARED, Bench
from tests.jobs.preflight.agreement.guests import disk
from tests.jobs.preflight.agreement.scenario import scenario

GROUP = "Disks that are copied"
IMAGE = f"{NAME}.img"
COPY: dict[str, Any] = {"storage": "copy-all"}
OVERWRITES = (
    "libvirt would overwrite the file without a word; nobody's data is destroyed unless confirmed by name"
)


def _local_guest(bench: Bench, **more: Any) -> None:
    """Its disk lies in the pool “local”, and the copy will lie there too."""
    bench.guest(disk(bench.image(f"{LOCAL}/{IMAGE}", **more)))
    bench.forget_file(bench.there, f"{LOCAL}/{IMAGE}")


@scenario(GROUP, "no pool for the copy there", "disk.pool-twin")
def pool_missing(bench: Bench) -> dict[str, Any]:
    folder = bench.folder(f"{IMAGES}/only", bench.source)
    bench.pool(bench.source, "only", folder)
    bench.guest(disk(bench.image(f"{folder}/{IMAGE}")))
    return COPY


@scenario(GROUP, "the pool for the copy is not active there", "disk.pool-twin")
def pool_not_active(bench: Bench) -> dict[str, Any]:
    folder = bench.folder(f"{IMAGES}/only")
    bench.pool(bench.source, "only", folder)
    bench.pool(bench.destination, "only", folder, active=False)
    bench.guest(disk(bench.image(f"{folder}/{IMAGE}")))
    return COPY


@scenario(GROUP, "a file of equal size lies there", "disk.target-exists", on_purpose=OVERWRITES)
def target_of_equal_size(bench: Bench) -> dict[str, Any]:
    bench.guest(disk(bench.image(f"{LOCAL}/{IMAGE}", "mercury", "jupiter")))
    return COPY


@scenario(GROUP, "the same, confirmed with the guest's name", "disk.target-exists")
def target_confirmed(bench: Bench) -> dict[str, Any]:
    bench.guest(disk(bench.image(f"{LOCAL}/{IMAGE}", "mercury", "jupiter")))
    return COPY | {"confirmed_name": NAME}


@scenario(GROUP, "a file of another size lies there", "disk.target-exists")
def target_of_another_size(bench: Bench) -> dict[str, Any]:
    _local_guest(bench)
    bench.image(f"{LOCAL}/{IMAGE}", "jupiter", mib=3)
    return COPY


@scenario(GROUP, "the pool there is too small", "disk.space")
def no_space(bench: Bench) -> dict[str, Any]:
    folder = bench.folder(f"{IMAGES}/small")
    bench.run(
        bench.there,
        "mount",
        "-t",
        "tmpfs",
        "-o",
        "size=2m",
        "tmpfs",
        folder,
        undo=("umount", "--lazy", folder),
    )
    for host in (bench.source, bench.destination):
        bench.pool(host, "small", folder)
    bench.guest(disk(bench.image(f"{folder}/{IMAGE}", mib=8, full=True)))
    return COPY


@scenario(GROUP, "a disk on shared storage is copied onto itself", "disk.copy-onto-itself")
def copied_onto_itself(bench: Bench) -> dict[str, Any]:
    bench.guest(disk(bench.image(f"{SHARED}/{IMAGE}")))
    return COPY


@scenario(GROUP, "one disk shared and left, one local and copied")
def one_of_two_copied(bench: Bench) -> dict[str, Any]:
    bench.guest(disk(bench.image(f"{SHARED}/{IMAGE}")) + disk(bench.image(f"{LOCAL}/{IMAGE}"), target="vdb"))
    bench.forget_file(bench.there, f"{LOCAL}/{IMAGE}")
    return COPY | {"migrate_disks": ["vdb"]}


@scenario(GROUP, "one of two local disks is forgotten", "disk.shared")
def forgotten_disk(bench: Bench) -> dict[str, Any]:
    bench.guest(disk(bench.image(f"{LOCAL}/one.img")) + disk(bench.image(f"{LOCAL}/{IMAGE}"), target="vdb"))
    bench.forget_file(bench.there, f"{LOCAL}/{IMAGE}")
    return COPY | {"migrate_disks": ["vdb"]}


@scenario(
    GROUP,
    "a disk that other guests write, too",
    "disk.shareable",
    on_purpose="libvirt copies it as it is told; each guest would then write a disk of its own",
)
def shareable_disk_copied(bench: Bench) -> dict[str, Any]:
    bench.guest(disk(bench.image(f"{LOCAL}/{IMAGE}"), more="<shareable/>"))
    bench.forget_file(bench.there, f"{LOCAL}/{IMAGE}")
    return COPY | {"migrate_disks": ["vda"]}


@scenario(GROUP, "a copy of top layers without their base there", "disk.top-layer-target")
def top_layer_without_base(bench: Bench) -> dict[str, Any]:
    _local_guest(bench)
    return {"storage": "copy-incremental"}


@scenario(
    GROUP,
    "an offline move of a guest with a local disk",
    "disk.path",
    on_purpose="an offline move takes the definition only; without its disk the guest could not start there",
)
def offline_with_local_disk(bench: Bench) -> dict[str, Any]:
    bench.guest(disk(bench.image(f"{LOCAL}/{IMAGE}")), state="shut off")
    return {"kind": "offline"}
