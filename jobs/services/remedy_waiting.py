"""Waits for the end of a remedy, for callers without a browser."""

from __future__ import annotations

import time

from jobs.models import Remedy
from jobs.services import remedies
from jobs.services.remedy_view import is_lapsed, view_remedy
from jobs.services.waiting import LOOK_EVERY_S


def wait_until_over(remedy: Remedy) -> Remedy:
    """As it ended and was checked again. Always ends: what nobody takes is withdrawn, what hangs is given up."""
    while view_remedy(remedy).going_on:
        time.sleep(LOOK_EVERY_S)
        remedy.refresh_from_db()
        if is_lapsed(remedy):
            remedies.expire_lapsed()
            remedy.refresh_from_db()
    return remedy
