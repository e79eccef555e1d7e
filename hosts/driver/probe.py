"""What a host says of itself and sees of a peer, over SSH. Never raises: what is odd or not answered is UNKNOWN.

In a peer-to-peer move the source's libvirtd connects to the destination, with root's keys and the source's
resolver and routes: nothing the console can try says whether that works.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from hosts.driver.asking import Answers, Knock, NotAsked, Question, Said, ask, usable_paths
from hosts.driver.host_probe import read_host_probe
from hosts.facts.address import parse_address
from hosts.facts.probe import HostProbe, PathIdentity, PeerProbe, Probe, ProbeState
from hosts.ports import ConnectionSpec

_FILE_SYSTEM: Final = re.compile(r"[A-Za-z0-9_./()-]{1,60}", re.ASCII)
_IDENTITY: Final = re.compile(r"([0-9]{1,20}) ([0-9]{1,20}) (-?[0-9]{1,20}) (/.+)", re.ASCII)
_MAX_DETAIL: Final = 300
_TIMED_OUT: Final = 124  # timeout(1)
_NOT_FOUND: Final = 127  # the shell: no such command
_NOT_ASKED: Final = Probe(ProbeState.UNKNOWN, "The host could not be asked.")


@dataclass(frozen=True, slots=True)
class PeerQuestion:
    """A peer as the host is to try it. Ports 0 and "" are not tried."""

    address: str  # as the host's libvirtd is told to reach it
    host: str  # name or address the memory goes to
    first_port: int = 0
    last_port: int = 0
    disk_host: str = ""
    disk_port: int = 0

    def knocks(self) -> tuple[Knock, ...]:
        libvirt = parse_address(self.address) if self.address else None
        found = (
            Knock(
                "libvirt", libvirt.host if libvirt else "", (libvirt.effective_port or 0) if libvirt else 0
            ),
            Knock("first", self.host, self.first_port),
            Knock("last", self.host, self.last_port if self.last_port != self.first_port else 0),
            Knock("disk", self.disk_host or self.host, self.disk_port),
        )
        return tuple(knock for knock in found if knock.host and knock.port)


@dataclass(frozen=True, slots=True)
class HostAnswer:
    """What one host told in one round trip. `peer` without what only the peer itself knows of files."""

    itself: HostProbe
    peer: PeerProbe
    files: Mapping[str, PathIdentity] = field(default_factory=dict)


def probe_host(
    spec: ConnectionSpec,
    *,
    itself: bool = True,
    peer: PeerQuestion | None = None,
    paths: Sequence[str] = (),
) -> HostAnswer:
    """Ask the host of `spec` about itself, about a peer and about files, all in one round trip."""
    try:
        answers = ask(spec, _question(itself, peer, paths))
    except (NotAsked, ValueError) as error:
        return HostAnswer(HostProbe(why_unknown=str(error)[:_MAX_DETAIL]), _unknown(str(error)))
    files = _files(answers, paths)
    seen = PeerProbe(
        name_resolves=_name(answers.find("name")),
        libvirt_login=_login(answers.find("login")),
        migration_port=_port(answers.find("first")),
        last_migration_port=_last_port(answers, peer),
        libvirt_port=_libvirt_port(answers.find("libvirt")),
        disk_port=_port(answers.find("disk")),
        file_systems=_file_systems(answers, paths),
        source_files=files,
        tried_ports=(peer.first_port, peer.last_port) if peer is not None else (0, 0),
        tried_disk_port=peer.disk_port if peer is not None else 0,
    )
    return HostAnswer(read_host_probe(answers) if itself else HostProbe(), seen, files)


def _question(itself: bool, peer: PeerQuestion | None, paths: Sequence[str]) -> Question:
    if peer is None:
        return Question(itself, paths=usable_paths(paths))
    return Question(itself, peer.address, peer.host, peer.knocks(), usable_paths(paths))


def _unknown(why: str) -> PeerProbe:
    nothing = Probe(ProbeState.UNKNOWN, why[:_MAX_DETAIL])
    return PeerProbe(
        nothing, nothing, nothing, libvirt_port=nothing, disk_port=nothing, last_migration_port=nothing
    )


def _name(said: Said | None) -> Probe:
    if said is None or said.code == _NOT_FOUND:
        return _NOT_ASKED
    if said.code == 0:
        return Probe(ProbeState.OPEN, said.text[:_MAX_DETAIL])
    late = said.code == _TIMED_OUT
    return Probe(ProbeState.FAILED, "The resolver did not answer in time." if late else "No such name.")


def _login(said: Said | None) -> Probe:
    if said is None:
        return _NOT_ASKED
    if said.code == _NOT_FOUND:
        return Probe(ProbeState.UNKNOWN, "There is no virsh on the host.")
    if "sudo:" in said.text:
        return Probe(ProbeState.UNKNOWN, "The probe login may not run virsh as root there.")
    if said.code == 0:
        return Probe(ProbeState.OPEN, said.text[:_MAX_DETAIL])
    if said.code == _TIMED_OUT or re.search(r"timed out|no route to host", said.text, re.IGNORECASE):
        return Probe(ProbeState.FILTERED, said.text[:_MAX_DETAIL] or "No answer within 5 s.")
    return Probe(ProbeState.FAILED, said.text[:_MAX_DETAIL])


def _port(said: Said | None) -> Probe:
    """Migration ports have no listener before a move: refused by the host itself is an open path."""
    if said is None or said.code == _NOT_FOUND:
        return _NOT_ASKED
    if said.code == 0 or "refused" in said.text.lower():
        return Probe(
            ProbeState.OPEN, "connected" if said.code == 0 else "refused by the host itself: reachable"
        )
    if said.code == _TIMED_OUT or re.search(
        r"timed out|no route|unreachable|prohibited", said.text, re.IGNORECASE
    ):
        return Probe(ProbeState.FILTERED, said.text[:_MAX_DETAIL] or "No answer within 4 s.")
    return Probe(ProbeState.UNKNOWN, said.text[:_MAX_DETAIL])


def _last_port(answers: Answers, peer: PeerQuestion | None) -> Probe:
    """The first one's answer where the range is one port."""
    same = peer is not None and peer.first_port == peer.last_port
    return _port(answers.find("first" if same else "last"))


def _libvirt_port(said: Said | None) -> Probe:
    """A daemon has to listen there: refused is not open."""
    probe = _port(said)
    if probe.state is ProbeState.OPEN and said is not None and said.code != 0:
        return Probe(ProbeState.FAILED, "refused by the host: nothing listens there")
    return probe


def _files(answers: Answers, paths: Sequence[str]) -> dict[str, PathIdentity]:
    """Those that exist. Only what was asked about, whatever a host writes."""
    asked = set(usable_paths(paths))
    found = (_IDENTITY.fullmatch(text) for text in answers.texts("file"))
    return {
        match.group(4): PathIdentity(*(int(match.group(part)) for part in (1, 2, 3)))
        for match in found
        if match is not None and match.group(4) in asked
    }


def _file_systems(answers: Answers, paths: Sequence[str]) -> dict[str, str]:
    """Only paths that exist there and a type that looks like one."""
    asked = set(usable_paths(paths))
    pairs = (text.partition(" /") for text in answers.texts("kind"))
    return {
        f"/{path}": kind for kind, _, path in pairs if f"/{path}" in asked and _FILE_SYSTEM.fullmatch(kind)
    }
