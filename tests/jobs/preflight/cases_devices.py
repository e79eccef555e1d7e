"""Cases of the checks on devices, firmware, security, graphics, and what is worth knowing."""

from __future__ import annotations

from hosts.facts.device_paths import MOVE_CA, MOVE_CERTIFICATE
from hosts.facts.host import GuestSupport
from hosts.facts.probe import PathIdentity
from jobs.preflight.context import PreflightContext
from jobs.preflight.findings import Severity
from tests.jobs.builders import (
    DISK_PATH,
    XML,
    context,
    described,
    disk,
    domain,
    guest,
    network,
    offline,
    probe,
    status,
    with_facts,
)

B, W, I = Severity.BLOCKER, Severity.WARNING, Severity.INFO  # noqa: E741
SWTPM = "/usr/bin/swtpm"
PCI = "<address domain='0x0000' bus='0x03' slot='0x00' function='0x0'/>"
MLX = f"<hostdev mode='subsystem' type='pci'><driver model='mlx5_vfio_pci'/><source>{PCI}</source></hostdev>"
VF = (
    "<interface type='hostdev'><mac address='52:54:00:00:00:09'/><teaming type='transient' persistent='ua-b'/>"
    "</interface>"
)
TPM = "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>"
NINE_P = "<filesystem type='mount'><source dir='/srv'/></filesystem>"
VIRTIOFS = "<filesystem type='mount'><driver type='virtiofs'/><source dir='/srv'/></filesystem>"
VDPA = (
    "<interface type='vdpa'><mac address='52:54:00:00:00:09'/><source dev='/dev/vhost-vdpa-0'/></interface>"
)
LOADER = "/usr/share/OVMF/OVMF_CODE_4M.fd"
NVRAM = "/var/lib/libvirt/qemu/nvram/web01_VARS.fd"
UEFI = f"<os><loader readonly='yes' type='pflash'>{LOADER}</loader><nvram>{NVRAM}</nvram></os>"
CARRIED = {"kind": "offline", "storage": "copy-all"}  # with its files
LOG = "<serial type='file'><source path='/srv/logs/web01.log'/></serial>"


def told(devices: str = "", rest: str = "", **changes) -> PreflightContext:
    """The right context with a guest whose description says this."""
    return context(guest=described(devices, rest), **changes)


def told_offline(devices: str = "", rest: str = "", **changes) -> PreflightContext:
    return offline(guest=described(devices, rest, status=status("shut off/shutdown")), **changes)


def newer(base: PreflightContext, library: int = 11_003_000, hypervisor: int = 9_000_000) -> PreflightContext:
    return with_facts(base, "source", library_version=library, hypervisor_version=hypervisor)


def identity(number: int = 1, size_bytes: int = 1000) -> PathIdentity:
    return PathIdentity(number, size_bytes, 1_795_581_027)


def seen(here: tuple[str, ...] = (), there: tuple[str, ...] = (), **changes):
    """Which of these files either host has; both were asked."""
    asked = {"/asked": identity()}
    return probe(
        source_files=asked | {path: identity() for path in here},
        destination_files=asked | {path: identity() for path in there},
        **changes,
    )


def resized() -> PreflightContext:
    """The firmware has another size over there."""
    sizes = ({LOADER: identity(1, 100)}, {LOADER: identity(2, 200)})
    return told(rest=UEFI, peer_probe=probe(source_files=sizes[0], destination_files=sizes[1]))


def of(**changes) -> PreflightContext:
    return context(guest=guest(domain(**changes)))


