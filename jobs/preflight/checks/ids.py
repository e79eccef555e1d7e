"""Whether QEMU is the same user on both hosts, so that what one wrote the other may read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jobs.options import Storage
from jobs.preflight.by_hand_system import change_group_id, change_user_id
from jobs.preflight.context import HostSide, PreflightContext
from jobs.preflight.findings import Finding, Severity
from jobs.preflight.probed import both_probes, probe_of
from jobs.preflight.registry import NotEvaluated, Said, check, pair_part
from jobs.preflight.say import both, facts_of, graded

_GROUPS = ("kvm", "qemu", "libvirt")


@dataclass(frozen=True, slots=True)
class _Ids:
    """Numbers that guests run with there."""

    uid: int
    gid: int | None


@pair_part("ids.qemu-user")
def check_ids_of_pair(context: PreflightContext) -> Iterator[Said]:
    yield from _check(context, severe=False)


@check(
    "ids.qemu-user",
    title="QEMU's user and the groups kvm, qemu and libvirt have the same numbers on both hosts",
    source="SUSE virtualization guide: identical uid of qemu, identical gids of kvm, qemu and libvirt",
    waivable=True,
    severities=(Severity.BLOCKER, Severity.WARNING),
    unevaluated=Severity.WARNING,
)
def check_ids(context: PreflightContext) -> Iterator[Said]:
    yield from _check(context, severe=_shares_files(context))


def _shares_files(context: PreflightContext) -> bool:
    """Files that both hosts open are where the numbers decide who may."""
    files = [disk for disk in context.guest.facts.disks if disk.type in {"file", "dir"} and not disk.empty]
    return bool(files) and context.options.storage is Storage.SHARED


def _check(context: PreflightContext, severe: bool) -> Iterator[Said]:
    if facts_of(context.source).hypervisor.lower() != "qemu":
        return  # Xen's devices belong to root
    here, there = _ids_of(context.source), _ids_of(context.destination)
    if here.uid != there.uid:
        yield _differing_user(context, here.uid, there.uid, severe)
    if here.gid is not None and there.gid is not None and here.gid != there.gid:
        yield _differing_group(
            context, _group_name(context.destination, there.gid), here.gid, there.gid, severe
        )
    yield from _check_groups(context, here, there)


def _ids_of(side: HostSide) -> _Ids:
    """libvirt's own word (the base label of its DAC driver), else what the host says."""
    facts = facts_of(side)
    if facts.qemu_uid is not None:
        return _Ids(facts.qemu_uid, facts.qemu_gid)
    uid = probe_of(side).qemu_uid
    if uid is None:
        raise NotEvaluated(
            f"which user QEMU is on {side.name}", f"See user in /etc/libvirt/qemu.conf on {side.name}."
        )
    return _Ids(uid, None)


def _group_name(side: HostSide, gid: int) -> str:
    """Debian's QEMU runs in the group kvm, others' in one of its own."""
    known = side.probe is not None and side.probe.kvm_gid == gid
    return "kvm" if known else "of QEMU"


def _check_groups(context: PreflightContext, here: _Ids, there: _Ids) -> Iterator[Finding]:
    """Groups that guests do not run in are the guide's advice: QEMU gets its devices from each host's own."""
    source, destination = both_probes(context)
    for name in _GROUPS:
        gids = (getattr(source, f"{name}_gid"), getattr(destination, f"{name}_gid"))
        if None not in gids and gids[0] != gids[1] and gids != (here.gid, there.gid):
            yield _differing_group(context, name, gids[0], gids[1], severe=False)


def _differing_user(context: PreflightContext, here: int, there: int, severe: bool) -> Finding:
    destination = context.destination.name
    return graded(
        severe,
        "user of QEMU",
        f"Guests run as user {here} on {context.source.name} and as {there} on {destination}: files that one may "
        "open can be closed to the other.",
        f"While no guest runs on {destination}, give QEMU's user the number {here} there, and its files to it.",
        evidence=both(context, f"uid {here}", f"uid {there}"),
        commands=change_user_id(context.destination, there, here),
    )


def _differing_group(context: PreflightContext, name: str, here: int, there: int, severe: bool) -> Finding:
    destination = context.destination.name
    group = "qemu" if name == "of QEMU" else name
    return graded(
        severe,
        f"group {name}",
        f"The group {name} is {here} on {context.source.name} and {there} on {destination}.",
        f"While no guest runs on {destination}, give the group the number {here} there, and its files to it.",
        evidence=both(context, f"gid {here}", f"gid {there}"),
        commands=change_group_id(context.destination, group, there, here),
    )
