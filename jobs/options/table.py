"""The one table of all options of `virsh migrate` (libvirt 9.0) that QEMU knows.

The form, the dialog, the command line, the documents, the virsh line and libvirt's order are made from it.
A test compares it with `virsh help migrate`, so that no option is forgotten.
"""

from __future__ import annotations

from typing import Final

from hosts.ports import MigrateFlag
from jobs.options.model import Control, Kind, Storage, TimeoutAction
from jobs.options.shape import Choice, Group, Option, Value

TRANSFERS: Final = frozenset({Kind.LIVE, Kind.NON_LIVE})  # memory is sent
LIVE: Final = frozenset({Kind.LIVE})

# QEMU_DOMAIN_MIG_BANDWIDTH_MAX of libvirt: INT64_MAX bytes/s in MiB/s. libvirt does not check the parameter.
MAX_BANDWIDTH_MIB_PER_S: Final = (2**63 - 1) // 2**20
# virsh multiplies by 1000 into an int: "migrate: Timeout is too big".
MAX_TIMEOUT_S: Final = (2**31 - 1) // 1000
# What libvirt 9.0 accepts; zlib and zstd came with 9.4.
COMPRESSION_METHODS: Final = ("xbzrle", "mt")

_KIND_CHOICES: Final = (
    Choice(
        Kind.LIVE,
        "Live",
        "The guest keeps running; it pauses for the switch-over only.",
        ("--live",),
        frozenset({MigrateFlag.LIVE}),
    ),
    Choice(Kind.NON_LIVE, "Pause and move", "The guest is paused while its memory is sent, then goes on."),
    Choice(
        Kind.OFFLINE,
        "Offline",
        "The definition of a shut-off guest is sent, and its disks where they are copied.",
        ("--offline",),
        frozenset({MigrateFlag.OFFLINE}),
    ),
)
_CONTROL_CHOICES: Final = (
    Choice(
        Control.PEER_TO_PEER,
        "Peer to peer",
        "The source host drives the move itself; it survives the loss of this console.",
        ("--p2p",),
        frozenset({MigrateFlag.PEER2PEER}),
    ),
    # virsh's own --direct is something else (unmanaged, which QEMU refuses): client-driven is its default.
    Choice(Control.DIRECT, "Driven from here", "This console drives both hosts and must live until the end."),
    Choice(
        Control.TUNNELLED,
        "Tunnelled",
        "Memory travels inside the libvirt connection: slow, one stream, no copied storage. Prefer TLS.",
        ("--p2p", "--tunnelled"),
        frozenset({MigrateFlag.PEER2PEER, MigrateFlag.TUNNELLED}),
    ),
)
_STORAGE_CHOICES: Final = (
    Choice(Storage.SHARED, "Shared", "Both hosts reach the same disks; nothing is copied."),
    Choice(
        Storage.COPY_ALL,
        "Copy disks",
        "Whole disks are copied to the destination.",
        ("--copy-storage-all",),
        frozenset({MigrateFlag.NON_SHARED_DISK}),
    ),
    Choice(
        Storage.COPY_INCREMENTAL,
        "Copy top layers",
        "Only the top layer is copied; the same base image must exist there already.",
        ("--copy-storage-inc",),
        frozenset({MigrateFlag.NON_SHARED_INC}),
    ),
)
_TIMEOUT_CHOICES: Final = (
    Choice(
        TimeoutAction.SUSPEND,
        "Pause to finish",
        "Pause the guest so that the rest is sent.",
        ("--timeout-suspend",),
    ),
    Choice(
        TimeoutAction.POSTCOPY,
        "Switch to post-copy",
        "Run at the destination, fetch the rest.",
        ("--timeout-postcopy",),
    ),
)

_COMPRESSION_CHOICES: Final = (
    Choice("xbzrle", "xbzrle", "Sends the differences of pages sent before."),
    Choice("mt", "mt", "Compresses pages in threads; gone from QEMU 9.1."),
)

