"""Connections to real hosts, good ones and every way they fail."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hosts.driver.connection import Connection, open_connection
from hosts.driver.diagnose import test_connection as diagnose
from hosts.driver.host_keys import scan_host_keys
from hosts.driver.material import prepare
from hosts.driver.pool import borrow, close_idle
from hosts.errors import ConnectStep, HostKeyChanged, HostKeyUnknown, HostUnreachable
from hosts.ports import ConnectionSpec, StepState
from tests.hosts.conftest import SpecFor
from tests.lab import Lab
from tests.lab.credentials import make_ssh_key

pytestmark = pytest.mark.lab

Connect = Callable[..., Connection]
TRANSPORTS = ("tcp", "tls", "ssh", "libssh2", "libssh")


@pytest.fixture(autouse=True)
def healthy(lab: Lab) -> Iterator[None]:
    yield
    for host in lab.hosts.values():
        host.resume_libvirtd()
        host.restore()
    close_idle()


@pytest.fixture
def foreign_key(tmp_path: Path) -> str:
    make_ssh_key(tmp_path / "key", "nobody")
    return (tmp_path / "key").read_text()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_every_transport_connects_and_reads(lab: Lab, connect: Connect, transport: str) -> None:
    connection = connect("mercury", transport)
    assert connection.read_facts().host_uuid == lab.hosts["mercury"].uuid
    assert connection.is_alive()


def test_unix_socket_connects(lab: Lab) -> None:
    socket = lab.hosts["mercury"].path("/run/libvirt/libvirt-sock")
    connection = open_connection(ConnectionSpec("mercury", f"qemu+unix:///system?socket={socket}"))
    assert connection.read_facts().hostname == "mercury"
    connection.close()


def fails_at(spec: ConnectionSpec, step: ConnectStep, *, deadline_s: float = 5) -> HostUnreachable:
    """Both doors must tell the same step, in time: opening, and testing the connection."""
    started = time.monotonic()
    with pytest.raises(HostUnreachable) as failure:
        open_connection(spec, deadline_s=deadline_s)
    assert failure.value.step is step, failure.value.libvirt_text
    report = diagnose(spec, deadline_s=deadline_s)
    assert time.monotonic() - started < 2 * deadline_s + 1
    failed = [found for found in report.steps if found.state is StepState.FAILED]
    assert [found.step for found in failed] == [step], report.steps
    assert failed[0].remedy
    assert not report.ok
    assert [found.step for found in report.steps] == list(ConnectStep)
    return failure.value


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_unknown_name_is_told(spec_for: SpecFor, transport: str) -> None:
    fails_at(
        spec_for("mercury", transport, address=f"qemu+{transport}://nowhere.invalid/system"), ConnectStep.NAME
    )


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_closed_port_is_told(lab: Lab, spec_for: SpecFor, transport: str) -> None:
    address = f"qemu+{transport}://{lab.hosts['mercury'].address}:9/system"
    fails_at(spec_for("mercury", transport, address=address), ConnectStep.PORT)


@pytest.mark.parametrize("transport", ["tcp", "ssh"])
def test_filtered_port_is_told_within_the_deadline(lab: Lab, spec_for: SpecFor, transport: str) -> None:
    lab.hosts["mercury"].block_ports(1, 65000)
    fails_at(spec_for("mercury", transport), ConnectStep.PORT, deadline_s=2)


@pytest.mark.parametrize("transport", ["ssh", "libssh2", "libssh"])
def test_unknown_host_key_is_told_with_what_is_offered(spec_for: SpecFor, transport: str) -> None:
    spec = spec_for("mercury", transport, known_hosts="")
    error = fails_at(spec, ConnectStep.HOST_KEY)
    assert isinstance(error, HostKeyUnknown)
    assert not isinstance(error, HostKeyChanged)
    assert error.offered[0].fingerprint == diagnose(spec).offered_keys[0].fingerprint


@pytest.mark.parametrize("transport", ["ssh", "libssh2"])
def test_changed_host_key_is_refused_loudly(lab: Lab, spec_for: SpecFor, transport: str) -> None:
    lab.hosts["mercury"].replace_host_key()
    spec = spec_for("mercury", transport)
    error = fails_at(spec, ConnectStep.HOST_KEY)
    assert isinstance(error, HostKeyChanged)
    assert "NOT" in error.message
    assert diagnose(spec).key_changed


def test_scanned_key_once_accepted_lets_us_in(lab: Lab, spec_for: SpecFor) -> None:
    keys = scan_host_keys(lab.hosts["mercury"].address)
    spec = spec_for("mercury", "ssh", known_hosts="".join(key.line + "\n" for key in keys))
    assert diagnose(spec).ok


@pytest.mark.parametrize("transport", ["ssh", "libssh2"])
def test_refused_key_is_a_failed_login(spec_for: SpecFor, foreign_key: str, transport: str) -> None:
    fails_at(spec_for("mercury", transport, ssh_private_key=foreign_key), ConnectStep.LOGIN)


@pytest.mark.parametrize("transport", ["ssh", "libssh2"])
def test_unusable_key_is_a_failed_login(spec_for: SpecFor, transport: str) -> None:
    fails_at(spec_for("mercury", transport, ssh_private_key="nonsense"), ConnectStep.LOGIN)


@pytest.mark.parametrize("transport", ["ssh", "libssh2"])
def test_missing_socket_is_a_missing_daemon(lab: Lab, spec_for: SpecFor, transport: str) -> None:
    address = f"qemu+{transport}://root@{lab.hosts['mercury'].address}/system?socket=/run/nothing"
    fails_at(spec_for("mercury", transport, address=address), ConnectStep.DAEMON)


@pytest.mark.parametrize("transport", ["ssh", "libssh2"])
def test_stopped_service_behind_ssh_is_a_missing_daemon(lab: Lab, spec_for: SpecFor, transport: str) -> None:
    lab.hosts["mercury"].kill_libvirtd()
    fails_at(spec_for("mercury", transport), ConnectStep.DAEMON)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_hanging_daemon_is_told_within_the_deadline(lab: Lab, spec_for: SpecFor, transport: str) -> None:
    lab.hosts["mercury"].pause_libvirtd()
    fails_at(spec_for("mercury", transport), ConnectStep.DAEMON, deadline_s=3)


def test_foreign_authority_is_told(spec_for: SpecFor, tmp_path: Path) -> None:
    other = _certificate(tmp_path)
    error = fails_at(spec_for("mercury", "tls", tls_ca=other[0]), ConnectStep.CERTIFICATE)
    assert "ertificate" in error.message


def test_certificate_for_another_name_is_told(lab: Lab, spec_for: SpecFor) -> None:
    address = f"qemu+tls://[::ffff:{lab.hosts['mercury'].address}]/system"
    fails_at(spec_for("mercury", "tls", address=address), ConnectStep.CERTIFICATE)


def test_refused_client_certificate_is_told(spec_for: SpecFor, tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path)
    fails_at(spec_for("mercury", "tls", tls_certificate=certificate, tls_key=key), ConnectStep.CERTIFICATE)


def _certificate(directory: Path) -> tuple[str, str]:
    """A certificate that signed itself, and its key."""
    from tests.lab.system import run

    key, certificate = directory / "key.pem", directory / "certificate.pem"
    run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=stranger",
         "-keyout", key, "-out", certificate])  # fmt: skip
    return certificate.read_text(), key.read_text()


def test_sasl_password_decides(lab: Lab, spec_for: SpecFor) -> None:
    lab.hosts["mercury"].restart_libvirtd(sasl=True)
    try:
        assert diagnose(spec_for("mercury", "tcp")).ok
        fails_at(spec_for("mercury", "tcp", sasl_password="wrong"), ConnectStep.LOGIN)
        fails_at(spec_for("mercury", "tcp", sasl_username="", sasl_password=""), ConnectStep.LOGIN)
    finally:
        lab.hosts["mercury"].restart_libvirtd(sasl=False)


def test_missing_local_socket_is_told() -> None:
    fails_at(ConnectionSpec("here", "qemu+unix:///system?socket=/run/nothing"), ConnectStep.DAEMON)


def test_address_with_a_program_is_never_opened() -> None:
    fails_at(ConnectionSpec("evil", "qemu+ssh://mercury/system?command=/bin/true"), ConnectStep.ADDRESS)


def test_no_secret_outlives_the_connecting(spec_for: SpecFor) -> None:
    with prepare(spec_for("mercury", "tls"), deadline_s=5) as material:
        secrets = material.secrets
        assert secrets.stat().st_mode & 0o777 == 0o700
        assert all(path.stat().st_mode & 0o077 == 0 for path in secrets.iterdir())
        assert spec_for("mercury").ssh_private_key not in material.uri
    assert not secrets.exists()


def test_warm_connection_is_used_again_and_a_dead_one_is_not(lab: Lab, spec_for: SpecFor) -> None:
    spec = spec_for("mercury", "tcp")
    with borrow(spec) as first, borrow(spec) as second:
        assert first is not second
    with borrow(spec) as third:
        assert third in {first, second}
    lab.hosts["mercury"].restart_libvirtd()
    with borrow(spec) as fourth:
        assert fourth not in {first, second}
        assert fourth.read_facts().hostname == "mercury"


def _use_in_child(
    connection: Connection, spec: ConnectionSpec, answers: multiprocessing.Queue[object]
) -> None:
    try:
        connection.read_facts()
    except HostUnreachable as error:
        answers.put(str(error))
    with borrow(spec) as own:
        answers.put(own.read_facts().hostname)


def test_forked_child_opens_its_own_connection_and_leaves_its_parents_alone(spec_for: SpecFor) -> None:
    spec = spec_for("mercury", "tcp")
    fork = multiprocessing.get_context("fork")
    answers = fork.Queue()
    with borrow(spec):
        pass
    with borrow(spec) as connection:
        with borrow(spec):
            pass  # leaves one idle in the pool that the child must forget
        child = fork.Process(target=_use_in_child, args=(connection, spec, answers))
        child.start()
        assert "another process" in answers.get(timeout=20)
        assert answers.get(timeout=20) == "mercury"
        child.join(20)
        assert child.exitcode == 0
        assert connection.read_facts().hostname == "mercury"
    with borrow(spec) as connection:
        assert connection.read_facts().hostname == "mercury"
