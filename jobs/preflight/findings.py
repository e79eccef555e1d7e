"""A finding: one thing a check says about one subject, and the ways out of it. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Severity(enum.StrEnum):
    INFO = "info"
    WARNING = "warning"
    BLOCKER = "blocker"


class Verdict(enum.StrEnum):
    READY = "ready"
    WARNINGS = "warnings"
    BLOCKED = "blocked"


class FixKind(enum.StrEnum):
    """Remedies that the product can do itself. `arguments` of the Fix, by kind:"""

    EJECT_MEDIA = "eject-media"  # target
    CACHE_NONE = "cache-none"  # target
    START_POOL = "start-pool"  # pool
    CREATE_POOL = "create-pool"  # pool, as the source defines it
    CREATE_VOLUME = "create-volume"  # pool, volume, format, capacity_bytes
    START_NETWORK = "start-network"  # network
    ACCEPT_HOST_KEY = "accept-host-key"  # peer: the host whose accepted keys `host` is to know, too


@dataclass(frozen=True, slots=True)
class Fix:
    """A remedy as a button. Nothing is done before a person has read `says` and confirmed it."""

    kind: FixKind
    host: str  # the product's name of the host on which something changes
    label: str  # of the button: "Eject the media of sda"
    says: str  # what will change, and when it takes effect, in full sentences
    arguments: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Commands:
    """A remedy by hand: exact commands for one host, ready to copy, to be run as root."""

    host: str
    family: str  # FAMILIES of hosts.facts.probe; "" where they are the same everywhere
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """`evidence` is the facts as text pairs, both sides named ("mercury": "x86_64"). `remedy` says what to do
    next. `help_desk` is the message for who may not change anything: what it means and whom to tell."""

    id: str  # slug, API, never renamed: "disk.cache-unsafe"
    severity: Severity
    subject: str  # what it is about: "disk vda", "host jupiter"
    message: str
    evidence: tuple[tuple[str, str], ...] = ()
    remedy: str = ""
    help_desk: str = ""
    fix: Fix | None = None
    commands: tuple[Commands, ...] = ()
    waivable: bool = False
    waived: str = ""  # who, why, until when; the severity then is what is left of it


def judge_findings(findings: tuple[Finding, ...]) -> Verdict:
    severities = {finding.severity for finding in findings}
    if Severity.BLOCKER in severities:
        return Verdict.BLOCKED
    return Verdict.WARNINGS if Severity.WARNING in severities else Verdict.READY
