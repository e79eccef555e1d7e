"""For who waits in a terminal: until the workers have ended every order of a run."""

from __future__ import annotations

import time
from typing import Final

from hosts.models import StorageOperation, StorageRun
from hosts.services.storage_orders import expire_lapsed

LOOK_EVERY_S: Final = 0.3


def wait_until_over(run: StorageRun) -> list[StorageOperation]:
    """The operations as they ended, by host. What no worker takes is withdrawn, so that this ends."""
    while run.operations.filter(ended_at=None).exists():
        time.sleep(LOOK_EVERY_S)
        expire_lapsed()
    return list(run.operations.select_related("host").order_by("host__name", "pk"))
