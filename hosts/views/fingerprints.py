"""Fingerprints of accepted SSH host keys, as ssh-keygen -l writes them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

# host[,host…] algorithm base64 — one line of a known_hosts file, without markers and options.
LINE = re.compile(
    r"[\w.,:\[\]%|/+=@-]{1,400} (?:ssh|ecdsa|sk)-[\w@.-]{1,60} [A-Za-z0-9+/]{16,4000}={0,3}(?: [^\r\n]{0,200})?"
)


@dataclass(frozen=True, slots=True)
class AcceptedKey:
    algorithm: str
    fingerprint: str
    line: str


def accepted_keys(known_hosts: str) -> list[AcceptedKey]:
    return [_key(line) for line in known_hosts.splitlines() if LINE.fullmatch(line.strip())]


def _key(line: str) -> AcceptedKey:
    _, algorithm, blob = line.split()[:3]
    return AcceptedKey(algorithm, fingerprint(blob), line)


def fingerprint(blob: str) -> str:
    """SHA256:… of a base64 key; "unreadable" when it is none."""
    try:
        digest = hashlib.sha256(base64.b64decode(blob, validate=True)).digest()
    except binascii.Error:
        return "unreadable"
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
