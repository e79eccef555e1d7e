"""Disks that both hosts are said to share: caches, buses, and what only looks shared."""

from __future__ import annotations

import uuid
from typing import Any

from tests.jobs.preflight.agreement.bench import IMAGES, LOCAL, NAME, SHARED, Bench
from tests.jobs.preflight.agreement.guests import disk
from tests.jobs.preflight.agreement.scenario import scenario

GROUP = "Disks that stay where they are"
IMAGE = f"{NAME}.img"
NO_SATA = (
    "the guidance says that SATA disks do not migrate; QEMU has done it since 2.1, so it is a warning only"
)


CACHES = ("none", "directsync", "writethrough", "writeback", "unsafe")


def _disks_of_all_caches(bench: Bench, folder: str) -> str:
    return "".join(
        disk(bench.image(f"{folder}/{cache}.img"), target=f"vd{letter}", cache=cache)
        for letter, cache in zip("abcde", CACHES, strict=True)
    )


@scenario(GROUP, f"disks on shared storage with the cache modes {', '.join(CACHES)}")
def shared_disks_of_all_caches(bench: Bench) -> None:
    bench.guest(_disks_of_all_caches(bench, SHARED))


@scenario(GROUP, f"disks on local storage with the cache modes {', '.join(CACHES)}", "disk.shared")
def local_disks_of_all_caches(bench: Bench) -> None:
    bench.guest(_disks_of_all_caches(bench, LOCAL))


@scenario(GROUP, "a local disk without a copy, moved as “unsafe”, nothing at its path there", "disk.path")
def missing_volume(bench: Bench) -> dict[str, Any]:
    bench.guest(disk(bench.image(f"{LOCAL}/{IMAGE}")))
    return {"unsafe": True}


@scenario(GROUP, "look-alike: the same local path on both hosts, two different files", "disk.shared")
def look_alike_file(bench: Bench) -> None:
    bench.guest(disk(bench.image(f"{LOCAL}/{IMAGE}", "mercury", "jupiter")))


@scenario(
    GROUP,
    "the same, moved as “unsafe”",
    "disk.shared",
    on_purpose="“unsafe” is what a person asks for who has read that the files are two; it is warned of once more",
)
def look_alike_file_unsafe(bench: Bench) -> dict[str, Any]:
    bench.guest(disk(bench.image(f"{LOCAL}/{IMAGE}", "mercury", "jupiter")))
    return {"unsafe": True}


@scenario(GROUP, "look-alike: one folder name, two folders of the storage server", "disk.shared")
def look_alike_share(bench: Bench) -> None:
    """libvirt sees a shared file system at the path and is content."""
    twin = f"{IMAGES}/twin"
    for host, folder in ((bench.source, "here"), (bench.destination, "there")):
        bench.folder(f"{SHARED}/{folder}", host)
        bench.folder(twin, host)
        bench.pool(host, "twin", twin, source=f"VM/{folder}")
    bench.guest(disk(bench.image(f"{twin}/{IMAGE}", bench.source, bench.destination)))


@scenario(GROUP, "the shared storage is mounted elsewhere there", "preflight.not-evaluated")
def different_path(bench: Bench) -> None:
    bench.folder(f"{SHARED}/sub", bench.source)
    for host, path in ((bench.source, f"{IMAGES}/one"), (bench.destination, f"{IMAGES}/two")):
        bench.folder(path, host)
        bench.pool(host, "sub", path, source="VM/sub")
    bench.guest(disk(bench.image(f"{IMAGES}/one/{IMAGE}")))


@scenario(GROUP, "the shared pool is not active there", "preflight.not-evaluated")
def shared_pool_not_active(bench: Bench) -> None:
    bench.guest(disk(bench.image(f"{SHARED}/{IMAGE}")))
    pool = bench.virt(bench.destination).storagePoolLookupByName("VM")
    bench.undo.callback(pool.create)
    pool.destroy()


