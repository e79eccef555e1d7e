"""Is anybody there? Questions with a time limit, asked before libvirt, whose open() has none.

The last question speaks libvirt's own protocol: the list of ways to authenticate (REMOTE_PROC_AUTH_LIST), the
first call of every client. A stopped daemon still accepts connections (the kernel does); only an answer
proves it alive.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from hosts.driver.material import Material
from hosts.errors import ConnectStep, HostUnreachable
from hosts.facts.address import ConnectionAddress

T = TypeVar("T")
SocketAddress = tuple[socket.AddressFamily, Any]

_STREAM = socket.SOCK_STREAM

# src/remote/remote_protocol.x and src/rpc/virnetprotocol.x of libvirt.
_PROGRAM, _VERSION, _AUTH_LIST, _CALL = 0x20008086, 1, 66, 0
_HEADER = struct.Struct("!7I")  # length, program, version, procedure, type, serial, status
_MAX_REPLY_BYTES = 4096

LOCAL_SOCKETS = ("/run/libvirt/virtqemud-sock", "/run/libvirt/libvirt-sock", "/run/libvirt/virtxend-sock")


class Deadline:
    """A moment after which nothing may still be waited for."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left_s(self) -> float:
        return max(0.01, self._end - time.monotonic())


def bounded(deadline: Deadline, action: Callable[[], T]) -> T:
    """The action's result or error, or TimeoutError; its thread is left to end by itself. For what has no
    limit of its own and cannot be interrupted."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(action())
        except BaseException as error:  # noqa: BLE001 — carried to whoever waits for the future
            future.set_exception(error)

    threading.Thread(target=run, name="bounded", daemon=True).start()
    return future.result(timeout=deadline.left_s)


def resolve(address: ConnectionAddress, host: str, deadline: Deadline) -> list[SocketAddress]:
    """The socket addresses of a name. Raises HostUnreachable at NAME."""
    try:
        found = bounded(
            deadline, lambda: socket.getaddrinfo(address.host, address.effective_port, type=_STREAM)
        )
    except OSError as error:  # TimeoutError is one too
        raise HostUnreachable(
            f"The name {address.host} of {host} does not resolve on the console.",
            step=ConnectStep.NAME,
            remedy=f"Check it: getent ahosts {address.host}   Then correct DNS, /etc/hosts or the address.",
            libvirt_text=str(error),
        ) from error
    return [(family, place) for family, _, _, _, place in found]


@contextmanager
def connected(address: ConnectionAddress, host: str, deadline: Deadline) -> Iterator[socket.socket]:
    """A TCP connection to the address. Raises HostUnreachable at NAME or PORT."""
    places = resolve(address, host, deadline)
    port = address.effective_port or 0
    try:
        link = _connect(places, deadline)
    except OSError as error:
        raise _port_error(address, host, port, error) from error
    with link:
        link.settimeout(deadline.left_s)
        yield link


def _connect(places: list[SocketAddress], deadline: Deadline) -> socket.socket:
    """The first that answers; a silent one may use up its share of the time only."""
    last = OSError("The name has no address.")
    for number, (family, place) in enumerate(places):
        link = socket.socket(family, _STREAM)
        link.settimeout(deadline.left_s / (len(places) - number))
        try:
            link.connect(place)
        except OSError as error:
            link.close()
            last = error
        else:
            return link
    raise last


def _port_error(address: ConnectionAddress, host: str, port: int, error: OSError) -> HostUnreachable:
    refused = isinstance(error, ConnectionRefusedError)
    what = "refused: nothing listens there" if refused else f"not answered ({error})"
    return HostUnreachable(
        f"Port {port} of {host} ({address.host}) is {what}.",
        step=ConnectStep.PORT,
        remedy=_listen_remedy(address, port) if refused else _firewall_remedy(address, port),
        libvirt_text=str(error),
    )


def _listen_remedy(address: ConnectionAddress, port: int) -> str:
    units = {"tcp": "libvirtd-tcp.socket", "tls": "libvirtd-tls.socket"}
    unit = units.get(address.effective_transport, "ssh")
    return f"On the host: systemctl enable --now {unit}\nThen check: ss -ltn 'sport = :{port}'"


def _firewall_remedy(address: ConnectionAddress, port: int) -> str:
    return (
        f"Check that {address.host} is up (ping {address.host}) and that its firewall lets the console in: "
        f"firewall-cmd --permanent --add-port={port}/tcp && firewall-cmd --reload"
    )


def ask_daemon(link: socket.socket) -> tuple[int, ...]:
    """The daemon's ways to authenticate (0 none, 1 SASL, 2 polkit). OSError when it does not answer."""
    link.sendall(_HEADER.pack(_HEADER.size, _PROGRAM, _VERSION, _AUTH_LIST, _CALL, 0, 0))
    length, _, _, _, _, _, status = _HEADER.unpack(_receive(link, _HEADER.size))
    if not _HEADER.size < length <= _MAX_REPLY_BYTES or status:
        raise OSError("The answer is not libvirt's.")
    body = _receive(link, length - _HEADER.size)
    (count,) = struct.unpack_from("!I", body)
    return struct.unpack_from(f"!{min(count, len(body) // 4 - 1)}I", body, 4)


