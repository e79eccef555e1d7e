"""Pings from the root namespace, without a process for each."""

from __future__ import annotations

import itertools
import os
import select
import socket
import struct
import threading
import time
from types import TracebackType
from typing import Self

ECHO_REQUEST, ECHO_REPLY = 8, 0
_identifiers = itertools.count(os.getpid())


def answers(address: str, timeout_s: float) -> bool:
    """Whether one echo request is answered within timeout_s seconds."""
    identifier = next(_identifiers) & 0xFFFF
    with _open(address) as connection:
        try:
            connection.send(_request(identifier, 1))
        except OSError:
            return False
        deadline = time.monotonic() + timeout_s
        while (left_s := deadline - time.monotonic()) > 0:
            if select.select([connection], [], [], left_s)[0] and _is_reply(connection.recv(256), identifier):
                return True
    return False


class PingGap:
    """Pings an address all the time; longest_ms is the longest time from one answer to the next."""

    def __init__(self, address: str, interval_ms: int) -> None:
        self._interval_s = interval_ms / 1000
        self._identifier = next(_identifiers) & 0xFFFF
        self._connection = _open(address)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._record, daemon=True)
        self._last_answer_s: float | None = None
        self._longest_s = 0.0
        self.answers = 0

    @property
    def longest_ms(self) -> float:
        """Milliseconds; counts from the first answer on, so start it while the guest answers."""
        return self._longest_s * 1000

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._note_silence()
        self._connection.close()

    def _record(self) -> None:
        next_send_s = time.monotonic()
        for number in itertools.count(1):
            if self._stop.is_set():
                return
            try:
                self._connection.send(_request(self._identifier, number & 0xFFFF))
            except OSError:
                self._note_silence()  # no route while a link is down is silence, too
            next_send_s += self._interval_s
            self._receive_until(next_send_s)

    def _receive_until(self, deadline_s: float) -> None:
        while True:
            left_s = max(0.0, deadline_s - time.monotonic())
            if not select.select([self._connection], [], [], left_s)[0]:
                return
            if _is_reply(self._connection.recv(256), self._identifier):
                self._note_silence()
                self._last_answer_s = time.monotonic()
                self.answers += 1

    def _note_silence(self) -> None:
        if self._last_answer_s is not None:
            self._longest_s = max(self._longest_s, time.monotonic() - self._last_answer_s)


def _open(address: str) -> socket.socket:
    connection = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    connection.connect((address, 0))  # only this address's answers come in
    return connection


def _request(identifier: int, number: int) -> bytes:
    header = struct.pack("!BBHHH", ECHO_REQUEST, 0, 0, identifier, number)
    total = sum(struct.unpack("!4H", header))
    total = (total >> 16) + (total & 0xFFFF)
    return struct.pack("!BBHHH", ECHO_REQUEST, 0, ~(total + (total >> 16)) & 0xFFFF, identifier, number)


def _is_reply(packet: bytes, identifier: int) -> bool:
    start = (packet[0] & 0x0F) * 4  # raw sockets deliver the IP header, too
    kind, _, _, found = struct.unpack_from("!BBHH", packet, start)
    return bool(kind == ECHO_REPLY and found == identifier)
