"""Credentials on disk for the moment of connecting: libvirt and ssh take files, never texts.

Secrets live in a private directory (mode 0700, in memory where the console has such a place) and are removed
as soon as the connection stands. The wrapper that libvirt runs as `ssh` holds no secret and has a directory
of its own: it must be executable, which /dev/shm often is not (containers mount it noexec).
"""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from hosts.errors import ConnectStep, HostUnreachable
from hosts.facts.address import ConnectionAddress, parse_address, render_address
from hosts.ports import ConnectionSpec

_MEMORY_DIRECTORIES = ("XDG_RUNTIME_DIR",)
_SSH_OPTIONS = {
    "StrictHostKeyChecking": "yes",
    "GlobalKnownHostsFile": "/dev/null",
    "UpdateHostKeys": "no",
    "BatchMode": "yes",
    "PreferredAuthentications": "publickey",
    "ServerAliveInterval": "5",
    "ServerAliveCountMax": "2",
    "ControlMaster": "no",
    "ControlPath": "none",
    "ForwardAgent": "no",
    "PermitLocalCommand": "no",
}


@dataclass(frozen=True, slots=True)
class Material:
    """What one connection attempt works with. `uri` is libvirt's, with the parameters only we may set."""

    address: ConnectionAddress
    uri: str
    secrets: Path
    ssh_arguments: tuple[str, ...]  # of the ssh program, up to the host
    ssh_pid_file: Path

    def file(self, name: str) -> Path | None:
        """A credential's file, None when the spec has none."""
        path = self.secrets / name
        return path if path.exists() else None


def parse_spec_address(spec: ConnectionSpec) -> ConnectionAddress:
    """The address in parts. Raises HostUnreachable at the step ADDRESS."""
    try:
        return parse_address(spec.address)
    except ValueError as error:
        raise HostUnreachable(
            f"The address of {spec.name or 'the host'} cannot be used. {error}",
            step=ConnectStep.ADDRESS,
            remedy="Correct the connection address of the host.",
        ) from error


@contextmanager
def prepare(spec: ConnectionSpec, *, deadline_s: float) -> Iterator[Material]:
    """The spec's credentials as files, for as long as the block runs."""
    address = parse_spec_address(spec)
    secrets = Path(tempfile.mkdtemp(prefix="vmm-", dir=_memory_directory()))
    programs = Path(tempfile.mkdtemp(prefix="vmm-"))
    try:
        _write_secrets(spec, secrets)
        arguments = _ssh_arguments(spec, secrets, deadline_s)
        pid_file = programs / "pid"
        wrapper = _write_wrapper(programs / "ssh", pid_file, arguments)
        uri = _uri(address, spec, secrets, wrapper)
        yield Material(address, uri, secrets, arguments, pid_file)
    finally:
        shutil.rmtree(secrets, ignore_errors=True)
        shutil.rmtree(programs, ignore_errors=True)


def _memory_directory() -> str | None:
    """A directory that never reaches a disk; None (the system's temporary directory) where there is none."""
    candidates = [os.environ.get(name, "") for name in _MEMORY_DIRECTORIES]
    usable = (path for path in [*candidates, "/dev/shm"] if path and os.access(path, os.W_OK | os.X_OK))  # noqa: S108
    return next(usable, None)


def _write_secrets(spec: ConnectionSpec, directory: Path) -> None:
    texts = {
        "key": spec.ssh_private_key,
        "cacert.pem": spec.tls_ca,
        "clientcert.pem": spec.tls_certificate,
        "clientkey.pem": spec.tls_key,
    }
    for name, text in texts.items():
        if text:
            _write_private(directory / name, text)
    _write_private(directory / "known_hosts", spec.known_hosts)


def _write_private(path: Path, text: str) -> None:
    # Windows line ends and a missing last newline are the usual damage of pasted keys; OpenSSH refuses both.
    cleaned = text.replace("\r\n", "\n").rstrip("\n") + "\n" if text else ""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(cleaned)


def _ssh_arguments(spec: ConnectionSpec, secrets: Path, deadline_s: float) -> tuple[str, ...]:
    options = dict(_SSH_OPTIONS)
    options["UserKnownHostsFile"] = str(secrets / "known_hosts")
    options["ConnectTimeout"] = str(max(1, int(deadline_s)))
    # Without a key of its own a host is reached with the console account's keys; with one, with no other.
    options["IdentitiesOnly"] = "yes" if spec.ssh_private_key else "no"
    arguments = ["-F", "/dev/null"]
    for name, value in options.items():
        arguments += ["-o", f"{name}={value}"]
    if spec.ssh_private_key:
        arguments += ["-i", str(secrets / "key")]
    return tuple(arguments)


def _write_wrapper(path: Path, pid_file: Path, arguments: tuple[str, ...]) -> Path:
    """What libvirt runs as `ssh`. Its process id is left behind so that a hanging one can be ended."""
    words = " ".join(shlex.quote(word) for word in arguments)
    path.write_text(
        f'#!/bin/sh\necho $$ > {shlex.quote(str(pid_file))}\nexec ssh {words} "$@"\n', encoding="utf-8"
    )
    path.chmod(0o700)
    return path


def _uri(address: ConnectionAddress, spec: ConnectionSpec, secrets: Path, wrapper: Path) -> str:
    # REQUIRED_FOR: libvirt 9.0. Its libssh transport loses replies and crashes the process as soon as several
    # threads use one connection (measured); the same address works through the ssh program.
    if address.transport == "libssh":
        address = replace(address, transport="ssh")
    ours = {
        "ssh": {"command": str(wrapper), "no_tty": "1"},
        "libssh2": _libssh2_parameters(spec, secrets),
        "tls": {"pkipath": str(secrets)} if spec.tls_ca or spec.tls_certificate else {},
    }.get(address.effective_transport, {})
    kept = {name: value for name, value in address.parameters if name not in ours}
    return render_address(replace(address, parameters=tuple((kept | ours).items())))


def _libssh2_parameters(spec: ConnectionSpec, secrets: Path) -> dict[str, str]:
    parameters = {
        "known_hosts": str(secrets / "known_hosts"),
        "known_hosts_verify": "normal",
        "sshauth": "privkey",
        "no_tty": "1",
    }
    return parameters | ({"keyfile": str(secrets / "key")} if spec.ssh_private_key else {})