@scenario(GROUP, "a volume disk whose pool is missing there", "disk.path")
def pool_of_volume_missing(bench: Bench) -> None:
    bench.folder(f"{SHARED}/sub", bench.source)
    bench.folder(f"{IMAGES}/one", bench.source)
    bench.pool(bench.source, "sub", f"{IMAGES}/one", source="VM/sub").refresh()
    bench.image(f"{IMAGES}/one/{IMAGE}")
    bench.virt(bench.source).storagePoolLookupByName("sub").refresh()
    bench.guest(
        f"<disk type='volume' device='disk'><driver name='qemu' type='raw' cache='none'/>"
        f"<source pool='sub' volume='{IMAGE}'/><target dev='vda' bus='virtio'/></disk>"
    )


@scenario(GROUP, "a SATA disk on shared storage", "disk.sata")
def sata_disk(bench: Bench) -> None:
    bench.guest(disk(bench.image(f"{SHARED}/{IMAGE}"), target="sda", bus="sata"))


@scenario(GROUP, "a shareable disk on shared storage", "disk.shareable")
def shareable_disk(bench: Bench) -> None:
    bench.guest(disk(bench.image(f"{SHARED}/{IMAGE}"), more="<shareable/>"))


@scenario(GROUP, "a shareable disk on local storage", "disk.shared")
def shareable_local_disk(bench: Bench) -> None:
    bench.guest(disk(bench.image(f"{LOCAL}/{IMAGE}"), more="<shareable/>"))


@scenario(GROUP, "a read-only disk that only the source has", "disk.path")
def read_only_local_disk(bench: Bench) -> None:
    bench.guest(disk(bench.image(f"{LOCAL}/{IMAGE}"), more="<readonly/>"))


@scenario(GROUP, "a transient disk on shared storage", "disk.transient")
def transient_disk(bench: Bench) -> None:
    bench.guest(disk(bench.image(f"{SHARED}/{IMAGE}"), more="<transient/>"))


@scenario(GROUP, "a qcow2 disk on shared storage whose base image is on local storage", "disk.path")
def base_image_missing(bench: Bench) -> None:
    base = bench.image(f"{LOCAL}/base.img")
    top = f"{SHARED}/{NAME}.qcow2"
    bench.here.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", base, top])
    bench.forget_file(bench.here, top)
    bench.guest(disk(top, form="qcow2"))


def _create_encrypted(bench: Bench, image: str, passphrase: str) -> None:
    """sha512: QEMU gives up where it cannot measure how long a faster digest takes here."""
    options = "encrypt.format=luks,encrypt.key-secret=key,encrypt.iter-time=1,encrypt.hash-alg=sha512"
    key = f"secret,id=key,data={passphrase}"
    bench.here.run(["qemu-img", "create", "-q", "-f", "qcow2", "--object", key, "-o", options, image, "2M"])


@scenario(GROUP, "an encrypted disk (LUKS) whose secret is not known there", "disk.encryption-secret")
def secret_missing(bench: Bench) -> None:
    image, secret, passphrase = f"{SHARED}/{NAME}.luks", str(uuid.uuid4()), "open sesame"
    _create_encrypted(bench, image, passphrase)
    bench.forget_file(bench.here, image)
    made = bench.virt(bench.source).secretDefineXML(
        f"<secret ephemeral='no' private='yes'><uuid>{secret}</uuid>"
        f"<usage type='volume'><volume>{image}</volume></usage></secret>"
    )
    bench.undo.callback(made.undefine)
    made.setValue(passphrase.encode())
    more = f"<encryption format='luks'><secret type='passphrase' uuid='{secret}'/></encryption>"
    bench.guest(
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='none'/><source file='{image}'>{more}"
        "</source><target dev='vda' bus='virtio'/></disk>"
    )


@scenario(GROUP, "a disk in the image format of another hypervisor (VDI)", "disk.format")
def foreign_format(bench: Bench) -> None:
    image = f"{SHARED}/{NAME}.vdi"
    bench.here.run(["qemu-img", "create", "-q", "-f", "vdi", image, "2M"])
    bench.forget_file(bench.here, image)
    bench.guest(disk(image, form="vdi"))
