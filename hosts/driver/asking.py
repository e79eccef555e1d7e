"""Asks one host over SSH what libvirt cannot tell: one script, one round trip, read only, within eight seconds."""

from __future__ import annotations

import posixpath
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from hosts.driver.host_keys import accepted_keys
from hosts.driver.material import prepare
from hosts.driver.probe_script import GREETING, READY, SCRIPT
from hosts.driver.ssh import SSH_FAILED, run_on_host
from hosts.errors import HostError
from hosts.facts.address import ConnectionAddress, parse_address, parse_login, render_address
from hosts.ports import ConnectionSpec

LIMIT_S: Final = 8.0
MAX_PATHS: Final = 128
_MAX_PATH_CHARACTERS: Final = 1000  # a line of the answer must be written at once
_MAX_DETAIL: Final = 300
_HOST = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_.:%-]{0,252}")
_KEY = re.compile(r"[a-z]{1,20}")
# OpenSSH's words, the telling one first → ours.
_SSH_WORDS: Final = (
    ("has changed", "it shows another host key than the accepted one."),
    ("IDENTIFICATION HAS CHANGED", "it shows another host key than the accepted one."),
    (
        "Host key verification failed",
        "its host key has not been accepted here. Test the connection and accept it.",
    ),
    ("Permission denied", "it refuses the key (Permission denied)."),
)
_CODE = re.compile(r"[0-9]{1,3}", re.ASCII)


class NotAsked(Exception):
    """The host could not be asked, or gave no usable answer; the text says why."""


@dataclass(frozen=True, slots=True)
class Said:
    """One line of the answer: the exit code of what was run, and what it wrote."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Answers:
    """`said`: key → lines. The console's clock (seconds since 1970) when the script went out and when the first
    line of the answer came."""

    said: dict[str, list[Said]]
    sent_s: float
    answered_s: float

    def find(self, key: str) -> Said | None:
        """The first line; the script writes one of each key that is asked for so."""
        return next(iter(self.said.get(key, ())), None)

    def texts(self, key: str) -> list[str]:
        """Of what went well."""
        return [said.text for said in self.said.get(key, ()) if said.code == 0]


@dataclass(frozen=True, slots=True)
class Knock:
    """A TCP connect from the host: to `host`, `port`; the answer has `key`."""

    key: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Question:
    """What a host is to be asked. "" and () are not asked."""

    itself: bool = False
    peer_address: str = ""  # as the host's libvirtd is told to reach the peer
    peer_host: str = ""  # a name that must resolve
    knocks: tuple[Knock, ...] = ()
    paths: tuple[str, ...] = field(default=())


def ask(spec: ConnectionSpec, question: Question) -> Answers:
    """The host's own answers, over its probe login or its connection. Raises NotAsked for whatever went wrong."""
    try:
        _check(question)
        return _ask(probe_login(spec), question)
    except (HostError, ValueError, OSError) as error:
        raise NotAsked(str(error)[:_MAX_DETAIL]) from error


def probe_login(spec: ConnectionSpec) -> ConnectionSpec:
    """The connection by which a command can be run on the host. Raises NotAsked where there is none, ValueError for
    a login that cannot be used."""
    key = spec.probe_private_key or spec.ssh_private_key
    if spec.probe_address:
        login = parse_login(spec.probe_address)
        known = _known_hosts(spec, login)
        return replace(spec, address=render_address(login), ssh_private_key=key, known_hosts=known)
    if not parse_address(spec.address).uses_ssh:
        raise NotAsked(f"{spec.name or 'The host'} is not connected by SSH and has no probe login.")
    return replace(spec, ssh_private_key=key)


def _known_hosts(spec: ConnectionSpec, login: ConnectionAddress) -> str:
    """The accepted keys. Where none is accepted under the login's own name, those of the connection hold for it, too:
    it is the same host, so it has to show the same key."""
    address = parse_address(spec.address)
    if not address.uses_ssh or accepted_keys(login.host, login.port or 22, spec.known_hosts):
        return spec.known_hosts
    name = login.host if (login.port or 22) == 22 else f"[{login.host}]:{login.port}"
    keys = accepted_keys(address.host, address.effective_port or 22, spec.known_hosts)
    return (
        spec.known_hosts.rstrip("\n")
        + "".join(f"\n{name} {kind} {text}" for kind, text in sorted(keys))
        + "\n"
    )


def usable_paths(paths: Sequence[str]) -> tuple[str, ...]:
    """Absolute paths of printable characters; what else a description names cannot be asked about."""
    usable = (
        path
        for path in dict.fromkeys(paths)
        if posixpath.isabs(path) and path.isprintable() and len(path) <= _MAX_PATH_CHARACTERS
    )
    return tuple(usable)[:MAX_PATHS]


def _check(question: Question) -> None:
    if question.peer_address:
        parse_address(question.peer_address)
    for name in (question.peer_host, *(knock.host for knock in question.knocks)):
        if name and not _HOST.fullmatch(name):
            raise ValueError(f"The destination's name {name[:60]!r} has characters that are not allowed.")
    for knock in question.knocks:
        if not 0 < knock.port <= 65535:
            raise ValueError(f"{knock.port} is no port.")


def _ask(spec: ConnectionSpec, question: Question) -> Answers:
    mark = secrets.token_hex(8)
    words = [mark, "host" if question.itself else "-", question.peer_address, question.peer_host]
    words.append(str(len(question.knocks)))
    for knock in question.knocks:
        words += [knock.key, knock.host, str(knock.port)]
    command = ["sh", "-c", GREETING, "sh", *words, *usable_paths(question.paths)]
    with prepare(spec, deadline_s=LIMIT_S) as material:
        answer = run_on_host(material, command, script=SCRIPT, timeout_s=LIMIT_S, wait_for=f"{mark}{READY}")
    said = read_answers(answer.text, mark)
    if not said:
        raise ValueError(_why_silent(spec.name or spec.address, answer.code, answer.text))
    return Answers(said, answer.sent_s, answer.answered_s)


def read_answers(text: str, mark: str) -> dict[str, list[Said]]:
    """Lines of the form the script writes; everything else a host prints is left out."""
    found: dict[str, list[Said]] = {}
    for line in text.split("\n"):
        words = line.split("\t")
        if len(words) == 4 and words[0] == mark and _KEY.fullmatch(words[1]) and _CODE.fullmatch(words[2]):
            shown = "".join(letter for letter in words[3] if letter.isprintable())
            found.setdefault(words[1], []).append(Said(int(words[2]), shown.strip()))
    return found


def _why_silent(name: str, code: int, text: str) -> str:
    said = " ".join(text.split())[-_MAX_DETAIL:]
    if code < 0:
        return f"{name} did not answer over SSH within {LIMIT_S:g} s."
    if code == SSH_FAILED:
        known = next((words for pattern, words in _SSH_WORDS if pattern in text), said)
        return f"{name} could not be logged in to over SSH: {known}"
    return f"{name} gave no answer: {said}"
