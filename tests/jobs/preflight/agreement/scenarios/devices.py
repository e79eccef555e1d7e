"""Devices that belong to a host, or that QEMU cannot send."""

from __future__ import annotations

from typing import Any

from tests.jobs.preflight.agreement.bench import IMAGES, LOCAL, NAME, SHARED, Bench
from tests.jobs.preflight.agreement.guests import PORTABLE_CPU, GuestForm, disk, nic
from tests.jobs.preflight.agreement.scenario import scenario

GROUP = "Devices"
USB = "<controller type='usb' model='qemu-xhci'/>"
QEMU_NAMESPACE = "xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'"
LINUX_IN_LOCAL_TIME = (
    "<metadata><l:libosinfo xmlns:l='http://libosinfo.org/xmlns/libvirt/domain/1.0'>"
    "<l:os id='http://debian.org/debian/12'/></l:libosinfo></metadata><clock offset='localtime'/>"
)
NUMA_CPU = PORTABLE_CPU.replace("</cpu>", "<numa><cell id='0' cpus='0' memory='32' unit='MiB'/></numa></cpu>")


def _share(bench: Bench) -> str:
    """A 9p share of a folder that both hosts have."""
    folder = bench.folder(f"{IMAGES}/handover")
    return f"<filesystem type='mount' accessmode='mapped'><source dir='{folder}'/><target dir='handover'/></filesystem>"


@scenario(
    GROUP,
    "a 9p share that the guest has not mounted",
    "device.filesystem",
    on_purpose="QEMU refuses only while the guest has it mounted, which no host can see; the guidance forbids it",
)
def unmounted_9p_share(bench: Bench) -> None:
    bench.guest(_share(bench))


@scenario(GROUP, "the same for a shut-off guest", "device.filesystem")
def share_9p_offline(bench: Bench) -> dict[str, Any]:
    bench.guest(_share(bench), state="shut off")
    return {"kind": "offline"}


@scenario(GROUP, "a PCI device of the host in the definition of a shut-off guest", "device.passthrough")
def pci_device_offline(bench: Bench) -> dict[str, Any]:
    bench.guest(
        "<hostdev mode='subsystem' type='pci' managed='yes'><source>"
        "<address domain='0x0000' bus='0x00' slot='0x05' function='0x0'/></source></hostdev>",
        state="shut off",
    )
    return {"kind": "offline"}


@scenario(GROUP, "a USB device of the host in the definition of a shut-off guest", "device.passthrough")
def usb_device_offline(bench: Bench) -> dict[str, Any]:
    bench.guest(
        "<hostdev mode='subsystem' type='usb'><source><vendor id='0x1234'/><product id='0xbeef'/></source></hostdev>",
        usb=USB,
        state="shut off",
    )
    return {"kind": "offline"}


@scenario(GROUP, "shared memory without a server, role peer", "device.shmem")
def shared_memory(bench: Bench) -> None:
    bench.guest(
        "<shmem name='agreement' role='peer'><model type='ivshmem-plain'/><size unit='M'>1</size></shmem>"
    )


@scenario(
    GROUP,
    "a memory module (DIMM), an NVDIMM backed by a file on shared storage, shared memory of which it is master",
    "device.memory-dimm",
    "device.shmem",
)
def memory_devices(bench: Bench) -> None:
    path = bench.image(f"{SHARED}/nvdimm.img", mib=128)
    bench.marks.clear()  # the guest writes it anew
    bench.guest(
        "<memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target></memory>"
        f"<memory model='nvdimm'><source><path>{path}</path></source>"
        "<target><size unit='MiB'>128</size><node>0</node></target></memory>"
        "<shmem name='agreement' role='master'><model type='ivshmem-plain'/><size unit='M'>1</size></shmem>",
        memory="<maxMemory slots='4' unit='MiB'>1024</maxMemory><memory unit='MiB'>288</memory>",
        cpu=NUMA_CPU,
    )


@scenario(
    GROUP,
    "redirected USB devices, a user-mode network, arguments for QEMU itself",
    "device.redirdev",
    "device.slirp",
    "guest.qemu-commandline",
)
def what_is_only_warned_of(bench: Bench) -> None:
    words = ("-global", "isa-debugcon.iobase=0x402")
    inside = "".join(f"<qemu:arg value='{word}'/>" for word in words)
    bench.guest(
        "<redirdev bus='usb' type='pty'/>" + nic("user", ""),
        usb=USB,
        namespaces=QEMU_NAMESPACE,
        head=f"<qemu:commandline>{inside}</qemu:commandline>",
    )


@scenario(
    GROUP,
    "what guests usually have: SCSI disk, USB, VNC, sound, agent channel, kernel, IOMMU …",
    "guest.agent",
    "time.guest",
)
def usual_devices(bench: Bench) -> None:
    bench.guest(
        "<controller type='scsi' model='virtio-scsi'/>"
        + disk(bench.image(f"{SHARED}/{NAME}.img"), target="sda", bus="scsi")
        + "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
        "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
        "<watchdog model='i6300esb' action='reset'/><panic model='isa'/><iommu model='intel'/>"
        "<sound model='ich9'/><audio id='1' type='none'/>"
        "<input type='tablet' bus='usb'/><input type='keyboard' bus='virtio'/>"
        "<graphics type='vnc' autoport='yes' listen='0.0.0.0'/>",
        os="<kernel>/var/lib/libvirt/boot/vmlinuz</kernel>",
        cpu="",
        head=LINUX_IN_LOCAL_TIME,
        memory="<memory unit='MiB'>64</memory>",
        usb=USB,
    )


