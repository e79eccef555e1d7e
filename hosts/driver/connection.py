"""Opening a connection within a deadline, and the connection as the rest of the product knows it."""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import libvirt

from hosts.driver import changes, changes_storage, reach
from hosts.driver.destination_reading import read_for_guest
from hosts.driver.errors import connect_error, is_code, translate
from hosts.driver.eventloop import ensure_event_loop
from hosts.driver.guest import Guest
from hosts.driver.guest_reading import read_guest, read_guests
from hosts.driver.host_cpu import compare_host_cpu
from hosts.driver.host_keys import check_host_keys
from hosts.driver.host_reading import read_facts
from hosts.driver.material import Material, prepare
from hosts.driver.reach import Deadline
from hosts.driver.storage import Storage
from hosts.errors import ConnectStep, HostKeyUnknown, HostUnreachable
from hosts.facts.domain import GuestReading
from hosts.facts.host import HostFacts
from hosts.ports import Change, ConnectionSpec, CpuComparison, DestinationReading, HostPort

# A dead link is noticed after interval * (count + 1) = 9 s (measured).
KEEPALIVE_INTERVAL_S, KEEPALIVE_COUNT = 3, 2
# Opens that never came back, per host: each holds a thread; more would only pile up on a host that hangs.
MAX_STUCK_OPENS = 3

_stuck_lock = threading.Lock()
_stuck: dict[str, int] = {}


class Connection(HostPort):
    """One open connection to one host. Threads may share it; at most five requests are in flight at a time.

    Belongs to the process that opened it: libvirt's sockets do not survive a fork.
    """

    def __init__(self, virt: Any, spec: ConnectionSpec) -> None:
        self._virt = virt
        self._pid = os.getpid()
        self.name = spec.name or spec.address

    @property
    def virt(self) -> Any:
        """libvirt's own object, for hosts.driver only."""
        if self._pid != os.getpid():
            raise HostUnreachable(
                f"The connection to {self.name} belongs to another process; open a new one."
            )
        return self._virt

    def is_alive(self) -> bool:
        """Without a round trip: whether the connection is known to be broken."""
        if self._pid != os.getpid() or self._virt is None:
            return False
        with suppress(libvirt.libvirtError):
            return bool(self._virt.isAlive())
        return False

    def read_facts(self) -> HostFacts:
        return read_facts(self.virt, self.name)

    def read_guests(self) -> tuple[GuestReading, ...]:
        return read_guests(self.virt, self.name)

    def find_guest(self, domain_uuid: str) -> Guest | None:
        """The guest, None when the host answers that it has none with this UUID."""
        try:
            return Guest(self.virt.lookupByUUIDString(domain_uuid), self.name)
        except libvirt.libvirtError as error:
            if is_code(error, "NO_DOMAIN"):
                return None
            with translate(self.name, "look up the guest"):
                raise

    def find_guest_reading(self, domain_uuid: str) -> GuestReading | None:
        guest = self.find_guest(domain_uuid)
        return None if guest is None else read_guest(guest.virt, self.name)

    def read_for_guest(self, guest: GuestReading, *, disk_paths: tuple[str, ...]) -> DestinationReading:
        return read_for_guest(self.virt, self.name, guest, disk_paths)

    def compare_host_cpu(self, other: HostPort) -> CpuComparison:
        if not isinstance(other, Connection):
            raise TypeError("Only hosts that libvirt reaches have a processor to compare.")
        return compare_host_cpu(self.virt, self.name, other.virt, other.name)

    @property
    def storage(self) -> Storage:
        return Storage(lambda: self.virt, self.name)

    def define_guest(self, xml: str) -> None:
        with translate(self.name, "define the guest", changes=True):
            self.virt.defineXML(xml)

    def start_network(self, name: str) -> Change:
        return changes.start_network(self.virt, self.name, name)

    def start_pool(self, name: str) -> Change:
        return changes_storage.start_pool(self.virt, self.name, name)

    def read_pool_xml(self, name: str) -> str:
        return changes_storage.read_pool_xml(self.virt, self.name, name)

    def create_pool(self, source_xml: str) -> Change:
        return changes_storage.create_pool(self.virt, self.name, source_xml)

    def create_volume(self, pool: str, name: str, *, format_name: str, capacity_bytes: int) -> Change:
        return changes_storage.create_volume(self.virt, self.name, pool, name, format_name, capacity_bytes)

    def close(self) -> None:
        """Idempotent. Another process's connection is left alone: closing it here would break it there."""
        virt, self._virt = self._virt, None
        if virt is not None and self._pid == os.getpid():
            with suppress(libvirt.libvirtError):
                virt.close()

    def forget(self) -> None:
        """In a forked child: drop the parent's connection without closing it."""
        if self._virt is not None and self._pid != os.getpid():
            self._virt._o = None  # what virConnect.__del__ would close
            self._virt = None


