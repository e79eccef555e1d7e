"""The live connection, over a real channel layer: who may listen, what comes first, what is made up for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from hosts.services.live import publish_inventory
from jobs.engine.phases import Phase
from jobs.models import Migration
from jobs.services import live
from tests.jobs.rows import HOSTILE, make_host, make_move, make_person
from vmmigrate.asgi import application

pytestmark = pytest.mark.django_db(transaction=True)
ORIGIN = b"http://localhost"
WITHIN_S = 10

Message = dict[str, Any]


def log_in() -> tuple[User, str]:
    person = make_person()
    client = Client()
    client.force_login(person)
    return person, client.cookies[settings.SESSION_COOKIE_NAME].value


def dial(session: str = "", origin: bytes = ORIGIN) -> WebsocketCommunicator:
    cookie = f"{settings.SESSION_COOKIE_NAME}={session}".encode()
    return WebsocketCommunicator(application, "/ws/live/", headers=[(b"origin", origin), (b"cookie", cookie)])


@asynccontextmanager
async def listening() -> AsyncIterator[WebsocketCommunicator]:
    _, session = await sync_to_async(log_in)()
    connection = dial(session)
    accepted, _ = await connection.connect(timeout=WITHIN_S)
    assert accepted
    yield connection
    await connection.disconnect()


async def hear(connection: WebsocketCommunicator, kind: str) -> Message:
    """The next message of a kind; heartbeats and others in between are passed over."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            message: Message = await connection.receive_json_from(timeout=WITHIN_S)
            if message["type"] == kind:
                return message


def two_hosts_and_a_move(**fields: Any) -> Migration:
    return make_move(make_host("mercury"), make_host("jupiter"), **fields)


in_database: Callable[..., Callable[..., Awaitable[Any]]] = sync_to_async


@pytest.mark.parametrize("session", ["", "made-up"])
async def test_anonymous_is_refused(session: str) -> None:
    accepted, _ = await dial(session).connect(timeout=WITHIN_S)
    assert not accepted


async def test_page_of_another_origin_is_refused() -> None:
    _, session = await in_database(log_in)()
    accepted, _ = await dial(session, origin=b"http://elsewhere.example").connect(timeout=WITHIN_S)
    assert not accepted


async def test_snapshot_comes_first_and_has_every_active_move() -> None:
    move = await in_database(two_hosts_and_a_move)(phase=Phase.TRANSFERRING)
    async with listening() as connection:
        message = await connection.receive_json_from(timeout=WITHIN_S)
        assert message["type"] == "snapshot"
        assert [(row["id"], row["version"], row["active"]) for row in message["moves"]] == [
            (move.pk, move.version, True)
        ]
        assert f'id="dock-move-{move.pk}"' in message["moves"][0]["row"]


async def test_change_while_the_snapshot_is_read_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    move = await in_database(two_hosts_and_a_move)()
    read = live.read_snapshot

    def read_and_then_change() -> Message:
        snapshot = read()
        move.write(progress_data={"percent": 7})
        live.publish_move(move)
        return snapshot

    monkeypatch.setattr(live, "read_snapshot", read_and_then_change)
    async with listening() as connection:
        snapshot = await hear(connection, "snapshot")
        change = await hear(connection, "move")
        assert change["version"] == snapshot["moves"][0]["version"] + 1


async def test_every_browser_gets_the_same_row_with_its_version() -> None:
    move = await in_database(two_hosts_and_a_move)(phase=Phase.TRANSFERRING)
    _, session = await in_database(log_in)()
    first, second = dial(session), dial(session)
    for connection in (first, second):
        await connection.connect(timeout=WITHIN_S)
        await hear(connection, "snapshot")
    await in_database(move.write)(progress_data={"percent": 41, "step": "memory", "pass_number": 3})
    await in_database(live.publish_move)(move)
    heard = [await hear(connection, "move") for connection in (first, second)]
    assert heard[0] == heard[1]
    assert heard[0]["version"] == move.version
    assert "memory pass 3" in heard[0]["row"]
    for connection in (first, second):
        await connection.disconnect()


async def test_published_row_is_the_database_s_not_the_caller_s_older_one() -> None:
    move = await in_database(two_hosts_and_a_move)(phase=Phase.TRANSFERRING)
    fresh = await Migration.objects.aget(pk=move.pk)
    await in_database(fresh.write)(cancel_requested_at=timezone.now(), cancel_requested_by="bo")
    async with listening() as connection:
        await hear(connection, "snapshot")
        await in_database(live.publish_move)(move)
        message = await hear(connection, "move")
        assert message["version"] == fresh.version
        assert "cancelling" in message["row"]


async def test_only_who_watches_a_move_gets_its_panel() -> None:
    move = await in_database(two_hosts_and_a_move)(phase=Phase.TRANSFERRING)
    async with listening() as connection:
        await connection.send_json_to({"watch": [move.pk]})
        panel = await hear(connection, "panel")
        assert f'id="move-{move.pk}-live"' in panel["panel"]
        await in_database(move.write)(progress_data={"percent": 5, "step": "memory", "elapsed_ms": 900})
        await in_database(live.publish_move)(move)
        panel = await hear(connection, "panel")
        assert (panel["version"], panel["point"]["at_ms"]) == (move.version, 900)
        await connection.send_json_to({"watch": []})
        await connection.send_json_to({"resend": True})
        await hear(connection, "snapshot")
        await in_database(live.publish_move)(move)
        await hear(connection, "move")
        await in_database(publish_inventory)()
        assert (await connection.receive_json_from(timeout=WITHIN_S))["type"] == "inventory"


async def test_heartbeat_makes_up_for_a_lost_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_S", 0.05)
    move = await in_database(two_hosts_and_a_move)()
    async with listening() as connection:
        await hear(connection, "snapshot")
        await in_database(move.write)(phase=Phase.PREPARING)  # written, never published
        snapshot = await hear(connection, "snapshot")
        assert snapshot["moves"][0]["version"] == move.version
        heartbeat = await hear(connection, "heartbeat")
        assert heartbeat["versions"] == {str(move.pk): move.version}


async def test_ended_session_is_told_and_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_S", 0.05)
    person, session = await in_database(log_in)()
    connection = dial(session)
    await connection.connect(timeout=WITHIN_S)
    person.is_active = False
    await person.asave()
    await hear(connection, "signed-out")
    assert (await connection.receive_output(timeout=WITHIN_S))["code"] == 4401


async def test_messages_that_make_no_sense_are_ignored() -> None:
    async with listening() as connection:
        await hear(connection, "snapshot")
        for nonsense in ([], "x", {"watch": ["1", None, {}]}, {"watch": "all"}, {"watch": [999_999]}):
            await connection.send_json_to(nonsense)
        await connection.send_json_to({"resend": True})
        await hear(connection, "snapshot")


async def test_hostile_guest_name_is_inert_in_fragments() -> None:
    move = await in_database(two_hosts_and_a_move)(name=HOSTILE, phase=Phase.TRANSFERRING)
    async with listening() as connection:
        snapshot = await hear(connection, "snapshot")
        await connection.send_json_to({"watch": [move.pk]})
        panel = await hear(connection, "panel")
        assert "<img" not in snapshot["moves"][0]["row"] + panel["panel"]


def test_trouble_of_redis_is_no_trouble_of_a_move(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    move = two_hosts_and_a_move()

    async def unreachable(*_: object) -> None:
        raise ConnectionError("Redis is gone")

    monkeypatch.setattr(live, "_send", unreachable)
    live.publish_move(move)
    assert "Redis is gone" in caplog.text