# fmt: off
OPTIONS: Final[tuple[Option, ...]] = (
    Option("kind", "Kind of move", Group.KIND, "Live, paused or definition only.", Value.CHOICE,
           advanced=False, choices=_KIND_CHOICES),
    Option("control", "Driven by", Group.CONTROL, "Who drives the move.", Value.CHOICE,
           choices=_CONTROL_CHOICES),
    Option("persistent", "Keep it defined at the destination", Group.STAYS_BEHIND,
           "Otherwise the guest is gone from the destination when it stops.", Value.SWITCH, "--persistent",
           advanced=False, flag=MigrateFlag.PERSIST_DEST),
    Option("undefine_source", "Remove the definition from the source", Group.STAYS_BEHIND,
           "Done after the guest was seen at the destination.", Value.SWITCH, "--undefinesource",
           advanced=False, flag=MigrateFlag.UNDEFINE_SOURCE),
    Option("suspend", "Leave it paused at the destination", Group.STAYS_BEHIND,
           "The guest waits there until somebody resumes it.", Value.SWITCH, "--suspend", TRANSFERS,
           flag=MigrateFlag.PAUSED),
    Option("storage", "Storage", Group.STORAGE, "Whether disks are shared or copied.", Value.CHOICE,
           advanced=False, choices=_STORAGE_CHOICES),
    Option("synchronous_writes", "Write to both sides while copying", Group.STORAGE,
           "Makes the copy of a busy disk end, at the price of slower writes.", Value.SWITCH,
           "--copy-storage-synchronous-writes", TRANSFERS, flag=MigrateFlag.NON_SHARED_SYNCHRONOUS_WRITES),
    Option("migrate_disks", "Disks to copy", Group.STORAGE,
           "Targets such as vda; none named means all that are writable and not shareable.", Value.NAMES,
           "--migrate-disks", advanced=False, parameter="migrate_disks"),
    Option("storage_map", "Where disks go", Group.STORAGE,
           "TARGET=POOL or TARGET=POOL/VOLUME, such as vda=fast/web01.qcow2, for disks that go elsewhere than to the "
           "same pool and path.", Value.NAMES, advanced=False),
    Option("reuse_volumes", "Use volumes that are there already", Group.STORAGE,
           "Of the same format and size; what is in them is written over.", Value.SWITCH),
    Option("remove_source_disks", "Remove the copied disks from the source", Group.STAYS_BEHIND,
           "After the guest was verified at the destination; its disks there are then the only ones.", Value.SWITCH),
    Option("disks_uri", "Address for disks", Group.STORAGE,
           "tcp://address:port or unix:///path where the destination takes disk data.", Value.TEXT,
           "--disks-uri", TRANSFERS, parameter="disks_uri"),
    Option("disks_port", "Port for disks", Group.STORAGE,
           "Where the destination takes disk data; otherwise one of its migration ports.", Value.NUMBER,
           "--disks-port", TRANSFERS, minimum=1, maximum=65535, parameter="disks_port"),
    Option("migrate_uri", "Migration address", Group.ADDRESSES,
           "tcp://host[:port] the source sends to; otherwise the name the destination gives itself.",
           Value.TEXT, "--migrateuri", TRANSFERS, parameter="migrate_uri"),
    Option("listen_address", "Listen address", Group.ADDRESSES,
           "Where the destination's QEMU listens; otherwise everywhere.", Value.TEXT, "--listen-address",
           TRANSFERS, parameter="listen_address"),
    Option("graphics_uri", "Graphics address", Group.ADDRESSES,
           "spice://host:port or vnc://host:port that viewers are sent to.", Value.TEXT, "--graphicsuri",
           TRANSFERS, parameter="graphics_uri"),
    Option("destination_name", "Name at the destination", Group.ADDRESSES,
           "The guest is renamed on the way; its UUID stays.", Value.TEXT, "--dname",
           parameter="destination_name"),
    Option("bandwidth_mib_per_s", "Bandwidth limit", Group.BANDWIDTH,
           "For memory and for copied disks; otherwise unlimited.", Value.NUMBER, "--bandwidth", frozenset(Kind),
           False, "MiB/s", 1, MAX_BANDWIDTH_MIB_PER_S, parameter="bandwidth"),
    Option("parallel", "Several connections", Group.BANDWIDTH,
           "Sends memory over several connections at once to fill a fast link.", Value.SWITCH, "--parallel",
           TRANSFERS, flag=MigrateFlag.PARALLEL),
    Option("parallel_connections", "Connections", Group.BANDWIDTH, "How many; QEMU uses 2 when not said.",
           Value.NUMBER, "--parallel-connections", TRANSFERS, minimum=1, maximum=255,
           parameter="parallel.connections"),
    Option("zero_copy", "Zero-copy sending", Group.BANDWIDTH,
           "Spares the source's processor; locks guest memory while it is sent.", Value.SWITCH, "--zerocopy",
           TRANSFERS, flag=MigrateFlag.ZEROCOPY),
    Option("rdma_pin_all", "Pin memory for RDMA", Group.BANDWIDTH,
           "Pins all memory before an RDMA transfer; needs a hard memory limit.", Value.SWITCH,
           "--rdma-pin-all", TRANSFERS, flag=MigrateFlag.RDMA_PIN_ALL),
    Option("auto_converge", "Slow the guest down if needed", Group.CONVERGENCE,
           "Throttles the guest's processors until it changes memory slower than the link carries.",
           Value.SWITCH, "--auto-converge", LIVE, False, flag=MigrateFlag.AUTO_CONVERGE),
    Option("auto_converge_initial_percent", "First throttle", Group.CONVERGENCE,
           "Share of processor time taken first; QEMU uses 20.", Value.NUMBER, "--auto-converge-initial",
           LIVE, unit="%", minimum=1, maximum=99, parameter="auto_converge.initial"),
    Option("auto_converge_increment_percent", "Throttle step", Group.CONVERGENCE,
           "How much more each time; QEMU uses 10.", Value.NUMBER, "--auto-converge-increment", LIVE,
           unit="%", minimum=1, maximum=99, parameter="auto_converge.increment"),
    Option("timeout_s", "Act after", Group.CONVERGENCE,
           "What to do is chosen below; the move is not cancelled by it.", Value.NUMBER, "--timeout", LIVE,
           False, "s", 1, MAX_TIMEOUT_S),
    Option("timeout_action", "Then", Group.CONVERGENCE, "What happens when the time is over.", Value.CHOICE,
           kinds=LIVE, advanced=False, choices=_TIMEOUT_CHOICES),
    Option("postcopy", "Allow post-copy", Group.POSTCOPY,
           "May run there before all memory has arrived; a network fault then loses the guest's memory.",
           Value.SWITCH, "--postcopy", LIVE, flag=MigrateFlag.POSTCOPY),
    Option("postcopy_after_precopy", "Switch after the first pass", Group.POSTCOPY,
           "Goes to post-copy by itself when every page was sent once.", Value.SWITCH,
           "--postcopy-after-precopy", LIVE),
    Option("postcopy_bandwidth_mib_per_s", "Post-copy bandwidth limit", Group.POSTCOPY,
           "For the phase after the switch; otherwise unlimited.", Value.NUMBER, "--postcopy-bandwidth",
           LIVE, unit="MiB/s", minimum=1, maximum=MAX_BANDWIDTH_MIB_PER_S, parameter="bandwidth.postcopy"),
    Option("postcopy_resume", "Resume a broken post-copy", Group.POSTCOPY,
           "Takes up a post-copy whose connection broke; all other options as at the first time.",
           Value.SWITCH, "--postcopy-resume", LIVE, flag=MigrateFlag.POSTCOPY_RESUME),
    Option("compressed", "Compress memory", Group.COMPRESSION,
           "Sends changed pages compressed; costs processor time on both hosts.", Value.SWITCH,
           "--compressed", TRANSFERS, flag=MigrateFlag.COMPRESSED),
    Option("compression_methods", "Methods", Group.COMPRESSION,
           "xbzrle (differences of pages) or mt (threads; gone from new QEMU); xbzrle when not said.",
           Value.NAMES, "--comp-methods", TRANSFERS, parameter="compression",
           choices=_COMPRESSION_CHOICES),
    Option("compression_mt_level", "mt level", Group.COMPRESSION, "0 none, 1 fast, 9 small.", Value.NUMBER,
           "--comp-mt-level", TRANSFERS, minimum=0, maximum=9, parameter="compression.mt.level"),
    Option("compression_mt_threads", "mt threads", Group.COMPRESSION, "Threads that compress at the source.",
           Value.NUMBER, "--comp-mt-threads", TRANSFERS, minimum=1, maximum=255,
           parameter="compression.mt.threads"),
    Option("compression_mt_dthreads", "mt threads at the destination", Group.COMPRESSION,
           "Threads that decompress at the destination.", Value.NUMBER, "--comp-mt-dthreads", TRANSFERS,
           minimum=1, maximum=255, parameter="compression.mt.dthreads"),
    Option("compression_xbzrle_cache_bytes", "xbzrle cache", Group.COMPRESSION,
           "Memory for pages sent before; a power of two, one page at least.", Value.NUMBER,
           "--comp-xbzrle-cache", TRANSFERS, unit="bytes", minimum=4096, maximum=2 ** 62,
           parameter="compression.xbzrle.cache"),
    Option("tls", "Encrypt the transfer", Group.SECURITY,
           "Memory and copied disks travel through TLS; both hosts need migration certificates.",
           Value.SWITCH, "--tls", TRANSFERS, False, flag=MigrateFlag.TLS),
    Option("tls_destination", "Name in the certificate", Group.SECURITY,
           "When it differs from the address used.", Value.TEXT, "--tls-destination", TRANSFERS,
           parameter="tls.destination"),
    Option("change_protection", "Insist on change protection", Group.SECURITY,
           "Refuse the move where the hypervisor cannot forbid changes meanwhile; QEMU always forbids them.",
           Value.SWITCH, "--change-protection", TRANSFERS, flag=MigrateFlag.CHANGE_PROTECTION),
    Option("unsafe", "Move though libvirt calls it unsafe", Group.SECURITY,
           "For storage libvirt cannot see to be shared or that is cached. Can destroy data.", Value.SWITCH,
           "--unsafe", TRANSFERS, flag=MigrateFlag.UNSAFE),
    Option("abort_on_error", "Cancel on disk errors", Group.OTHER,
           "Cancels when the guest meets an I/O error during the move.", Value.SWITCH, "--abort-on-error",
           TRANSFERS, flag=MigrateFlag.ABORT_ON_ERROR),
    Option("destination_xml", "Changed definition", Group.OTHER,
           "Domain XML used at the destination; only host-side parts such as paths may differ.", Value.XML,
           "--xml", parameter="destination_xml"),
    Option("persistent_xml", "Changed persistent definition", Group.OTHER,
           "Domain XML kept at the destination; the changed definition when not given.", Value.XML,
           "--persistent-xml", parameter="persistent_xml"),
)
# fmt: on

# Options of virsh that are not options of a move, and why.
VIRSH_ONLY: Final[dict[str, str]] = {
    "--domain": "the guest itself",
    "--desturi": "the destination itself",
    "--verbose": "shows progress on a terminal",
    "--direct": "unmanaged migration, which QEMU refuses; driving both hosts from here is virsh's default",
}

_BY_FIELD: Final = {option.field: option for option in OPTIONS}


def find_option(field: str) -> Option | None:
    return _BY_FIELD.get(field)
