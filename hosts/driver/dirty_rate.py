"""How fast a guest changes its memory, as QEMU measures it by sampling pages."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any, Final

import libvirt

from hosts.driver.errors import translate

logger = logging.getLogger(__name__)

# The shortest libvirt takes. Sampling costs the guest next to nothing; the mode with dirty bitmaps was measured to
# crash it (QEMU 7.2) and is never used.
PERIOD_S: Final = 1


def start_measuring(domain: Any, host: str) -> bool:
    """Begin to measure a running guest for a second, without waiting; the next reading has the result. False: it
    cannot be measured now. A guest with a job is left alone: libvirt would wait 30 s for the job to end."""
    with translate(host, "measure the guest"):
        try:
            if domain.state()[0] != libvirt.VIR_DOMAIN_RUNNING or domain.controlInfo()[0]:
                return False
            if domain.jobInfo()[0] != libvirt.VIR_DOMAIN_JOB_NONE:
                return False
            domain.startDirtyRateCalc(PERIOD_S, libvirt.VIR_DOMAIN_DIRTYRATE_MODE_PAGE_SAMPLING)
        except libvirt.libvirtError as error:
            if not domain.connect().isAlive():
                raise
            # QEMU before 5.2 has no such thing, one that measures already refuses: neither is anything to tell.
            logger.info("%s: %s is not measured: %s", host, domain.name(), error)
            return False
    return True


def read_dirty_rate(domain: Any) -> int | None:
    """MiB per second of the last finished measurement; None: there was none in the life of this QEMU."""
    with suppress(libvirt.libvirtError, ValueError):
        ((_, values),) = domain.connect().domainListGetStats([domain], libvirt.VIR_DOMAIN_STATS_DIRTYRATE)
        if values.get("dirtyrate.calc_status") == libvirt.VIR_DOMAIN_DIRTYRATE_MEASURED:
            return int(values["dirtyrate.megabytes_per_second"])
    return None