def _receive(link: socket.socket, size: int) -> bytes:
    parts = b""
    while len(parts) < size:
        part = link.recv(size - len(parts))
        if not part:
            raise OSError("The connection was closed before an answer came.")
        parts += part
    return parts


def read_banner(link: socket.socket) -> str:
    """The first line of an SSH server. OSError when none comes."""
    banner = link.recv(255).split(b"\n")[0].decode("ascii", "replace").strip()
    if not banner.startswith("SSH-"):
        raise OSError(f"What answers is no SSH server: {banner[:40]!r}.")
    return banner


def start_tls(link: socket.socket, material: Material) -> ssl.SSLSocket:
    """A TLS session as libvirt makes it. Raises ssl.SSLError, also for the server's verdict on us."""
    context = ssl.create_default_context(cafile=_text(material.file("cacert.pem")))
    certificate, key = material.file("clientcert.pem"), material.file("clientkey.pem")
    if certificate and key:
        context.load_cert_chain(certificate, key)
    session = context.wrap_socket(link, server_hostname=material.address.host)
    # virNetTLSSession: the server sends one byte 0x01 when it accepts our certificate, else it hangs up.
    if session.recv(1) != b"\x01":
        session.close()
        raise ssl.SSLError("The host refused the console's certificate.")
    return session


def _text(path: Path | None) -> str | None:
    return str(path) if path else None


@contextmanager
def local_socket(address: ConnectionAddress, host: str, deadline: Deadline) -> Iterator[socket.socket]:
    """The local daemon's socket. Raises HostUnreachable at DAEMON or PERMISSION."""
    path = address.socket or next((path for path in LOCAL_SOCKETS if Path(path).exists()), LOCAL_SOCKETS[1])
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(deadline.left_s)
        try:
            link.connect(path)
        except OSError as error:
            raise _socket_error(path, host, error) from error
        yield link


def _socket_error(path: str, host: str, error: OSError) -> HostUnreachable:
    if isinstance(error, PermissionError):
        return HostUnreachable(
            f"The console's account may not use the libvirt socket {path} of {host}.",
            step=ConnectStep.PERMISSION,
            remedy="usermod -aG libvirt ACCOUNT   Then start the console's processes again.",
            libvirt_text=str(error),
        )
    return HostUnreachable(
        f"No libvirt daemon answers on {path} of {host}.",
        step=ConnectStep.DAEMON,
        remedy="systemctl enable --now libvirtd.socket   (with modular daemons: virtqemud.socket)",
        libvirt_text=str(error),
    )
