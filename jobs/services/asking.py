"""How often pages may ask hosts for newer readings. Each costs about a second of two hosts and of a worker."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from hosts.services.pairs import ASKED_RECENTLY, FRESH

# What one look at a page may set going; the answers make the page look again.
ASKED_AT_ONCE: Final = 16
# The more there is to read, the older a reading may be before it is asked for again: a page that stays open costs
# about this much, however many guests and hosts it shows.
READ_PER_MINUTE: Final = 8


def is_on_its_way(asked_at: datetime | None) -> bool:
    return asked_at is not None and timezone.now() - asked_at < ASKED_RECENTLY


def is_aged(read_at: datetime | None, shown: int) -> bool:
    """Whether a reading is too old for a page that shows so many of them."""
    return read_at is None or timezone.now() - read_at > _patience(shown)


def _patience(shown: int) -> timedelta:
    return FRESH * max(1.0, shown / READ_PER_MINUTE)
