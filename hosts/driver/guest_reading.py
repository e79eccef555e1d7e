"""Reading guests: all of a host in few round trips, or one with everything a check wants to know."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import libvirt

from hosts.driver.dirty_rate import read_dirty_rate
from hosts.driver.errors import is_code, translate
from hosts.driver.guest import INCOMING, read_job_type
from hosts.driver.guest_layers import read_layers
from hosts.driver.parallel import read_all
from hosts.driver.states import domain_state, state_reason
from hosts.facts.domain import (
    CpuSpec,
    DomainFacts,
    DomainState,
    DomainStatus,
    GuestReading,
    parse_domain,
)

logger = logging.getLogger(__name__)


def read_guests(virt: Any, host: str) -> tuple[GuestReading, ...]:
    """All guests, in a handful of bulk calls and a few per guest. One that vanishes meanwhile is left out;
    one that cannot be read or understood is there with what is known and `extra["unread"]` saying why: it
    neither hides the others nor looks as if it were gone."""
    with translate(host, "list the guests"):
        domains = virt.listAllDomains(0)
        stats = _bulk_stats(virt)
        sets = {name: _uuids(virt, name) for name in _SETS}
        return read_all(
            domains, lambda domain: _read_one(domain, stats.get(domain.UUIDString(), {}), sets, host)
        )


def read_guest(domain: Any, host: str) -> GuestReading | None:
    """One guest with all that a check wants to know; None when it is gone."""
    uuid = domain.UUIDString()
    with translate(host, "read the guest"):
        try:
            state, reason = domain.state()
            sets = {name: {uuid} if _asked(domain, name) else set() for name in _SETS}
            values = {"state.state": state, "state.reason": reason, "cpu.time": domain.info()[4]}
        except libvirt.libvirtError as error:
            if is_code(error, "NO_DOMAIN"):
                return None
            raise
        return _read_one(domain, values, sets, host, alone=True)


# Bulk lists that answer, in one round trip each, what would else be asked of every guest.
_SETS = ("PERSISTENT", "AUTOSTART", "MANAGEDSAVE", "HAS_SNAPSHOT", "HAS_CHECKPOINT")


def _asked(domain: Any, name: str) -> bool:
    """The same answers for a single domain."""
    questions: dict[str, Callable[[], Any]] = {
        "PERSISTENT": domain.isPersistent,
        "AUTOSTART": domain.autostart,
        "MANAGEDSAVE": domain.hasManagedSaveImage,
        "HAS_SNAPSHOT": domain.snapshotNum,
        "HAS_CHECKPOINT": lambda: len(domain.listAllCheckpoints(0)),
    }
    try:
        return bool(questions[name]())
    except libvirt.libvirtError as error:
        # Transient guests have no autostart, Xen has no snapshots: the honest answer is no.
        if is_code(error, "OPERATION_INVALID", "OPERATION_UNSUPPORTED", "NO_SUPPORT"):
            return False
        raise


def _bulk_stats(virt: Any) -> dict[str, dict[str, Any]]:
    """State and CPU time of all; NOWAIT, so that one guest with a stuck monitor does not hold up the rest."""
    wanted = libvirt.VIR_DOMAIN_STATS_STATE | libvirt.VIR_DOMAIN_STATS_CPU_TOTAL
    try:
        found = virt.getAllDomainStats(wanted, libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT)
    except libvirt.libvirtError as error:
        if is_code(error, "NO_SUPPORT"):
            return {}
        raise
    return {domain.UUIDString(): values for domain, values in found}


def _uuids(virt: Any, name: str) -> set[str]:
    flag = getattr(libvirt, f"VIR_CONNECT_LIST_DOMAINS_{name}")
    try:
        return {domain.UUIDString() for domain in virt.listAllDomains(flag)}
    except libvirt.libvirtError as error:
        if is_code(error, "NO_SUPPORT", "INVALID_ARG", "OPERATION_UNSUPPORTED"):
            return set()
        raise


def _read_one(
    domain: Any, values: dict[str, Any], sets: dict[str, set[str]], host: str, *, alone: bool = False
) -> GuestReading | None:
    try:
        return _reading(domain, values, sets, alone=alone)
    except libvirt.libvirtError as error:
        if is_code(error, "NO_DOMAIN"):
            return None
        if not domain.connect().isAlive():
            raise  # nothing is wrong with the guest: the host is lost
        reason = str(error)
    except ValueError as error:
        reason = str(error)
    logger.warning("%s: guest %s could not be read: %s", host, domain.name(), reason)
    return _unread(domain, values, sets, reason)


def _unread(domain: Any, values: dict[str, Any], sets: dict[str, set[str]], reason: str) -> GuestReading:
    """What the bulk calls said of a guest that itself could not be read. Zero and "" mean unknown here."""
    uuid, name = domain.UUIDString(), domain.name()
    state, cause = values.get("state.state", libvirt.VIR_DOMAIN_NOSTATE), values.get("state.reason", 0)
    nothing = CpuSpec("", "", "", "", "", (), "")
    return GuestReading(
        domain_uuid=uuid,
        name=name,
        status=DomainStatus(domain_state(state), state_reason(state, cause), uuid in sets["PERSISTENT"]),
        facts=DomainFacts(uuid, name, "", "", "", "", "", 0, 0, 0, 0, nothing),
        xml="",
        inactive_xml="",
        extra={"unread": reason},
    )


def _reading(domain: Any, values: dict[str, Any], sets: dict[str, set[str]], *, alone: bool) -> GuestReading:
    uuid = domain.UUIDString()
    member = {name: uuid in uuids for name, uuids in sets.items()}
    status = _status(domain, values, member)
    # Of a guest that is just arriving, libvirt answers what needs its QEMU only when it has arrived, or after 30 s.
    alone = alone and status.job != INCOMING
    xml, inactive_xml = _descriptions(domain, status)
    facts = parse_domain(xml)
    return GuestReading(
        domain_uuid=uuid,
        name=domain.name(),
        status=status,
        facts=facts,
        xml=xml,
        inactive_xml=inactive_xml,
        snapshot_count=domain.snapshotNum() if member["HAS_SNAPSHOT"] else 0,
        cpu_time_ns=values.get("cpu.time"),
        disk_capacity_bytes=_capacities(domain, facts) if alone else {},
        extra=_extra(domain, facts, status, member, alone=alone),
    )


def _status(domain: Any, values: dict[str, Any], member: dict[str, bool]) -> DomainStatus:
    known = "state.state" in values
    state, reason = (values["state.state"], values["state.reason"]) if known else domain.state()
    status = DomainStatus(
        state=domain_state(state),
        reason=state_reason(state, reason),
        persistent=member["PERSISTENT"],
        autostart=member["AUTOSTART"],
        managed_save=member["MANAGEDSAVE"],
    )
    return replace(status, job=read_job_type(domain)) if status.active else status


def _descriptions(domain: Any, status: DomainStatus) -> tuple[str, str]:
    """The live description and the persistent one; they are the same for a guest that is shut off."""
    inactive = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE) if status.persistent else ""
    return (domain.XMLDesc(0) if status.active or not inactive else inactive), inactive


def _extra(
    domain: Any, facts: DomainFacts, status: DomainStatus, member: dict[str, bool], *, alone: bool
) -> dict[str, str]:
    """`checkpoints`: "yes" when it has some; `ran_here`: "no" for a paused one whose processors have not run since
    it came; only when one guest is read: `layers.…` (guest_layers),
    `block_jobs`, the disks with one, and `dirty_rate_mib_per_s`, where it was
    measured before."""
    extra = {"checkpoints": "yes"} if member["HAS_CHECKPOINT"] else {}
    arrives = status.job == INCOMING
    if status.state is DomainState.PAUSED and not arrives and not _has_run_here(domain):
        extra["ran_here"] = "no"
    if alone and not status.active:
        extra |= read_layers(domain, facts)
    if alone and status.active:
        extra["block_jobs"] = ",".join(
            disk.target for disk in facts.disks if _has_block_job(domain, disk.target)
        )
        rate = read_dirty_rate(domain) if status.state is DomainState.RUNNING else None
        extra |= {} if rate is None else {"dirty_rate_mib_per_s": str(rate)}
    return extra


def _capacities(domain: Any, facts: DomainFacts) -> dict[str, int]:
    """Virtual sizes in bytes. A disk that cannot be asked is left out: its size is not known."""
    found = {}
    for disk in facts.disks:
        if not disk.empty:
            with suppress(libvirt.libvirtError):
                found[disk.target] = int(domain.blockInfo(disk.target)[0])
    return found


def _has_run_here(domain: Any) -> bool:
    """The processors' own time starts anew with each QEMU process: nothing of it means started or arrived paused."""
    try:
        ((_, values),) = domain.connect().domainListGetStats([domain], libvirt.VIR_DOMAIN_STATS_VCPU)
    except (libvirt.libvirtError, ValueError):
        return True  # other hypervisors do not tell; only QEMU has the fault this is asked for
    return any(value for name, value in values.items() if name.startswith("vcpu.") and name.endswith(".time"))


def _has_block_job(domain: Any, target: str) -> bool:
    try:
        return bool(domain.blockJobInfo(target))
    except libvirt.libvirtError as error:
        # An empty drive has no block node to ask.
        if is_code(error, "NO_DOMAIN"):
            raise
        return False
