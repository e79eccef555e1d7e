"""The shell's one websocket: joins the groups, then sends a snapshot, then every change with its version."""

from __future__ import annotations

import asyncio
import contextlib
from importlib import import_module
from types import SimpleNamespace
from typing import Any, cast

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest

from hosts.services.live import INVENTORY_GROUP
from jobs.services import live

# Close code of our own (4000-4999 are free for applications): the session has ended.
SIGNED_OUT = 4401
# A page shows one move; a browser that asks for more than this is not ours.
MOST_WATCHED = 20


class LiveConsumer(AsyncJsonWebsocketConsumer):
    """One for each open page. It knows the versions it has sent, so that a heartbeat finds what was lost."""

    watched: frozenset[int] = frozenset()
    heart: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        if not await self._still_signed_in():
            await self.close(SIGNED_OUT)
            return
        self.sent: dict[int, int] = {}
        # Groups before the snapshot: what changes in between then arrives twice instead of never.
        for group in (live.MOVES_GROUP, INVENTORY_GROUP):
            await self.channel_layer.group_add(group, self.channel_name)
        await self.accept()
        await self._send_snapshot()
        self.heart = asyncio.create_task(self._beat())

    async def disconnect(self, code: int) -> None:
        if self.heart is not None:
            self.heart.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.heart
        groups = [live.MOVES_GROUP, INVENTORY_GROUP, *map(live.panel_group, self.watched)]
        for group in groups:
            await self.channel_layer.group_discard(group, self.channel_name)

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        if not isinstance(content, dict):
            return
        if content.get("resend"):
            await self._send_snapshot()
        if isinstance(content.get("watch"), list):
            await self._watch(content["watch"])

    async def relay(self, event: dict[str, Any]) -> None:
        """A message rendered once by whoever changed the move."""
        message = event["message"]
        if message["type"] == "move":
            self._remember(message)
        await self.send_json(message)

    async def inventory_changed(self, event: dict[str, Any]) -> None:
        await self.send_json({"type": "inventory"})

    async def _watch(self, ids: list[Any]) -> None:
        wanted = frozenset(number for number in ids[:MOST_WATCHED] if type(number) is int)
        for number in self.watched - wanted:
            await self.channel_layer.group_discard(live.panel_group(number), self.channel_name)
        for number in wanted - self.watched:
            await self.channel_layer.group_add(live.panel_group(number), self.channel_name)
        self.watched = wanted
        for number in sorted(wanted):
            await self._send_panel(number)

    async def _send_panel(self, number: int) -> None:
        panel = await database_sync_to_async(live.find_panel)(number)
        if panel is not None:
            await self.send_json(panel)

    async def _send_snapshot(self) -> None:
        snapshot = await database_sync_to_async(live.read_snapshot)()
        for move in snapshot["moves"]:
            self._remember(move)
        await self.send_json(snapshot)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(live.HEARTBEAT_S)
            if not await self._still_signed_in():
                await self.send_json({"type": "signed-out"})
                await self.close(SIGNED_OUT)
                return
            await self._send_heartbeat()

    async def _send_heartbeat(self) -> None:
        heartbeat = await database_sync_to_async(live.read_heartbeat)()
        missed = [
            number for number, version in heartbeat["versions"].items() if self.sent.get(number, 0) < version
        ]
        if missed:
            await self._send_snapshot()
            for number in self.watched.intersection(missed):
                await self._send_panel(number)
        await self.send_json(heartbeat)

    def _remember(self, move: dict[str, Any]) -> None:
        self.sent[move["id"]] = max(move["version"], self.sent.get(move["id"], 0))

    @database_sync_to_async
    def _still_signed_in(self) -> bool:
        """Asked of the session store, not of what was true when the socket was opened."""
        engine = import_module(settings.SESSION_ENGINE)
        session = engine.SessionStore(self.scope["session"].session_key)
        return bool(get_user(cast("HttpRequest", SimpleNamespace(session=session))).is_authenticated)
