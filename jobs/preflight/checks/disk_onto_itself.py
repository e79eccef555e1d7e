"""Disks that would be copied onto themselves."""

from __future__ import annotations

from collections.abc import Iterator

from hosts.facts.domain import DiskFacts
from jobs.preflight.context import PreflightContext
from jobs.preflight.copies import copied
from jobs.preflight.disks import Sharing, SharingProof, destination_path, find_pool_for, prove_sharing
from jobs.preflight.findings import Severity
from jobs.preflight.places import find_place, find_pool_named, name_of
from jobs.preflight.registry import Said, check
from jobs.preflight.say import facts_of, graded


@check(
    "disk.copy-onto-itself",
    title="No disk is copied onto itself",
    source="libvirt: qemuMigrationAnyCopyDisk does not ask whether a disk lies on shared storage",
    waivable=False,
    severities=(Severity.BLOCKER, Severity.WARNING),
)
def check_copy_onto_itself(context: PreflightContext) -> Iterator[Said]:
    facts_of(context.source), facts_of(context.destination)
    for disk in copied(context):
        proof = _prove_same_place(context, disk)
        if proof is None:
            continue
        if proof.sharing in {Sharing.SAME, Sharing.ASSUMED}:
            yield graded(
                proof.sharing is Sharing.SAME,
                f"disk {disk.target}",
                f"{disk.source_path or disk.network_source} is the same storage on both hosts: "
                "the copy would be written over the original, or fail.",
                "Take this disk out of the disks to copy.",
                evidence=(("proof", proof.why),),
            )


def _prove_same_place(context: PreflightContext, disk: DiskFacts) -> SharingProof | None:
    """None where the copy is written somewhere else. Two names of one network pool are one place."""
    place = find_place(context.destination.facts, disk, context.options)
    if place is None or not place.mapped:
        same = destination_path(disk, context.options) == disk.source_path
        return prove_sharing(context, disk) if same else None
    here = find_pool_for(facts_of(context.source), disk, disk.source_path)
    there = find_pool_named(facts_of(context.destination), place.pool)
    if here is None or there is None or name_of(disk) != place.volume:
        return None
    if here.shared_by_nature and there.shared_by_nature and here.source == there.source:
        return SharingProof(Sharing.SAME, f"pools “{here.source}” and “{there.source}”")
    return None
