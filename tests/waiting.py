"""Waiting for what must come true, instead of sleeping and hoping."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
POLL_EVERY_S = 0.05


def wait_until(condition: Callable[[], T], within_s: float, what: str) -> T:
    """Return the first true value of `condition`; fail the test, naming `what`, when the deadline passes."""
    deadline = time.monotonic() + within_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s:g} s: {what}; last seen: {value!r}")
        time.sleep(POLL_EVERY_S)