CASES: list[tuple[str, str, Severity, PreflightContext]] = [
    (
        "kind.tls-certificates",
        "none there",
        Severity.BLOCKER,
        context(peer_probe=seen((MOVE_CA, MOVE_CERTIFICATE), (MOVE_CA,)), options={"tls": True}),
    ),
    ("device.passthrough", "PCI, in words", B, told(f"<hostdev type='pci'><source>{PCI}</source></hostdev>")),
    (
        "device.passthrough",
        "USB device",
        B,
        told("<hostdev type='usb'><source><vendor id='0x1'/></source></hostdev>"),
    ),
    (
        "device.passthrough",
        "USB device that may be dropped",
        W,
        told("<hostdev type='usb'><source startupPolicy='optional'/></hostdev>"),
    ),
    ("device.passthrough", "SCSI device", B, newer(told("<hostdev type='scsi'/>"))),
    ("device.passthrough", "vGPU", B, newer(told("<hostdev type='mdev'/>"))),
    ("device.passthrough", "interface of a failover pair", I, told(VF)),
    ("device.passthrough", "failover pair, offline", W, told_offline(VF)),
    ("device.passthrough", "variant driver", W, newer(told(MLX))),
    ("device.passthrough", "variant driver, old QEMU", B, newer(told(MLX), hypervisor=8_000_000)),
    ("device.filesystem", "mounted, perhaps", B, newer(told(NINE_P))),
    ("device.filesystem", "virtiofs, old", B, told(VIRTIOFS)),
    ("device.filesystem", "virtiofs, old QEMU", B, newer(told(VIRTIOFS), hypervisor=8_001_000)),
    ("device.filesystem", "virtiofs, new", W, newer(told(VIRTIOFS))),
    ("device.filesystem", "offline", W, told_offline(NINE_P)),
    (
        "device.tpm",
        "passthrough",
        B,
        told("<tpm><backend type='passthrough'><device path='/dev/tpm0'/></backend></tpm>"),
    ),
    (
        "device.tpm",
        "external",
        W,
        told("<tpm><backend type='external'><source path='/run/t'/></backend></tpm>"),
    ),
    ("device.tpm", "no swtpm", B, told(TPM, peer_probe=seen(here=(SWTPM,)))),
    (
        "device.tpm",
        "state on shared storage, old libvirt",
        B,
        with_facts(
            told(TPM, peer_probe=seen(there=(SWTPM,), file_systems={"/var/lib/libvirt/swtpm": "nfs"})),
            "destination",
            library_version=8_009_000,
        ),
    ),
    ("device.shmem", "no role", B, told("<shmem name='s'><model type='ivshmem-plain'/></shmem>")),
    ("device.shmem", "peer", B, told("<shmem name='s' role='peer'><model type='ivshmem-plain'/></shmem>")),
    ("device.shmem", "legacy", B, told("<shmem name='s' role='master'><model type='ivshmem'/></shmem>")),
    ("device.shmem", "server", W, told("<shmem name='s' role='master'><server path='/run/s'/></shmem>")),
    (
        "device.shmem",
        "master",
        I,
        told("<shmem name='s' role='master'><model type='ivshmem-plain'/></shmem>"),
    ),
    (
        "device.redirdev",
        "TCP",
        W,
        told("<redirdev bus='usb' type='tcp'><source host='pc' service='40'/></redirdev>"),
    ),
    ("device.memory-dimm", "no slot", B, told("<memory model='dimm'/>")),
    (
        "device.memory-dimm",
        "no base",
        B,
        told("<memory model='dimm'><address type='dimm' slot='0'/></memory>"),
    ),
    ("device.memory-dimm", "enclaves", B, told("<memory model='sgx-epc'/>")),
    (
        "device.memory-dimm",
        "file",
        W,
        told("<memory model='nvdimm'><source><path>/srv/n</path></source></memory>"),
    ),
    (
        "device.vhost-user",
        "interface",
        W,
        told("<interface type='vhostuser'><source path='/run/v'/></interface>"),
    ),
    ("device.vhost-user", "disk", W, of(disks=(disk(type="vhostuser", source_path="/run/blk"),))),
    (
        "device.vhost-user",
        "graphics",
        W,
        told("<video><driver name='vhostuser'/><model type='virtio'/></video>"),
    ),
    ("device.vdpa", "old QEMU", B, told(VDPA)),
    ("device.vdpa", "old libvirt", B, newer(told(VDPA), library=8_000_000)),
    ("device.vdpa", "QEMU decides", W, newer(told(VDPA))),
    ("device.vdpa", "offline", W, told_offline(VDPA)),
    (
        "device.slirp",
        "user network",
        W,
        told("<interface type='user'><mac address='52:54:00:00:00:09'/></interface>"),
    ),
    (
        "device.video-3d",
        "virgl",
        B,
        newer(told("<video><model type='virtio'><acceleration accel3d='yes'/></model></video>")),
    ),
    ("device.video-3d", "blobs, old QEMU", B, told("<video><model type='virtio' blob='on'/></video>")),
    ("device.unmigratable", "crypto", B, told("<crypto model='virtio'/>")),
    ("device.unmigratable", "clipboard", B, told("<channel type='qemu-vdagent'/>")),
    ("device.unmigratable", "input", B, told("<input type='passthrough' bus='virtio'/>")),
    ("device.unmigratable", "NVMe", B, told("<controller type='nvme' index='0'/>")),
    ("device.unmigratable", "sound", B, told("<sound model='usb'/>")),
    ("device.unmigratable", "serial", B, told("<serial type='pty'><target type='usb-serial'/></serial>")),
    (
        "device.unmigratable",
        "adapter",
        B,
        told("<interface type='bridge'><model type='usb-net'/></interface>"),
    ),
    ("device.unmigratable", "IOMMU", B, told("<iommu model='amd'/>")),
    ("device.paths", "no folder for the log", B, told(LOG, peer_probe=seen(here=("/srv/logs",)))),
    ("device.paths", "offline", W, told_offline(LOG, peer_probe=seen(here=("/srv/logs",)))),
    (
        "device.paths",
        "no kernel",
        B,
        told(rest="<os><kernel>/srv/vmlinuz</kernel></os>", peer_probe=seen(here=("/srv/vmlinuz",))),
    ),
    (
        "device.paths",
        "emulator has another name",
        B,
        with_facts(
            context(),
            "destination",
            guests_supported=(
                GuestSupport("hvm", "x86_64", ("kvm",), ("pc-q35-7.2",), "/usr/libexec/qemu-kvm"),
            ),
        ),
    ),
    ("firmware.nvram", "no firmware there", B, told(rest=UEFI, peer_probe=seen(here=(LOADER,)))),
    ("firmware.nvram", "firmware of another size", B, resized()),
    (
        "firmware.nvram",
        "firmware of a guest whose files are copied",
        B,
        told_offline(rest=UEFI, options=CARRIED, peer_probe=seen(here=(LOADER,))),
    ),
    (
        "firmware.nvram",
        "state of a TPM, copied or not",
        B,
        told_offline(TPM, options=CARRIED),
    ),
    ("firmware.nvram", "variables, both asked", B, told_offline(rest=UEFI, peer_probe=seen(here=(NVRAM,)))),
    ("security.sev-tdx", "SEV", B, told(rest="<launchSecurity type='sev'/>")),
    ("security.sev-tdx", "TDX, offline", W, told_offline(rest="<launchSecurity type='tdx'/>")),
    ("security.model", "static", B, told(rest="<seclabel type='static' model='selinux'/>")),
    ("security.model", "made by libvirt", B, told(rest="<seclabel type='dynamic' model='apparmor'/>")),
    (
        "security.model",
        "of a disk",
        B,
        told("<disk><source><seclabel model='selinux' relabel='no'/></source></disk>"),
    ),
    ("security.model", "offline", W, told_offline(rest="<seclabel type='static' model='selinux'/>")),
    (
        "security.model",
        "confined no more",
        W,
        with_facts(context(), "source", security_models=("apparmor", "dac")),
    ),
    (
        "time.guest",
        "no kvm-clock",
        W,
        told(rest="<clock offset='utc'><timer name='kvmclock' present='no'/></clock>"),
    ),
    (
        "time.guest",
        "local time",
        I,
        told(
            rest="<metadata><x:os xmlns:x='l' id='http://debian.org/12'/></metadata><clock offset='localtime'/>"
        ),
    ),
    ("guest.agent", "no channel", I, context(guest=guest(xml="<domain/>"))),
    ("guest.agent", "silent", I, context(guest=guest(xml=XML.replace("'connected'", "'disconnected'")))),
    (
        "guest.autostart",
        "not kept",
        W,
        context(guest=guest(status=status(autostart=True)), options={"persistent": False}),
    ),
    (
        "guest.qemu-commandline",
        "arguments",
        W,
        told(rest="<qemu:commandline><qemu:arg value='-device'/></qemu:commandline>"),
    ),
    (
        "guest.qemu-commandline",
        "changed device",
        W,
        told(rest="<qemu:override><qemu:device alias='ua-disk'/></qemu:override>"),
    ),
    ("graphics.listen", "a name", W, of(graphics=(("vnc", "consoles.example.org"),))),
    ("graphics.listen", "name of the source", B, of(graphics=(("vnc", "mercury.example.org"),))),
    (
        "device.paths",
        "listens on an address of the source",
        B,
        told("<serial type='tcp'><source mode='bind' host='10.99.0.1' service='4555'/></serial>"),
    ),
    (
        "graphics.listen",
        "no such network",
        B,
        told("<graphics type='vnc'><listen type='network' network='gone'/></graphics>"),
    ),
    (
        "graphics.listen",
        "inactive network, offline",
        W,
        with_facts(
            told_offline("<graphics type='vnc'><listen type='network' network='lan'/></graphics>"),
            "destination",
            networks=(network(active=False),),
        ),
    ),
    (
        "graphics.port",
        "fixed",
        W,
        told("<graphics type='vnc' port='5901' autoport='no' listen='127.0.0.1'/>"),
    ),
    ("graphics.tls", "port", W, told("<graphics type='spice' port='5900' tlsPort='5901' autoport='yes'/>")),
    (
        "graphics.tls",
        "secure channel",
        W,
        told("<graphics type='spice'><channel name='main' mode='secure'/></graphics>"),
    ),
    ("kind.rdma", "no limit", B, context(options={"migrate_uri": "rdma://10.99.0.2"})),
]

