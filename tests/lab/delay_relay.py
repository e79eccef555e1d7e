"""A slow wire: carries packets between a link's end and a tap device, each so many milliseconds late.

For kernels without sch_netem. Run as a program inside the namespace that holds the device:
delay_relay.py DEVICE TAP DELAY_MS. It makes the tap device, which vanishes when the program ends.
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import struct
import sys
import time
from collections import deque

ETH_P_ALL = 0x0003
SOL_PACKET, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 263, 15, 23
TUNSETIFF, TUNSETOFFLOAD, TUNSETVNETHDRSZ = 0x400454CA, 0x400454D0, 0x400454D8
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
OFFLOADS = 0x01 | 0x02 | 0x04  # TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6: veth pairs carry packets of 64 KiB
HEADER_BYTES = 10  # struct virtio_net_hdr stands before each packet on both sides
MAX_PACKET_BYTES = 70_000
MAX_WAITING_PACKETS = 20_000


def open_device(name: str) -> int:
    connection = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    connection.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    connection.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    connection.bind((name, ETH_P_ALL))
    connection.setblocking(False)
    return connection.detach()


def open_tap(name: str) -> int:
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
    fcntl.ioctl(tap, TUNSETVNETHDRSZ, struct.pack("i", HEADER_BYTES))
    fcntl.ioctl(tap, TUNSETOFFLOAD, OFFLOADS)
    return tap


def relay(ends: tuple[int, int], delay_s: float) -> None:
    """Carry packets both ways for ever."""
    other = {ends[0]: ends[1], ends[1]: ends[0]}
    waiting: deque[tuple[float, int, bytes]] = deque()
    while True:
        timeout_s = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        for end in select.select(ends, [], [], timeout_s)[0]:
            receive(end, other[end], delay_s, waiting)
        while waiting and waiting[0][0] <= time.monotonic():
            _, target, packet = waiting.popleft()
            send(target, packet)


def receive(source: int, target: int, delay_s: float, waiting: deque[tuple[float, int, bytes]]) -> None:
    for _ in range(64):
        try:
            packet = os.read(source, MAX_PACKET_BYTES)
        except (BlockingIOError, OSError):
            return
        if len(waiting) < MAX_WAITING_PACKETS:
            waiting.append((time.monotonic() + delay_s, target, packet))


def send(target: int, packet: bytes) -> None:
    try:
        os.write(target, packet)
    except OSError:
        return  # a wire loses what it cannot carry; TCP sends it again


if __name__ == "__main__":
    device, tap, delay_ms = sys.argv[1:]
    relay((open_device(device), open_tap(tap)), float(delay_ms) / 1000)
