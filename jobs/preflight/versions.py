"""From which version on libvirt and QEMU can move what; each number with what it was read in. Pure.

A version between the last one known to refuse and the first one known to move counts as refusing; a person may
waive it.
"""

from __future__ import annotations

from typing import Final

from hosts.facts.host import HostFacts

# libvirt's qemuMigrationSrcIsAllowed asks QEMU for its reasons (query-migrate: blocked-reasons, QEMU 6.0)
# instead of refusing every host device and vDPA itself. Read in the source of libvirt 9.0.0.
ASKS_QEMU_LIBRARY: Final = 9_000_000
ASKS_QEMU: Final = 6_000_000
# QEMU's change log 8.1: migration of VFIO devices is no longer experimental.
MOVES_VFIO: Final = 8_001_000
# libvirt's news 9.7.0: a device may be bound to a “VFIO variant” driver, which can migrate.
KNOWS_VFIO_VARIANTS: Final = 9_007_000
# libvirt 9.0.0 refuses every virtiofs device, 11.3.0 those whose daemon cannot migrate (qemuMigrationSrcIsAllowed).
MOVES_VIRTIOFS_LIBRARY: Final = 11_003_000
# QEMU “vhost-user-fs: Implement internal migration” (8.2); 7.2 has .unmigratable there.
MOVES_VIRTIOFS: Final = 8_002_000
# QEMU “vdpa: remove net cvq migration blocker” (8.2).
MOVES_VDPA: Final = 8_002_000
# libvirt's news 8.10.0: swtpm is given --migration, so its state may lie on shared storage.
SHARES_TPM_STATE: Final = 8_010_000
# QEMU “virtio-gpu: add virtio-gpu/blob vmstate subsection” (8.2).
MOVES_BLOBS: Final = 8_002_000
# QEMU “ich9/ahci: Enable Migration” (2.4); 7.2 has no .unmigratable in hw/ide, and moved SATA disks when measured.
MOVES_SATA: Final = 2_004_000


def asks_qemu(facts: HostFacts) -> bool:
    """Whether libvirt there leaves it to QEMU which host devices can move."""
    return facts.library_version >= ASKS_QEMU_LIBRARY and facts.hypervisor_version >= ASKS_QEMU
