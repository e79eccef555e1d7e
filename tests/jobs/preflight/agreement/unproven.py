"""Checks that the lab cannot provoke, each with the reason."""

ONE_MACHINE = "both hosts are the same machine with the same kernel"

UNPROVEN: dict[str, str] = {
    "cpu.baseline": f"said of a pair of hosts without a guest; and {ONE_MACHINE}",
    "cpu.invtsc": "libvirt starts no guest with an invariant counter on a host without one, and this one has none",
    "cpu.tsc-frequency": f"{ONE_MACHINE}, so that a frequency the destination cannot give starts nowhere",
    "disk.cache-unsafe": "libvirt refuses only with a QEMU older than 4.0",
    "disk.layers": "said of offline moves with disks, whose images the product itself copies; libvirt copies none",
    "disk.map-format": "of the product's own making: libvirt is given volumes that are there",
    "disk.map-volume": "of the product's own making: libvirt is given volumes that are there",
    "disk.remove-source": "said before the product itself removes files; libvirt removes none",
    "disk.nvme": "no NVMe device on this machine",
    "disk.reservation": "no SCSI device on this machine that could be reserved",
    "load.heavy-writer": "such a move has no end of its own, so that there is nothing to compare",
    "device.vdpa": "no vDPA device on this machine",
    "device.video-3d": "no graphics card on this machine, so that no guest with 3D acceleration starts",
    "graphics.tls": "whether SPICE is encrypted at a host stands in its qemu.conf, which the lab leaves as it is",
    "host.architecture": f"{ONE_MACHINE}, and there is one architecture only",
    "host.hypervisor": "a guest that only the source can run would need KVM, which the lab does without",
    "host.microcode": f"{ONE_MACHINE} and processor",
    "security.model": "neither SELinux nor AppArmor in the lab's hosts, so that no guest starts with their labels",
    "security.sev-tdx": "no processor that seals memory, so that no such guest starts",
    "state.job-active": "libvirt waits half a minute and more for the other job before it refuses; measured by hand",
    "state.readable": "libvirt accepts no description that it could not read back",
}
