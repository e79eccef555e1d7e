"""What findings about disks and memory offer to do, and when they had better offer nothing."""

from __future__ import annotations

import dataclasses

import pytest

from jobs.preflight.checks.cpu import missing_features
from jobs.preflight.findings import Finding, FixKind
from jobs.preflight.registry import run_checks
from tests.jobs.builders import (
    DISK_PATH,
    GIB,
    LOCAL_PATH,
    cdrom,
    context,
    copying,
    disk,
    domain,
    guest,
    local_pool,
    pool,
    reading,
    status,
    volume,
    with_facts,
)
from tests.jobs.preflight.situations import LUKS, with_pages

INCREMENTAL = {"storage": "copy-incremental"}
VOLUME = disk(type="volume", source_path="", pool="VM", volume="web01.qcow2")


def only(base, check_id: str) -> Finding:
    (found,) = [finding for finding in run_checks(base) if finding.id == check_id]
    return found


def lines_of(finding: Finding) -> list[str]:
    return [line for commands in finding.commands for line in commands.lines]


@pytest.mark.parametrize(
    ("words", "persistent", "where"),
    [
        ("running/booted", True, "--live --config"),
        ("running/booted", False, "--live"),
        ("shut off/shutdown", True, "--config"),
    ],
)
def test_missing_medium_is_ejected_where_the_guest_has_it(words, persistent, where):
    found = only(
        context(
            guest=guest(domain(disks=(disk(), cdrom())), status=status(words, persistent=persistent)),
            destination_reading=reading(volumes={DISK_PATH: volume(), "/iso/tools.iso": None}),
        ),
        "disk.removable-media",
    )
    assert found.fix is not None
    assert (found.fix.kind, found.fix.arguments) == (FixKind.EJECT_MEDIA, (("target", "sda"),))
    assert lines_of(found) == [f"virsh change-media web01 sda --eject {where}"]


def test_unsafe_cache_can_be_set_to_none():
    old = with_facts(
        context(guest=guest(domain(disks=(disk(cache="writeback"),)))), "source", hypervisor_version=3_001_000
    )
    fix = only(old, "disk.cache-unsafe").fix
    assert fix is not None
    assert (fix.kind, fix.host) == (FixKind.CACHE_NONE, "mercury")


@pytest.mark.parametrize(
    ("there", "kind"),
    [
        ((pool(),), FixKind.CREATE_POOL),
        ((local_pool(active=False),), FixKind.START_POOL),
        # Another pool has the name: the source's definition would be refused.
        ((local_pool(target_path="/elsewhere"),), None),
    ],
    ids=["missing", "not active", "name taken"],
)
def test_pool_for_a_copy_is_created_or_started(there, kind):
    fix = only(with_facts(copying(), "destination", pools=there), "disk.pool-twin").fix
    assert (fix.kind if fix else None) is kind
    assert fix is None or fix.host == "jupiter"


@pytest.mark.parametrize(
    ("here", "there", "kind"),
    [
        (pool(), (), FixKind.CREATE_POOL),
        (pool(), (pool(active=False),), FixKind.START_POOL),
        # On the destination's own disks a pool of that name would hold nothing of this guest.
        (pool(type="dir", source="dir /VM"), (), None),
    ],
    ids=["missing", "not active", "local"],
)
def test_pool_of_a_shared_volume_is_created_only_where_its_storage_is_on_the_network(here, there, kind):
    base = context(guest=guest(domain(disks=(VOLUME,))))
    base = with_facts(with_facts(base, "source", pools=(here,)), "destination", pools=there)
    fix = only(base, "disk.path").fix
    assert (fix.kind if fix else None) is kind


def test_target_of_a_single_layer_is_created():
    fix = only(copying(options=INCREMENTAL), "disk.top-layer-target").fix
    assert fix is not None
    wanted = {
        "pool": "local",
        "volume": "web01.qcow2",
        "format": "qcow2",
        "capacity_bytes": str(8 * GIB),
    }
    assert (fix.kind, dict(fix.arguments)) == (FixKind.CREATE_VOLUME, wanted)


def test_target_of_a_layer_is_created_by_hand_on_its_base():
    layered = disk(source_path=LOCAL_PATH, backing_paths=("/base.qcow2",), backing_formats=("qcow2",))
    base = copying(
        guest=guest(domain(disks=(layered,))),
        options=INCREMENTAL,
        destination_reading=reading(volumes={LOCAL_PATH: None, "/base.qcow2": volume("/base.qcow2")}),
    )
    assert "disk.top-layer-target" not in {found.id for found in run_checks(base)}
    found = only(with_facts(base, "destination", pools=(pool(),)), "disk.top-layer-target")
    assert found.fix is None
    assert lines_of(found) == [
        f"qemu-img create -f qcow2 -b /base.qcow2 -F qcow2 {LOCAL_PATH} {8 * GIB}",
    ]


def test_no_volume_is_offered_without_its_size():
    unknown = copying(options=INCREMENTAL, disk_capacity_bytes={})
    assert only(unknown, "disk.top-layer-target").fix is None


def test_value_of_a_secret_is_in_no_command():
    unknown = with_facts(context(guest=guest(domain(disks=(LUKS,)))), "destination", secrets=())
    found = only(unknown, "disk.encryption-secret")
    assert {commands.host for commands in found.commands} == {"mercury", "jupiter"}
    assert "--interactive" in lines_of(found)[-1]


def test_huge_pages_by_hand_are_as_many_as_the_guest_needs():
    assert lines_of(only(with_pages(0), "memory.headroom"))[-1] == (
        "virsh allocpages --pagesize 2048KiB --pagecount 1024 --add"
    )


@pytest.mark.parametrize(
    ("detail", "missing"),
    [
        (
            "the CPU is incompatible with host CPU: Host CPU does not provide required features: avx512f, hle",
            "avx512f, hle",
        ),
        ("the CPU is incompatible with host CPU", ""),
        ("", ""),
    ],
)
def test_missing_cpu_features_are_named_where_libvirt_names_them(detail, missing):
    assert missing_features(detail) == missing


def test_missing_nfs_pool_is_exported_by_its_server_and_mounted_by_hand():
    nfs = pool(source="netfs nfs store.example.org:/srv/vm")
    base = with_facts(context(), "source", pools=(nfs,))
    base = with_facts(base, "destination", pools=())
    found = only(dataclasses.replace(base, destination_reading=reading(volumes={})), "disk.path")
    assert found.fix is not None
    assert found.fix.kind is FixKind.CREATE_POOL
    assert "store.example.org" in {commands.host for commands in found.commands}
    lines = lines_of(found)
    assert "echo '/srv/vm jupiter(rw,sync,no_root_squash)' >> /etc/exports" in lines
    assert (
        "virsh pool-define-as VM netfs --source-host store.example.org --source-path /srv/vm"
        " --target /var/lib/libvirt/images/VM"
    ) in lines