UNMIGRATABLE = {
    "clipboard_channel": "<channel type='qemu-vdagent'><target type='virtio' name='com.redhat.spice.0'/></channel>",
    "usb_sound": "<sound model='usb'/><audio id='1' type='none'/>",
    "usb_serial_port": "<serial type='pty'><target type='usb-serial' port='0'/></serial>",
}
for _name, _device in UNMIGRATABLE.items():

    def _unmigratable(bench: Bench, device: str = _device) -> None:
        bench.guest(device, usb=USB)

    _unmigratable.__name__ = _name
    scenario(GROUP, f"a device that QEMU cannot send: {_name.replace('_', ' ')}", "device.unmigratable")(
        _unmigratable
    )


@scenario(GROUP, "a log of the serial port in a folder that is missing there", "device.paths")
def serial_log_folder(bench: Bench) -> None:
    folder = bench.folder("/var/log/consoles", bench.source)
    bench.guest(f"<serial type='pty'><log file='{folder}/{NAME}.log' append='on'/></serial>")


@scenario(GROUP, "a serial port into a file whose folder is missing there", "device.paths")
def serial_file_folder(bench: Bench) -> None:
    folder = bench.folder("/var/log/consoles", bench.source)
    bench.guest(f"<serial type='file'><source path='{folder}/{NAME}.log'/></serial>")


@scenario(GROUP, "a kernel that only the source has", "device.paths")
def kernel_missing(bench: Bench) -> None:
    folder = bench.folder(f"{IMAGES}/boot", bench.source)
    bench.run(bench.here, "cp", "/var/lib/libvirt/boot/vmlinuz", folder)
    bench.guest(os=f"<kernel>{folder}/vmlinuz</kernel>", memory="<memory unit='MiB'>64</memory>")


TPM = "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>"
LEFT_BEHIND = "libvirt moves the definition and leaves {} at the source without a word"


@scenario(GROUP, "an emulated TPM, no emulator for it there", "device.tpm")
def swtpm_missing(bench: Bench) -> None:
    bench.guest(TPM)
    bench.hide(bench.there, "/usr/bin/swtpm")


@scenario(
    GROUP,
    "an emulated TPM, offline",
    "firmware.nvram",
    on_purpose=LEFT_BEHIND.format("what the TPM has stored"),
)
def emulated_tpm_offline(bench: Bench) -> dict[str, Any]:
    bench.guest(TPM, state="shut off")
    return {"kind": "offline"}


def _uefi(devices: str = "") -> GuestForm:
    loader = "<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.fd</loader>"
    nvram = f"<nvram template='/usr/share/OVMF/OVMF_VARS_4M.fd'>/var/lib/libvirt/qemu/nvram/{NAME}.fd</nvram>"
    return GuestForm(devices=devices, os=loader + nvram, memory="<memory unit='MiB'>64</memory>")


@scenario(GROUP, "UEFI firmware with variables, and an emulated TPM")
def uefi_and_tpm(bench: Bench) -> None:
    bench.guest(form=_uefi(TPM))


@scenario(
    GROUP,
    "UEFI firmware with variables, offline",
    "firmware.nvram",
    on_purpose=LEFT_BEHIND.format("the firmware's variables"),
)
def uefi_offline(bench: Bench) -> dict[str, Any]:
    bench.guest(form=_uefi(), state="shut off")
    return {"kind": "offline"}


@scenario(GROUP, "UEFI firmware that is missing there", "firmware.nvram")
def firmware_missing(bench: Bench) -> None:
    folder = bench.folder(f"{IMAGES}/firmware", bench.source)
    for file in ("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"):
        bench.run(bench.here, "cp", f"/usr/share/OVMF/{file}", folder)
    form = GuestForm(
        os=f"<loader readonly='yes' type='pflash'>{folder}/OVMF_CODE_4M.fd</loader>"
        f"<nvram template='{folder}/OVMF_VARS_4M.fd'>/var/lib/libvirt/qemu/nvram/{NAME}.fd</nvram>",
        memory="<memory unit='MiB'>64</memory>",
    )
    bench.guest(form=form)


VHOST_MEMORY = "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"
VHOST_SOCKET, VHOST_PID = "/run/vhost-user.sock", "/run/vhost-user.pid"


def _serve_disk(bench: Bench, *hosts: str) -> None:
    """A process of its own serves the disk, as SPDK would."""
    for name in hosts:
        host = bench.lab.hosts[name]
        image = bench.image(f"{LOCAL}/vhost-user.img", name)
        node = f"driver=file,node-name=disk,filename={image},locking=off"
        export = f"type=vhost-user-blk,id=export,node-name=disk,writable=on,addr.type=unix,addr.path={VHOST_SOCKET}"
        words = ("qemu-storage-daemon", "--daemonize", "--pidfile", VHOST_PID)
        end = ("sh", "-c", f"kill $(cat {VHOST_PID}); rm -f {VHOST_SOCKET} {VHOST_PID}")
        bench.run(host, *words, "--blockdev", node, "--export", export, undo=end)
    bench.marks.clear()
    bench.guest(
        f"<disk type='vhostuser' device='disk'><driver name='qemu' type='raw'/><source type='unix' "
        f"path='{VHOST_SOCKET}'/><target dev='vda' bus='virtio'/></disk>",
        head=VHOST_MEMORY,
    )


@scenario(
    GROUP,
    "a vhost-user disk that a process on each host serves",
    "device.vhost-user",
    "disk.shared",
    on_purpose="nobody can tell whether the process there serves the same disk; here it serves another one",
)
def vhost_user_disk(bench: Bench) -> None:
    _serve_disk(bench, bench.source, bench.destination)


@scenario(GROUP, "a vhost-user disk that no process there serves", "device.vhost-user", "disk.path")
def vhost_user_disk_not_served(bench: Bench) -> None:
    _serve_disk(bench, bench.source)
