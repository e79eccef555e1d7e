"""The cases of the checks: what is wrong, what is not known, and what only looks wrong."""

from __future__ import annotations

from hosts.facts.host import HostCpu
from hosts.facts.probe import PathIdentity
from tests.jobs.builders import (
    DISK_PATH,
    cdrom,
    context,
    copying,
    cpu,
    disk,
    nic,
    offline,
    pool,
    probe,
    reading,
    with_facts,
    with_probe,
)
from tests.jobs.preflight import cases_devices, cases_disks, cases_hosts
from tests.jobs.preflight.situations import (
    FAILED,
    LUKS,
    NO_ADDRESS,
    SECRET,
    of,
    offline_of,
    paused,
    with_pages,
    with_tsc,
    writing,
)

CASES = [*cases_hosts.CASES, *cases_disks.CASES, *cases_devices.CASES]
UNKNOWN = [*cases_hosts.UNKNOWN, *cases_disks.UNKNOWN, *cases_devices.UNKNOWN]

RIGHT_BUT_TEMPTING = [
    ("clock within the error", with_probe(context(), "source", clock_offset_ms=2000, clock_error_ms=1500)),
    (
        "microcode as libvirt and as the kernel say it",
        with_facts(context(), "source", cpu=HostCpu("x86_64", "Skylake", "Intel", "1", ("vmx",))),
    ),
    (
        "bridge of Open vSwitch",
        with_probe(of(nics=(nic(type="bridge", source="br-int"),)), "destination", links=("br-int",)),
    ),
    ("parent of macvtap is there", of(nics=(nic(type="direct", source="eth0"),))),
    (
        "rule for other ports",
        with_probe(context(), "destination", reset_ports=((5900, 5999),)),
    ),
    (
        "ports asked for in the options are open",
        context(
            options={"migrate_uri": "tcp://10.0.0.9:50000"}, peer_probe=probe(tried_ports=(50000, 50000))
        ),
    ),
    ("ISO is there", of(disks=(disk(),))),
    ("empty CD drive", of(disks=(disk(), cdrom(source_path="", bus="scsi")))),
    ("modern QEMU with cache", of(disks=(disk(cache="writeback"),))),
    (
        "address already in options",
        context(destination=NO_ADDRESS, options={"migrate_uri": "tcp://10.0.0.9"}),
    ),
    ("console on localhost", of(graphics=(("vnc", "127.0.0.1"), ("spice", "::")))),
    ("driven from here", context(peer_probe=probe(libvirt_login=FAILED), options={"control": "direct"})),
    ("network disk", of(disks=(disk(type="network", source_path="", network_source="rbd:pool/web01"),))),
    ("paused move of a guest that ran", paused()),
    ("not comparable CPU not used", of(cpu=cpu(mode="", model="", xml=""))),
    ("diskless", of(disks=())),
    (
        "older host as source",
        with_facts(context(), "source", library_version=8_000_000, hypervisor_version=6_000_000),
    ),
    ("offline without free memory", with_facts(offline(), "destination", memory_free_bytes=0)),
    ("named disk is the only local one", copying(options={"migrate_disks": ["vda"]})),
    ("empty floppy drive", of(disks=(disk(), disk(device="floppy", bus="fdc", source_path="")))),
    ("formats that only sound foreign", of(disks=(disk(format="qcow2", backing_formats=("dmg", "raw")),))),
    ("transient disk offline", offline_of(disks=(disk(transient=True),))),
    ("huge pages just fit", with_pages(1024)),
    (
        "memory in huge pages is not taken from what is free",
        with_facts(with_pages(1024), "destination", memory_free_bytes=0),
    ),
    ("secret of that UUID", with_facts(of(disks=(LUKS,)), "destination", secrets=(SECRET,))),
    ("frequency within tolerance", with_tsc(2_596_600_000)),
    ("frequency can be scaled", with_tsc(3_504_000_000, tsc_scaling=True)),
    ("pinned to what is there", of(cpu_pins=(("virtual CPU 0", "0-9,^8,^9"),))),
    ("busy guest on an open link", writing("5000")),
    ("busy guest, moved paused", writing("5000", kind="non-live", bandwidth_mib_per_s=1)),
    ("busy guest, slowed down", writing("5000", auto_converge=True, bandwidth_mib_per_s=1)),
    (
        "one server under two names, the very same file",
        with_facts(
            context(
                peer_probe=probe(
                    source_files={DISK_PATH: PathIdentity(7, 100, 5)},
                    destination_files={DISK_PATH: PathIdentity(7, 100, 5)},
                )
            ),
            "destination",
            pools=(pool(source="netfs glusterfs storage:VM"),),
        ),
    ),
    (
        "image outside pools, seen by both hosts",
        context(
            destination_reading=reading(volumes={}),
            peer_probe=probe(
                source_files={DISK_PATH: PathIdentity(7, 100, 5)},
                destination_files={DISK_PATH: PathIdentity(7, 100, 5)},
            ),
        ),
    ),
    *cases_devices.RIGHT_BUT_TEMPTING,
]
