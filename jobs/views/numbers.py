"""Numbers as addresses and forms carry them."""

from __future__ import annotations

MOST_DIGITS = 18  # what a database key can hold


def read_number(text: str | None) -> int | None:
    """None for whatever is no plain number."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else None
