"""libvirt's event loop: registered once per process, and running in a daemon thread from then on.

A loop that is registered and does not run kills every connection after about 30 s (keepalive is unanswered),
and a fork leaves the thread behind: so the process id decides, not a flag.
"""

from __future__ import annotations

import logging
import os
import threading

import libvirt

from hosts.driver import errors as _silencing  # noqa: F401  (its import silences libvirt's own printing)

logger = logging.getLogger(__name__)

_lock = threading.Lock()
_running_in: int | None = None


def ensure_event_loop() -> None:
    """Must be called before a connection is opened; cheap when the loop already runs in this process."""
    global _running_in  # noqa: PLW0603  (the loop is a property of the process)
    with _lock:
        if _running_in == os.getpid():
            return
        libvirt.virEventRegisterDefaultImpl()
        threading.Thread(target=_run, name="libvirt-events", daemon=True).start()
        _running_in = os.getpid()


def _run() -> None:
    while True:
        try:
            libvirt.virEventRunDefaultImpl()
        except libvirt.libvirtError:
            logger.exception("libvirt's event loop reported an error; it goes on")


def _renew_lock_after_fork() -> None:
    global _lock  # noqa: PLW0603  (the parent's lock may have been held by a thread that does not exist here)
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock_after_fork)