def open_connection(spec: ConnectionSpec, *, deadline_s: float = 10) -> Connection:
    """Open within `deadline_s`. Raises HostUnreachable whose `step` says how far it came; never hangs."""
    _refuse_when_stuck(spec)
    ensure_event_loop()
    deadline = Deadline(deadline_s)
    with prepare(spec, deadline_s=deadline_s) as material:
        _check_alive(material, spec, deadline)
        try:
            virt = _within(deadline, lambda: _open(material.uri, spec), material, spec)
        except HostKeyUnknown:
            # libvirt says only that it does not like the key: tell an unknown one from a changed one.
            check_host_keys(
                material.address, spec.name, spec.known_hosts, timeout_s=min(5.0, deadline.left_s)
            )
            raise
    _set_keepalive(virt)
    return Connection(virt, spec)


def _check_alive(material: Material, spec: ConnectionSpec, deadline: Deadline) -> None:
    """What open() would wait for without end is asked first, with a time limit."""
    address, host = material.address, spec.name or spec.address
    if address.driver == "test":
        return
    try:
        if address.effective_transport == "unix":
            with reach.local_socket(address, host, deadline) as link:
                reach.ask_daemon(link)
            return
        with reach.connected(address, host, deadline) as link:
            _greet(link, material)
    except TimeoutError as error:
        raise _silent(host, address.effective_transport) from error
    except OSError:
        # Answered, but not as expected: libvirt's own attempt says why better than we could.
        return


def _greet(link: Any, material: Material) -> None:
    transport = material.address.effective_transport
    if material.address.uses_ssh:
        reach.read_banner(link)
    elif transport == "tcp":
        reach.ask_daemon(link)
    elif transport == "tls" and material.file("cacert.pem"):
        with reach.start_tls(link, material) as session:
            reach.ask_daemon(session)


def _silent(host: str, transport: str) -> HostUnreachable:
    service = "SSH server" if transport in {"ssh", "libssh2", "libssh"} else "libvirt daemon"
    return HostUnreachable(
        f"{host} accepts the connection, but its {service} does not answer: it hangs or is overloaded.",
        step=ConnectStep.DAEMON,
        remedy="On the host: systemctl status libvirtd; journalctl -u libvirtd -n 50   Guests go on running.",
    )


def _open(uri: str, spec: ConnectionSpec) -> Any:
    kinds = [libvirt.VIR_CRED_AUTHNAME, libvirt.VIR_CRED_PASSPHRASE, libvirt.VIR_CRED_USERNAME]
    return libvirt.openAuth(uri, [kinds, _answer_credentials, spec], 0)


def _answer_credentials(asked: list[list[Any]], spec: ConnectionSpec) -> int:
    """libvirt asks for SASL name and password one by one; -1 says that we have none."""
    for credential in asked:
        is_password = credential[0] == libvirt.VIR_CRED_PASSPHRASE
        answer = spec.sasl_password if is_password else spec.sasl_username
        if not answer:
            return -1
        credential[4] = answer
    return 0


class _Attempt:
    """One open() in a thread of its own. Whoever comes too late, the answer or the deadline, knows it."""

    def __init__(self, action: Callable[[], Any], address: str) -> None:
        self._action, self._address = action, address
        self._lock = threading.Lock()
        self._abandoned = False
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="libvirt-open", daemon=True).start()

    def wait(self, seconds: float) -> Any:
        """The connection or the libvirtError; None when neither came."""
        try:
            return self._answers.get(timeout=seconds)
        except queue.Empty:
            with self._lock:
                self._abandoned = self._answers.empty()
            if not self._abandoned:
                return self._answers.get()
            _count_stuck(self._address, 1)
            return None

    def _run(self) -> None:
        try:
            answer: Any = self._action()
        except libvirt.libvirtError as error:
            answer = error
        with self._lock:
            if not self._abandoned:
                self._answers.put(answer)
                return
        _count_stuck(self._address, -1)
        if not isinstance(answer, libvirt.libvirtError):
            answer.close()


def _within(deadline: Deadline, action: Callable[[], Any], material: Material, spec: ConnectionSpec) -> Any:
    """The action's result, or its error, or HostUnreachable when neither came in time."""
    answer = _Attempt(action, spec.address).wait(deadline.left_s)
    if answer is None:
        _end_ssh(material)
        raise _silent(spec.name or spec.address, "")
    if isinstance(answer, libvirt.libvirtError):
        raise connect_error(answer, spec.name or spec.address) from answer
    return answer


def _count_stuck(address: str, change: int) -> None:
    with _stuck_lock:
        _stuck[address] = _stuck.get(address, 0) + change


def _refuse_when_stuck(spec: ConnectionSpec) -> None:
    with _stuck_lock:
        if _stuck.get(spec.address, 0) >= MAX_STUCK_OPENS:
            raise _silent(spec.name or spec.address, "")


def _end_ssh(material: Material) -> None:
    """libvirt waits for its ssh without end; ending that process makes open() return."""
    with suppress(OSError, ValueError):
        os.kill(int(material.ssh_pid_file.read_text()), signal.SIGTERM)


def _set_keepalive(virt: Any) -> None:
    # Local drivers have no link to watch and say so with an error.
    with suppress(libvirt.libvirtError):
        virt.setKeepAlive(KEEPALIVE_INTERVAL_S, KEEPALIVE_COUNT)
