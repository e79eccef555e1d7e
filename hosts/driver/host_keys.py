"""SSH host keys: what a host offers, and whether that is what was accepted."""

from __future__ import annotations

import base64
import binascii
import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from hosts.errors import ConnectStep, HostKeyChanged, HostKeyUnknown, HostUnreachable
from hosts.facts.address import ConnectionAddress
from hosts.ports import OfferedKey

# Strongest first; what ssh-keyscan is asked for and people are shown.
ALGORITHMS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")


def scan_host_keys(host: str, port: int = 22, *, timeout_s: float = 5) -> tuple[OfferedKey, ...]:
    """The keys a host offers, strongest first. Nothing is trusted by this: a person compares them.
    Raises HostUnreachable when none came within the time."""
    command = ["ssh-keyscan", "-T", str(max(1, int(timeout_s))), "-p", str(port), "--", host]
    try:
        # C locale: comments of ssh-keyscan are filtered, lines are data.
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s + 1, check=False)
    except (subprocess.TimeoutExpired, OSError) as error:
        raise _no_keys(host, port, str(error)) from error
    keys = tuple(filter(None, map(_parse_line, done.stdout.splitlines())))
    if not keys:
        raise _no_keys(host, port, done.stderr.strip()[-500:])
    return tuple(sorted(keys, key=lambda key: ALGORITHMS.index(key.algorithm)))


def fingerprint(key_base64: str) -> str:
    """SHA256:… as ssh-keygen -l prints it. Raises ValueError for what is no base64."""
    try:
        digest = hashlib.sha256(base64.b64decode(key_base64, validate=True)).digest()
    except binascii.Error as error:
        raise ValueError("The host key is not base64 text.") from error
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def check_host_keys(
    address: ConnectionAddress, host: str, known_hosts: str, *, timeout_s: float = 5
) -> tuple[OfferedKey, ...]:
    """The offered keys that are accepted. Raises HostKeyUnknown (nothing accepted for this name yet) or
    HostKeyChanged (another key was accepted), both with what is offered; HostUnreachable for silence."""
    port = address.effective_port or 22
    offered = scan_host_keys(address.host, port, timeout_s=timeout_s)
    accepted = accepted_keys(address.host, port, known_hosts)
    agreeing = tuple(key for key in offered if _key_of(key) in accepted)
    if agreeing:
        return agreeing
    raise _changed(host, offered) if accepted else _unknown(host, offered)


def accepted_keys(host: str, port: int, known_hosts: str) -> set[tuple[str, str]]:
    """(algorithm, base64) of each key that known_hosts has for the host, hashed names and patterns too."""
    if not known_hosts.strip() or shutil.which("ssh-keygen") is None:
        return set()
    name = host if port == 22 else f"[{host}]:{port}"
    with tempfile.TemporaryDirectory(prefix="vmm-") as directory:
        path = Path(directory) / "known_hosts"
        path.write_text(known_hosts if known_hosts.endswith("\n") else known_hosts + "\n", encoding="utf-8")
        # ssh-keygen knows the format's every form; it only reads the file here.
        command = ["ssh-keygen", "-F", name, "-f", str(path)]
        found = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False).stdout
    lines = (line.split() for line in found.splitlines() if line and not line.startswith(("#", "@")))
    return {(words[1], words[2]) for words in lines if len(words) >= 3}


def _parse_line(line: str) -> OfferedKey | None:
    words = line.split()
    if len(words) < 3 or words[0].startswith("#") or words[1] not in ALGORITHMS:
        return None
    try:
        return OfferedKey(algorithm=words[1], fingerprint=fingerprint(words[2]), line=" ".join(words[:3]))
    except ValueError:
        return None


def _key_of(key: OfferedKey) -> tuple[str, str]:
    _, algorithm, text = key.line.split()
    return algorithm, text


def _unknown(host: str, offered: tuple[OfferedKey, ...]) -> HostKeyUnknown:
    return HostKeyUnknown(
        f"The SSH host key of {host} has not been accepted yet. It offers {offered[0].fingerprint}.",
        remedy="Compare with the host's, then accept it: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
        offered=offered,
    )


def _changed(host: str, offered: tuple[OfferedKey, ...]) -> HostKeyChanged:
    return HostKeyChanged(
        f"The SSH host key of {host} is NOT the one that was accepted. Somebody may be in between. "
        f"It now offers {offered[0].fingerprint}.",
        remedy="Do not accept it before the host's administrator confirms it and the fingerprint agrees "
        "with this on the host's own console: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
        offered=offered,
    )


def _no_keys(host: str, port: int, detail: str) -> HostUnreachable:
    return HostUnreachable(
        f"No SSH server gave a host key on port {port} of {host}.",
        step=ConnectStep.PORT,
        remedy=f"On the host: systemctl enable --now ssh   From the console: ssh-keyscan -p {port} {host}",
        libvirt_text=detail,
    )
