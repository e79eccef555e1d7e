"""Tells every open browser that the inventory changed; the browsers fetch what they show."""

from __future__ import annotations

import logging

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

INVENTORY_GROUP = "inventory"
log = logging.getLogger(__name__)


def publish_inventory() -> None:
    """Best effort: the database has the truth, a browser that misses this catches up at the next change or
    when it connects again."""
    try:
        async_to_sync(get_channel_layer().group_send)(INVENTORY_GROUP, {"type": "inventory.changed"})
    except Exception as error:  # noqa: BLE001 — whatever the layer's trouble is, it must not undo a reading
        log.warning("Browsers could not be told that the inventory changed: %s", error)