UNKNOWN: list[tuple[str, Severity, PreflightContext]] = [
    ("kind.tls-certificates", Severity.WARNING, context(options={"tls": True})),
    ("device.tpm", W, told(TPM)),
    ("device.paths", W, told(LOG)),
    (
        "device.paths",
        W,
        told("<serial type='tcp'><source mode='connect' host='logs' service='4555'/></serial>"),
    ),
    ("device.paths", W, of(emulator="/opt/qemu/bin/qemu-system-x86_64")),
    ("firmware.nvram", W, told(rest=UEFI)),
    (
        "graphics.listen",
        B,
        with_facts(
            told("<graphics type='vnc'><listen type='network' network='lan'/></graphics>"),
            "destination",
            unread=(("networks", "not supported"),),
        ),
    ),
]

RIGHT_BUT_TEMPTING: list[tuple[str, PreflightContext]] = [
    (
        "certificates on both hosts",
        context(peer_probe=seen(*((MOVE_CA, MOVE_CERTIFICATE),) * 2), options={"tls": True}),
    ),
    (
        "emulated TPM with swtpm there",
        told(TPM, peer_probe=seen(there=(SWTPM,), file_systems={DISK_PATH: "fuseblk"})),
    ),
    ("USB of the viewer", told("<redirdev bus='usb' type='spicevmc'/>")),
    (
        "memory module in its place",
        told("<memory model='dimm'><address type='dimm' slot='0' base='0x100000000'/></memory>"),
    ),
    ("memory that grows", told("<memory model='virtio-mem'/>")),
    ("peer of shared memory, offline", told_offline("<shmem name='s' role='peer'/>")),
    ("two-dimensional graphics", told("<video><model type='qxl'/></video>")),
    (
        "log in libvirt's own folder",
        told("<serial type='pty'><log file='/var/log/libvirt/qemu/w.log'/></serial>"),
    ),
    (
        "socket that libvirt makes",
        told(
            "<channel type='unix'><source mode='bind' path='/var/lib/libvirt/qemu/channel/target/d/x'/></channel>"
        ),
    ),
    (
        "serial port for everybody",
        told("<serial type='tcp'><source mode='bind' host='0.0.0.0' service='4'/></serial>"),
    ),
    ("random numbers of every kernel", told("<rng><backend model='random'>/dev/urandom</backend></rng>")),
    ("own log folder, there too", told(LOG, peer_probe=seen(there=("/srv/logs",)))),
    ("firmware of the same size", told(rest=UEFI, peer_probe=seen((LOADER,), (LOADER,)))),
    ("variables on the same file, offline", told_offline(rest=UEFI, peer_probe=seen((NVRAM,), (NVRAM,)))),
    (
        "labels that libvirt leaves out",
        told(rest="<seclabel type='dynamic' model='dac'/><seclabel model='none'/>"),
    ),
    (
        "both confine, each in its way",
        with_facts(
            with_facts(context(), "source", security_models=("apparmor",)),
            "destination",
            security_models=("selinux",),
        ),
    ),
    (
        "Windows on local time",
        told(
            rest="<metadata><x:os xmlns:x='l' id='http://microsoft.com/win/10'/></metadata><clock offset='localtime'/>"
        ),
    ),
    ("starts with its host, kept there", context(guest=guest(status=status(autostart=True)))),
    (
        "console on the address of a network",
        told(
            "<graphics type='vnc' listen='10.9.9.9'>"
            "<listen type='network' address='10.9.9.9' network='lan'/></graphics>"
        ),
    ),
    ("port chosen anew", told("<graphics type='vnc' port='5900' autoport='yes' listen='127.0.0.1'/>")),
    ("console without TLS", told("<graphics type='spice' port='5900' tlsPort='-1' autoport='yes'/>")),
    (
        "RDMA with a limit",
        told(
            rest="<memtune><hard_limit>1</hard_limit></memtune>", options={"migrate_uri": "rdma://10.99.0.2"}
        ),
    ),
]
