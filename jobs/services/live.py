"""What open browsers are told about moves: whole rows and panels with their version, never differences.

The contract, server → browser (JSON with a `type`; fragments are rendered once, all get the same):
  snapshot   {at, moves: [{id, version, active, phase, say, words, row}, …]}  all the task dock shows; other rows go
  move       {at, id, version, active, phase, say, row, domain, ended}  one dock row, to the group "moves"
  panel      {at, id, version, panel, point}          the live part of a move's page, to the group "move.<id>"
  heartbeat  {at, versions: {id: version}}            every HEARTBEAT_S; what the dock should show now
  inventory  {}                                       hosts or guests changed: fetch what you show
  signed-out {}                                       the session has ended; nothing more is sent
browser → server: {watch: [id, …]} the pages it shows, each answered with a panel; {resend: true} → snapshot.
Redis may deliver out of order and loses messages while it restarts: a browser drops what is older than what
it shows, and the heartbeat's versions make up for what was lost.
"""

from __future__ import annotations

import logging
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import timezone

from jobs.models import Migration
from jobs.services import move_figures, move_view

log = logging.getLogger(__name__)

MOVES_GROUP = "moves"
HEARTBEAT_S = 5.0

Message = dict[str, Any]


def panel_group(migration_id: int) -> str:
    return f"move.{migration_id}"


def publish_move(migration: Migration) -> None:
    """Tell every open browser how this move stands. Best effort: a browser that misses it is caught up by the
    heartbeat, and no trouble of Redis may become trouble of a move."""
    transaction.on_commit(lambda: _publish(migration))


def _publish(migration: Migration) -> None:
    try:
        # Read again: the caller may hold an older row than another process has just written (a cancel).
        move = Migration.objects.defer("saved_xml").get(pk=migration.pk)
        view = move_view.view_move(move)
        async_to_sync(_send)(migration.pk, build_move_message(view), build_panel_message(view))
    except Exception as error:  # noqa: BLE001 — whatever the layer's trouble is, it must not undo a move
        log.warning("Browsers could not be told about %s: %s", migration, error)


async def _send(migration_id: int, row: Message, panel: Message) -> None:
    layer = get_channel_layer()
    await layer.group_send(MOVES_GROUP, {"type": "relay", "message": row})
    await layer.group_send(panel_group(migration_id), {"type": "relay", "message": panel})


def build_move_message(view: move_view.MoveView) -> Message:
    # The age of the figures, for whoever wants to know it (the benchmark does).
    read_at_ms = move_figures.read_at_ms(view.move)
    return {"type": "move", "at": _now(), "read_at_ms": read_at_ms, **_describe(view)}


def build_panel_message(view: move_view.MoveView) -> Message:
    move = view.move
    return {
        "type": "panel",
        "at": _now(),
        "id": move.pk,
        "version": move.version,
        "panel": render_to_string("jobs/_move_live.html", move_view.panel_context(view)),
        "point": move_figures.build_point(move),
    }


def read_snapshot() -> Message:
    """Everything the task dock shows, from the database."""
    dock = move_view.read_dock()
    return {"type": "snapshot", "at": _now(), "moves": [_describe(view) for view in dock.rows]}


def read_heartbeat() -> Message:
    return {"type": "heartbeat", "at": _now(), "versions": move_view.read_dock_versions()}


def find_panel(migration_id: int) -> Message | None:
    move = Migration.objects.defer("saved_xml").filter(pk=migration_id).first()
    return None if move is None else build_panel_message(move_view.view_move(move))


def _describe(view: move_view.MoveView) -> Message:
    move = view.move
    return {
        "id": move.pk,
        "version": move.version,
        "active": move.active,
        "phase": view.step_now,
        "say": view.sentence,
        "words": view.phase_words,
        "domain": str(move.domain_uuid),
        "source": move.source_name,
        "destination": move.destination_name,
        "row": render_to_string("jobs/_dock_row.html", {"view": view}),
    }


def _now() -> str:
    return timezone.now().isoformat()
