"""The guests' kernel and initramfs: Debian's cloud kernel, busybox and some modules, made once."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

from .layout import cache_folder
from .system import LabError, exclusive, run

GUEST_INIT = Path(__file__).with_name("guest_init.sh")
BUSYBOX = Path("/bin/busybox")
# In load order. ext4 and tmpfs are built in; button and evdev bring the power button to acpid.
MODULES = (
    "drivers/virtio/virtio_ring",
    "drivers/virtio/virtio",
    "drivers/virtio/virtio_pci_modern_dev",
    "drivers/virtio/virtio_pci_legacy_dev",
    "drivers/virtio/virtio_pci",
    "drivers/block/virtio_blk",
    "net/core/failover",
    "drivers/net/net_failover",
    "drivers/net/virtio_net",
    "drivers/acpi/button",
    "drivers/input/evdev",
)


def ensure_guest_image() -> None:
    """Make vmlinuz and initrd.img in the cache, unless they are there and made from the same parts."""
    kernel = _newest_kernel()
    digest = hashlib.sha256(GUEST_INIT.read_bytes() + repr((kernel.name, MODULES)).encode()).hexdigest()
    cache = cache_folder()
    with exclusive(cache / ".lock"):
        stamp = cache / "made-from"
        if stamp.exists() and stamp.read_text() == digest:
            return
        _build_initramfs(kernel.name.removeprefix("vmlinuz-"), cache / "initrd.img.new")
        shutil.copy(kernel, cache / "vmlinuz.new")
        # Renamed, not overwritten: running instances hold hard links to the images they were made with.
        for name in ("vmlinuz", "initrd.img"):
            (cache / f"{name}.new").rename(cache / name)
        stamp.write_text(digest)


def _newest_kernel() -> Path:
    kernels = sorted(Path("/boot").glob("vmlinuz-*-cloud-amd64"), key=lambda path: path.stat().st_mtime)
    if not kernels:
        raise LabError("no cloud kernel in /boot: apt-get install --reinstall linux-image-cloud-amd64")
    return kernels[-1]


def _build_initramfs(release: str, target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        tree = Path(folder)
        for name in ("bin", "dev", "etc", "modules", "proc", "sys"):
            (tree / name).mkdir()
        shutil.copy(BUSYBOX, tree / "bin/busybox")
        shutil.copy(GUEST_INIT, tree / "init")
        (tree / "init").chmod(0o755)
        for module in MODULES:
            shutil.copy(f"/lib/modules/{release}/kernel/{module}.ko", tree / "modules")
        (tree / "modules/order").write_text("".join(f"{Path(module).name}\n" for module in MODULES))
        names = "\n".join(str(path.relative_to(tree)) for path in sorted(tree.rglob("*")))
        # Not compressed: under emulation unpacking costs more than reading.
        run(
            ["cpio", "--quiet", "--create", "--format=newc", "--directory", tree, "--file", target],
            input=names + "\n",
        )
