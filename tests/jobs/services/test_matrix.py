"""All guests of a host towards all others: the sums, the reasons, what is asked for and how many queries it takes."""

from __future__ import annotations

from typing import Any

import pytest

from hosts.models import Guest, Host
from jobs.services import preflight
from jobs.services.asking import ASKED_AT_ONCE
from jobs.services.matrix import ROWS, read_matrix
from tests.jobs.builders import GIB
from tests.jobs.services.sites import make_host, store, store_pairs

pytestmark = pytest.mark.django_db


@pytest.fixture
def mercury() -> Host:
    return make_host("mercury")


@pytest.fixture(autouse=True)
def rung(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    bells: list[tuple[str, str]] = []

    def ask(guest: Guest, hosts: list[Host]) -> None:
        bells.extend((guest.name, host.name) for host in hosts)

    monkeypatch.setattr(preflight, "request_readings", ask)
    return bells


def fill(host: Host, number: int, **facts: Any) -> list[Guest]:
    return [store(host, f"web{index:03d}", mac=f"52:54:00:00:{index // 256:02x}:{index % 256:02x}", **facts)
            for index in range(number)]  # fmt: skip


def test_who_can_leave_is_counted_and_who_cannot_is_named_with_the_reason(mercury: Host) -> None:
    jupiter, saturn = make_host("jupiter"), make_host("saturn")
    free = fill(mercury, 3)
    stuck = store(mercury, "db01", mac="52:54:00:00:09:00", memory_bytes=60 * GIB)
    store_pairs([*free, stuck], [jupiter, saturn])
    board = read_matrix(mercury)
    assert (board.guests, board.can_leave, board.checking) == (4, 3, 0)
    (one,) = board.stuck
    assert one.guest == stuck
    assert (one.nearest, "memory" in one.why) == (jupiter, True)
    assert [host.name for host in board.destinations] == ["jupiter", "saturn"]
    states = {row.guest.name: [cell.state for cell in row.cells] for row in board.rows}
    assert states["db01"] == ["blocked", "blocked"]
    assert "blocked" not in states["web000"]


def test_guest_not_yet_asked_about_is_being_checked_not_blocked(mercury: Host) -> None:
    make_host("jupiter")
    fill(mercury, 1)
    board = read_matrix(mercury)
    assert (board.can_leave, board.checking, board.stuck) == (0, 1, ())
    assert board.rows[0].cells[0].state == "checking"


def test_only_a_few_readings_are_asked_for_at_once(mercury: Host, rung: list[tuple[str, str]]) -> None:
    for number in range(5):
        make_host(f"host{number}")
    fill(mercury, 10)
    read_matrix(mercury)
    assert len(rung) == ASKED_AT_ONCE
    assert len(set(rung)) == ASKED_AT_ONCE


def test_queries_do_not_grow_with_guests_and_hosts(mercury: Host, django_assert_max_num_queries: Any) -> None:
    hosts = [make_host(f"host{number}") for number in range(10)]
    store_pairs(fill(mercury, 20), hosts)
    with django_assert_max_num_queries(6):
        board = read_matrix(mercury)
    assert sum(len(row.cells) for row in board.rows) == 200


def test_long_list_comes_in_parts_and_the_sums_are_of_all(mercury: Host) -> None:
    jupiter = make_host("jupiter")
    store_pairs(fill(mercury, ROWS + 2), [jupiter])
    first = read_matrix(mercury)
    assert (len(first.rows), first.can_leave, first.next_offset) == (ROWS, ROWS + 2, ROWS)
    second = read_matrix(mercury, ROWS)
    assert (len(second.rows), second.can_leave, second.next_offset) == (2, ROWS + 2, None)
    names = [row.guest.name for row in (*first.rows, *second.rows)]
    assert names == sorted(set(names))


def test_host_without_guests_or_without_others_is_said(mercury: Host) -> None:
    assert read_matrix(mercury).guests == 0
    fill(mercury, 1)
    board = read_matrix(mercury)
    assert (board.destinations, board.can_leave, board.stuck) == ((), 0, ())
