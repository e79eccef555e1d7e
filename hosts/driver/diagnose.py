"""Test connection: every step on its own, in words, each with what to do; within ten seconds in any case."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager

from hosts.driver import reach
from hosts.driver.asking import probe_login
from hosts.driver.connection import Connection, open_connection
from hosts.driver.errors import classify_text
from hosts.driver.host_keys import accepted_keys, check_host_keys, fingerprint
from hosts.driver.material import Material, parse_spec_address, prepare
from hosts.driver.reach import Deadline
from hosts.driver.remedies import exact_remedy
from hosts.driver.ssh import SSH_FAILED, run_on_host
from hosts.errors import ConnectStep, HostError, HostKeyChanged, HostKeyUnknown, HostUnreachable
from hosts.facts.address import ConnectionAddress
from hosts.facts.host import version_text
from hosts.ports import ConnectionReport, ConnectionSpec, ConnectionStep, OfferedKey, StepState

TOTAL_S = 9.5
# Keeping a job's statistics after the first reader took them (KEEP_COMPLETED) came with libvirt 6.0.
MINIMUM_LIBRARY = 6_000_000

# OpenSSL's X509_V_ERR_* → what it means for people.
_CERTIFICATE_ERRORS = {
    9: "is not valid yet: check the clocks of host and console",
    10: "has expired",
    18: "is signed by itself, not by the CA stored for the host",
    19: "is not signed by the CA stored for the host",
    20: "is not signed by the CA stored for the host",
    62: "is for another name than the one in the address",
    64: "is for another IP address than the one in the address",
}


class _Report:
    """The steps as they are found."""

    def __init__(self, address_text: str) -> None:
        self.address_text = address_text
        self.address: ConnectionAddress | None = None
        self.steps: dict[ConnectStep, ConnectionStep] = {}
        self.offered: tuple[OfferedKey, ...] = ()
        self.key_changed = False

    def passed(self, step: ConnectStep, words: str) -> None:
        self.steps[step] = ConnectionStep(step.value, StepState.OK, words)

    def failed(self, error: HostError) -> None:
        step = error.step if isinstance(error, HostUnreachable) else ConnectStep.PERMISSION
        if isinstance(error, HostKeyUnknown):
            self.offered, self.key_changed = error.offered, isinstance(error, HostKeyChanged)
        own_words = isinstance(error, HostKeyUnknown) or (step is ConnectStep.CERTIFICATE and error.remedy)
        remedy = error.remedy if own_words else exact_remedy(step, self.address) or error.remedy
        words = f"{error.message} ({error.libvirt_text})" if error.libvirt_text else error.message
        self.steps[step] = ConnectionStep(step.value, StepState.FAILED, words, remedy)

    def finished(self, duration_ms: int) -> ConnectionReport:
        ok = not any(step.state is StepState.FAILED for step in self.steps.values())
        return ConnectionReport(ok, tuple(self._all()), self.offered, self.key_changed, duration_ms)

    def _all(self) -> Iterator[ConnectionStep]:
        """Every step in order; those after a failed one were not reached, others are not needed here."""
        reached = True
        for step in ConnectStep:
            found = self.steps.get(step)
            words = "Not needed for this kind of connection." if reached else "Not reached."
            yield found or ConnectionStep(step.value, StepState.SKIPPED, words)
            if found is not None and found.state is StepState.FAILED:
                reached = False


def test_connection(spec: ConnectionSpec, *, deadline_s: float = TOTAL_S) -> ConnectionReport:  # noqa: PT028
    """Try the connection step by step. Never raises for what a host does, never outlasts the deadline."""
    started, report = time.monotonic(), _Report(spec.address)
    try:
        _run(spec, report, Deadline(deadline_s))
    except HostError as error:
        report.failed(error)
    return report.finished(int((time.monotonic() - started) * 1000))


def _run(spec: ConnectionSpec, report: _Report, deadline: Deadline) -> None:
    address = report.address = parse_spec_address(spec)
    report.passed(ConnectStep.ADDRESS, f"{spec.address} is a usable address.")
    with prepare(spec, deadline_s=deadline.left_s) as material:
        if address.host:
            _check_port(material, spec, report, deadline)
        if address.uses_ssh:
            _check_ssh(material, spec, report, deadline)
        elif address.effective_transport == "tls":
            _check_certificate(material, spec, report, deadline)
    connection = open_connection(spec, deadline_s=deadline.left_s)
    try:
        _check_service(connection, report, deadline)
    finally:
        connection.close()
    if spec.probe_address:
        _check_probe_login(spec, report, deadline)


def _check_probe_login(spec: ConnectionSpec, report: _Report, deadline: Deadline) -> None:
    """The second login, for what libvirt cannot tell. Its steps go by the same names."""
    login = probe_login(spec)
    address, host = report.address, spec.name or "the host"
    report.address = parse_spec_address(login)
    try:
        with prepare(login, deadline_s=deadline.left_s) as material:
            _check_port(material, login, report, deadline)
            _check_ssh(material, login, report, deadline)
    except HostKeyUnknown as error:
        # Who accepts these keys must not lose the connection's own.
        kept = [key for key in _accepted(address, spec.known_hosts) if key not in error.offered]
        error.offered = (*error.offered, *kept)
        raise
    except HostUnreachable as error:
        raise HostUnreachable(
            f"The probe login of {host} fails: {error.message}",
            step=error.step,
            remedy=error.remedy,
            libvirt_text=error.libvirt_text,
        ) from error
    report.passed(
        ConnectStep.LOGIN, f"Logged in, and for what only the host can tell as {spec.probe_address}."
    )


def _accepted(address: ConnectionAddress | None, known_hosts: str) -> list[OfferedKey]:
    if address is None or not address.uses_ssh:
        return []
    port = address.effective_port or 22
    name = address.host if port == 22 else f"[{address.host}]:{port}"
    keys = sorted(accepted_keys(address.host, port, known_hosts))
    return [OfferedKey(kind, fingerprint(text), f"{name} {kind} {text}") for kind, text in keys]


def _check_port(material: Material, spec: ConnectionSpec, report: _Report, deadline: Deadline) -> None:
    address = material.address
    reach.resolve(address, spec.name or address.host, deadline)
    report.passed(ConnectStep.NAME, f"{address.host} resolves.")
    with reach.connected(address, spec.name or address.host, Deadline(min(5.0, deadline.left_s))):
        report.passed(ConnectStep.PORT, f"Port {address.effective_port} accepts connections.")


def _check_ssh(material: Material, spec: ConnectionSpec, report: _Report, deadline: Deadline) -> None:
    address, host = material.address, spec.name or material.address.host
    keys = check_host_keys(address, host, spec.known_hosts, timeout_s=min(5.0, deadline.left_s))
    report.passed(ConnectStep.HOST_KEY, f"The host key is the accepted one: {keys[0].fingerprint}.")
    answer = run_on_host(material, ["true"], timeout_s=min(6.0, deadline.left_s))
    if answer.code < 0:
        raise HostUnreachable(
            f"{host} did not finish the SSH login in time.",
            step=ConnectStep.LOGIN,
            remedy="Look at the SSH server's log on the host: journalctl -u ssh -n 50",
        )
    if answer.code == SSH_FAILED:
        raise classify_text(answer.text.strip()[-500:], host, otherwise=ConnectStep.LOGIN)
    report.passed(
        ConnectStep.LOGIN, f"Logged in{' as ' + address.user if address.user else ''} with the key."
    )


def _check_certificate(material: Material, spec: ConnectionSpec, report: _Report, deadline: Deadline) -> None:
    host = spec.name or material.address.host
    if material.file("cacert.pem") is None:
        return  # the console's own /etc/pki is libvirt's to judge
    try:
        with reach.connected(material.address, host, deadline) as link, reach.start_tls(link, material):
            report.passed(ConnectStep.CERTIFICATE, "Both certificates are accepted.")
    except ssl.SSLError as error:
        # libvirt also accepts a name that stands in the common name only; Python does not. libvirt decides.
        if getattr(error, "verify_code", 0) not in {62, 64} or not _opens(spec, deadline):
            raise _certificate_error(error, host) from error
        report.passed(ConnectStep.CERTIFICATE, "The certificate is accepted (by its common name).")
    except OSError as error:
        raise HostUnreachable(
            f"{host} does not answer on its TLS port: it hangs or is overloaded.",
            step=ConnectStep.DAEMON,
            libvirt_text=str(error),
        ) from error


def _opens(spec: ConnectionSpec, deadline: Deadline) -> bool:
    try:
        open_connection(spec, deadline_s=deadline.left_s).close()
    except HostError:
        return False
    return True


def _certificate_error(error: ssl.SSLError, host: str) -> HostUnreachable:
    if isinstance(error, ssl.SSLCertVerificationError):
        what = _CERTIFICATE_ERRORS.get(error.verify_code, f"cannot be trusted: {error.verify_message}")
        return HostUnreachable(
            f"The certificate of {host} {what}.",
            step=ConnectStep.CERTIFICATE,
            libvirt_text=error.verify_message,
        )
    return HostUnreachable(
        f"{host} does not accept the console's certificate, or none is stored.",
        step=ConnectStep.CERTIFICATE,
        remedy="Store a client certificate and key signed by the CA it trusts (/etc/pki/CA/cacert.pem): "
        "Check it with: openssl verify -CAfile cacert.pem clientcert.pem",
    )


def _check_service(connection: Connection, report: _Report, deadline: Deadline) -> None:
    """The connection stands: what is left is who answers and what it lets us do."""
    if ConnectStep.LOGIN not in report.steps:
        report.passed(ConnectStep.LOGIN, "No login was needed, or it succeeded.")
    report.passed(ConnectStep.DAEMON, "The libvirt daemon answers.")
    with _in_time(deadline):
        facts = reach.bounded(deadline, connection.read_facts)
    library = f"libvirt {version_text(facts.library_version)}"
    hypervisor = f"{facts.hypervisor} {version_text(facts.hypervisor_version)}"
    if facts.library_version < MINIMUM_LIBRARY:
        needed = version_text(MINIMUM_LIBRARY)
        raise HostUnreachable(
            f"The host has {library}; {needed} or newer is needed.",
            step=ConnectStep.VERSION,
            remedy=f"Update libvirt on the host to {needed} or newer.",
        )
    report.passed(ConnectStep.VERSION, f"{library}, {hypervisor}.")
    with _in_time(deadline):
        guests = reach.bounded(deadline, connection.read_guests)
    report.passed(ConnectStep.PERMISSION, f"May manage guests; {len(guests)} seen.")


@contextmanager
def _in_time(deadline: Deadline) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise HostUnreachable(
            "The libvirt daemon took the connection and then did not answer in time.", step=ConnectStep.DAEMON
        ) from error
