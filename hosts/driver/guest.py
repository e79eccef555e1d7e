"""One domain through libvirt (hosts.ports.GuestPort)."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import libvirt

from hosts.driver import changes
from hosts.driver.dirty_rate import start_measuring
from hosts.driver.errors import is_code, translate
from hosts.driver.flags import flag_bits, typed_parameters
from hosts.driver.states import domain_state, state_reason
from hosts.errors import Refused
from hosts.facts.domain import DomainStatus
from hosts.facts.jobstats import JobStats, parse_job_stats
from hosts.ports import Change, GuestPort, HostPort, MigrateFlag, TransferOrder

# `job` of a domain that is being received: libvirt answers code 84 there instead of statistics (measured).
INCOMING = "incoming"
# Shut off, gone, no such disk (any more), or the driver knows no such jobs.
_NO_COPY = ("OPERATION_INVALID", "NO_DOMAIN", "INVALID_ARG", "OPERATION_UNSUPPORTED", "NO_SUPPORT")
BUSY = "busy"  # libvirt could not say within its 30 s


class Guest(GuestPort):
    """Valid as long as its connection. All calls raise hosts.errors.HostError only."""

    def __init__(self, virt: Any, host: str) -> None:
        self.virt = virt  # libvirt's own object, for hosts.driver only
        self.domain_uuid: str = virt.UUIDString()
        self.name: str = virt.name()
        self._host = host

    def read_status(self) -> DomainStatus:
        """State, job and settings as they are now. Raises GuestNotFound when it is gone."""
        with translate(self._host, f"read the state of {self.name}"):
            state, reason = self.virt.state()
            return DomainStatus(
                state=domain_state(state),
                reason=state_reason(state, reason),
                persistent=bool(self.virt.isPersistent()),
                job=read_job_type(self.virt),
                autostart=_unless_unsupported(self.virt.autostart),
                managed_save=_unless_unsupported(self.virt.hasManagedSaveImage),
            )

    def read_xml(self, *, secure: bool = False, inactive: bool = False, migratable: bool = False) -> str:
        flags = libvirt.VIR_DOMAIN_XML_SECURE if secure else 0
        flags |= libvirt.VIR_DOMAIN_XML_INACTIVE if inactive else 0
        flags |= libvirt.VIR_DOMAIN_XML_MIGRATABLE if migratable else 0
        with translate(self._host, f"read the description of {self.name}"):
            return str(self.virt.XMLDesc(flags))

    def read_job(self) -> JobStats | None:
        """Statistics of the running job; None when there is none, or on the receiving side."""
        with translate(self._host, f"read the job of {self.name}"):
            try:
                stats = parse_job_stats(self.virt.jobStats())
            except libvirt.libvirtError as error:
                if is_code(error, "OPERATION_UNSUPPORTED", "OPERATION_INVALID", "NO_DOMAIN"):
                    return None
                raise
        return None if stats.type == "none" else stats

    def read_completed_job(self) -> JobStats | None:
        """Measured statistics of the last job, on both hosts (on the destination after a pre-copy move).
        Statistics, never an outcome: libvirt also keeps them for a move that failed afterwards."""
        # Without KEEP_COMPLETED the first reader takes the record away from all others.
        flags = libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED | getattr(
            libvirt, "VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED", 0
        )
        with translate(self._host, f"read the last job of {self.name}"):
            try:
                stats = parse_job_stats(self.virt.jobStats(flags), completed=True)
            except libvirt.libvirtError as error:
                if is_code(error, "OPERATION_UNSUPPORTED", "OPERATION_INVALID", "NO_DOMAIN"):
                    return None
                raise
        return None if stats.type == "none" or stats.time_elapsed_ms is None else stats

    def transfer(self, order: TransferOrder, destination: HostPort | None) -> None:
        flags, parameters = flag_bits(order.flags), typed_parameters(order)
        peer_to_peer = MigrateFlag.PEER2PEER in order.flags
        with translate(self._host, f"move {self.name}", changes=True):
            if peer_to_peer:
                self.virt.migrateToURI3(order.destination_uri, parameters, flags)
            else:
                self.virt.migrate3(_connection_of(destination), parameters, flags)

    def abort_job(self, *, postcopy: bool = False) -> None:
        """Cancel the running job. `postcopy`: pause a broken post-copy to resume it later (libvirt ≥ 8.5)."""
        flags = getattr(libvirt, "VIR_DOMAIN_ABORT_JOB_POSTCOPY", 0) if postcopy else 0
        with translate(self._host, f"cancel the job of {self.name}"):
            self.virt.abortJobFlags(flags) if flags else self.virt.abortJob()

    def set_max_downtime(self, milliseconds: int) -> None:
        """Stays with the domain until the next change: always set it at the start of a move."""
        with translate(self._host, f"set the downtime of {self.name}"):
            self.virt.migrateSetMaxDowntime(milliseconds, 0)

    def set_bandwidth(self, mib_per_s: int) -> None:
        """0 = unlimited."""
        with translate(self._host, f"set the bandwidth of {self.name}"):
            self.virt.migrateSetMaxSpeed(mib_per_s, 0)

    def start_postcopy(self) -> None:
        with translate(self._host, f"switch {self.name} to post-copy", changes=True):
            self.virt.migrateStartPostCopy(0)

    def suspend(self) -> None:
        with translate(self._host, f"pause {self.name}", changes=True):
            self.virt.suspend()

    def resume(self) -> None:
        """libvirt resumes a source even while the destination runs the guest: prove first that none does."""
        with translate(self._host, f"resume {self.name}", changes=True):
            self.virt.resume()

    def destroy(self) -> None:
        with translate(self._host, f"stop {self.name}", changes=True):
            self.virt.destroy()

    def undefine(self) -> None:
        """Remove the definition; UEFI variables, TPM state and a saved memory image stay where they are."""
        flags = getattr(libvirt, "VIR_DOMAIN_UNDEFINE_KEEP_NVRAM", 0)
        flags |= getattr(libvirt, "VIR_DOMAIN_UNDEFINE_KEEP_TPM", 0)
        flags |= getattr(libvirt, "VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA", 0)
        with translate(self._host, f"remove the definition of {self.name}", changes=True):
            try:
                self.virt.undefineFlags(flags)
            except libvirt.libvirtError as error:
                # Xen's driver knows none of these flags.
                if not is_code(error, "OPERATION_UNSUPPORTED", "INVALID_ARG", "ARGUMENT_UNSUPPORTED"):
                    raise
                self.virt.undefine()

    def set_autostart(self, autostart: bool) -> None:
        with translate(self._host, f"set the autostart of {self.name}", changes=True):
            self.virt.setAutostart(int(autostart))

    def read_copy_job(self, target: str) -> tuple[int, int] | None:
        """(bytes done, bytes in all), None when nothing of this disk is copied now. Just begun: (0, 0)."""
        with translate(self._host, f"read the copy of {target} of {self.name}"):
            try:
                job = self.virt.blockJobInfo(target, 0)
            except libvirt.libvirtError as error:
                if is_code(error, *_NO_COPY):
                    return None
                raise
        if not job or job.get("type") != libvirt.VIR_DOMAIN_BLOCK_JOB_TYPE_COPY:
            return None
        return int(job["cur"]), int(job["end"])

    def eject_media(self, target: str) -> Change:
        return changes.eject_media(self.virt, self._host, target)

    def set_cache_none(self, target: str) -> Change:
        return changes.set_cache_none(self.virt, self._host, target)

    def measure_dirty_rate(self) -> bool:
        return start_measuring(self.virt, self._host)


def read_job_type(domain: Any) -> str:
    """ "" for no job, libvirt's job type, INCOMING or BUSY. Raises libvirtError for a domain that is gone."""
    try:
        kind = parse_job_stats(domain.jobStats()).type
    except libvirt.libvirtError as error:
        if is_code(error, "OPERATION_UNSUPPORTED"):
            return INCOMING
        if is_code(error, "OPERATION_INVALID"):
            return ""  # not running: no job can be
        if is_code(error, "OPERATION_TIMEOUT"):
            return BUSY
        raise
    return "" if kind == "none" else kind


def _unless_unsupported(read: Any) -> bool | None:
    """A setting, None where this driver or a transient domain has none."""
    with suppress(libvirt.libvirtError):
        return bool(read())
    return None


def _connection_of(destination: HostPort | None) -> Any:
    virt = getattr(destination, "virt", None)
    if virt is None:
        raise Refused(
            "A direct move needs an open connection to the destination.", remedy="Connect to it first."
        )
    return virt
