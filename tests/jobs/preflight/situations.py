"""Contexts that cases of the checks are made of: one thing wrong, or one thing that only looks so."""

from __future__ import annotations

import dataclasses

from hosts.facts.domain import SecretUse
from hosts.facts.host import HostCpu, SecretFacts
from hosts.facts.placement import FreePages, PageDemand
from hosts.facts.probe import HostProbe, Probe, ProbeState
from hosts.ports import CpuComparison
from jobs.preflight.context import PreflightContext
from tests.jobs.builders import (
    GIB,
    LOCAL_PATH,
    context,
    copying,
    disk,
    domain,
    guest,
    neighbour,
    offline,
    probe,
    side,
    status,
    with_facts,
    with_probe,
)

FILTERED = Probe(ProbeState.FILTERED, "silence")
FAILED = Probe(ProbeState.FAILED, "refused")
REFUSED = Probe(ProbeState.FAILED, "nothing listens there")
NO_KEY = Probe(ProbeState.FAILED, "error: Cannot recv data: Host key verification failed.: Connection reset")
NEW_KEY = Probe(ProbeState.FAILED, "REMOTE HOST IDENTIFICATION HAS CHANGED! Host key verification failed.")
FOREIGN = HostCpu("x86_64", "EPYC", "AMD", "0x9")


def of(**changes) -> PreflightContext:
    """The right context with another domain."""
    return context(guest=guest(domain(**changes)))


def in_state(words: str, kind: str = "live", **changes) -> PreflightContext:
    return context(guest=guest(status=status(words, **changes)), options={"kind": kind})


def beside(**changes) -> PreflightContext:
    return context(neighbours=(neighbour(**changes),))


def offline_of(**changes) -> PreflightContext:
    return offline(guest=guest(domain(**changes), status=status("shut off/shutdown")))


def paused(**extra: str) -> PreflightContext:
    return context(guest=guest(status=status("paused/user"), extra=extra), options={"kind": "non-live"})


def over_ssh(login: Probe) -> PreflightContext:
    return context(peer_address="qemu+ssh://root@jupiter/system", peer_probe=probe(libvirt_login=login))


def resolving(address: str) -> PreflightContext:
    """The destination's name, as the source resolves it."""
    return context(destination=NO_ADDRESS, peer_probe=probe(name_resolves=Probe(ProbeState.OPEN, address)))


def saying_user(uid: int) -> PreflightContext:
    """libvirt tells of no user; the destination says it itself."""
    base = context()
    for which in ("source", "destination"):
        base = with_facts(base, which, qemu_uid=None, qemu_gid=None)
    return with_probe(base, "destination", qemu_uid=uid)


def without_microcode() -> PreflightContext:
    cpu = HostCpu("x86_64", "Skylake", "Intel", "", ("vmx",))
    return with_probe(with_facts(context(), "source", cpu=cpu), "source", microcode="")


def unprobed(which: str) -> PreflightContext:
    """A host that could not be asked over SSH."""
    base = context()
    unknown = HostProbe(why_unknown="Permission denied (publickey).")
    return dataclasses.replace(base, **{which: dataclasses.replace(getattr(base, which), probe=unknown)})


def with_pages(count: int) -> PreflightContext:
    """A guest of 2 GiB in huge pages, and so many of them free."""
    free = (FreePages(0, 4096, 1_000_000), FreePages(0, 2 * 2**20, count))
    return with_facts(of(huge_pages=(HUGE,)), "destination", free_pages=free)


def with_tsc(frequency_hz: int, **changes) -> PreflightContext:
    counter = {"tsc_frequency_hz": 2_596_122_000, "tsc_scaling": False}
    there = dataclasses.replace(ALIKE, **{**counter, **changes})
    return with_facts(of(tsc_frequency_hz=frequency_hz), "destination", cpu=there)


def writing(rate: str, **options) -> PreflightContext:
    return context(guest=guest(extra={"dirty_rate_mib_per_s": rate}), options=options)


def copied_shareable() -> PreflightContext:
    shareable = domain(disks=(disk(source_path=LOCAL_PATH, shareable=True),))
    return copying(guest=guest(shareable), options={"migrate_disks": ["vda"]})


NO_ADDRESS = side("jupiter")
ALIKE = HostCpu("x86_64", "Skylake", "Intel", "0x1", ("vmx",))
HUGE = PageDemand(2 * 2**20, 2 * GIB)
SECRET_UUID = "0a81f5b2-8403-7b23-c8d6-21ccc2f80d6f"
SECRET = SecretFacts(SECRET_UUID, "volume", "web01")
LUKS = disk(secrets=(SecretUse("passphrase", SECRET_UUID, ""),))
LIKE, UNLIKE = CpuComparison("superset"), CpuComparison("incompatible", "the CPU lacks avx512f")
UNASKED = Probe(ProbeState.UNKNOWN, "There is no virsh on the host.")
TRIED = probe(tried_ports=(49152, 49215))
SHARED_COPY = {"storage": "copy-all"}
