"""What the source host itself sees of the destination: one SSH round trip, read only, within eight seconds.

In a peer-to-peer move the source's libvirtd connects to the destination, with root's keys and the source's
resolver and routes: nothing the console can try says whether that works.
"""

from __future__ import annotations

import posixpath
import re
import secrets
from collections.abc import Sequence

from hosts.driver.material import prepare
from hosts.driver.ssh import run_on_host
from hosts.errors import HostError
from hosts.facts.address import parse_address
from hosts.facts.probe import PeerProbe, Probe, ProbeState
from hosts.ports import ConnectionSpec

LIMIT_S = 8.0
MAX_DISK_PATHS = 64
_HOST = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_.:%-]{0,252}")
_FILE_SYSTEM = re.compile(r"[A-Za-z0-9_./()-]{1,60}")
_MAX_DETAIL = 300

# Arguments: mark, peer host, peer address, port, disk paths. Every answer is a line: mark, key, code, text.
# The three questions run side by side, each with its own limit; a refused port is an open path.
_SCRIPT = r"""
mark=$1 peer=$2 address=$3 port=$4; shift 4
one_line() { tr '\t\r\n' '   ' | cut -c1-300; }
say() { printf '%s\t%s\t%s\t%s\n' "$mark" "$1" "$2" "$(printf '%s' "$3" | one_line)"; }
name() {
  out=$(timeout 4 getent ahosts "$peer" 2>&1 </dev/null); code=$?
  say name "$code" "$(printf '%s' "$out" | head -n 1 | cut -d ' ' -f 1)"
}
login() {
  [ -n "$address" ] || return
  as=; [ "$(id -u)" = 0 ] || as='sudo -n'
  out=$(timeout 5 $as virsh -c "$address" uri 2>&1 </dev/null); code=$?
  say login "$code" "$out"
}
knock() {
  [ "$port" -gt 0 ] || return
  if command -v bash >/dev/null 2>&1; then
    out=$(timeout 4 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$peer" "$port" 2>&1 </dev/null); code=$?
  elif command -v nc >/dev/null 2>&1; then
    out=$(timeout 4 nc -z -v -w 3 "$peer" "$port" 2>&1 </dev/null); code=$?
  else
    out='neither bash nor nc on the host'; code=127
  fi
  say port "$code" "$out"
}
name & login & knock &
number=0
for path in "$@"; do
  out=$(timeout 4 stat -f -c %T -- "$path" 2>&1); say "fs$number" "$?" "$out"; number=$((number + 1))
done
wait
"""


def probe_peer(
    spec: ConnectionSpec,
    *,
    peer_address: str,
    peer_host: str,
    migration_port: int,
    disk_paths: Sequence[str] = (),
) -> PeerProbe:
    """Ask the source host (`spec`) about the destination. `peer_address`: as the source's libvirtd is told;
    `peer_host`: name or address the data goes to; port 0: not asked. Never raises: what is odd is UNKNOWN."""
    try:
        _check_arguments(peer_address, peer_host, migration_port)
        lines = _ask(spec, peer_address, peer_host, migration_port, _usable(disk_paths))
    except (HostError, ValueError, OSError) as error:
        return _unknown(str(error))
    return PeerProbe(
        name_resolves=_name(lines.get("name")),
        libvirt_login=_login(lines.get("login")),
        migration_port=_port(lines.get("port")),
        file_systems=_file_systems(lines, _usable(disk_paths)),
    )


def _check_arguments(peer_address: str, peer_host: str, migration_port: int) -> None:
    if peer_address:
        parse_address(peer_address)
    if not _HOST.fullmatch(peer_host):
        raise ValueError(f"The destination's name {peer_host[:60]!r} has characters that are not allowed.")
    if not 0 <= migration_port <= 65535:
        raise ValueError(f"{migration_port} is no port.")


def _usable(paths: Sequence[str]) -> list[str]:
    """Absolute paths of printable characters; what else a description names cannot be asked about."""
    return [path for path in paths if posixpath.isabs(path) and path.isprintable()][:MAX_DISK_PATHS]


def _ask(
    spec: ConnectionSpec, peer_address: str, peer_host: str, migration_port: int, paths: Sequence[str]
) -> dict[str, tuple[int, str]]:
    """Key → (exit code, text) of the script's answers. The mark keeps anything else the host prints apart."""
    mark = secrets.token_hex(8)
    command = ["sh", "-s", "--", mark, peer_host, peer_address, str(migration_port), *paths]
    with prepare(spec, deadline_s=LIMIT_S) as material:
        if not material.address.uses_ssh:
            raise ValueError("Only hosts connected by SSH can be asked.")
        answer = run_on_host(material, command, script=_SCRIPT, timeout_s=LIMIT_S)
    fields = (line.split("\t") for line in answer.text.splitlines())
    found = {words[1]: (int(words[2]), words[3]) for words in fields if _is_answer(words, mark)}
    if not found:
        raise ValueError(f"The host gave no answer: {answer.text.strip()[-_MAX_DETAIL:]}")
    return found


def _is_answer(words: list[str], mark: str) -> bool:
    return (
        len(words) == 4
        and words[0] == mark
        and words[2].isascii()
        and words[2].isdigit()
        and len(words[2]) < 4
    )


def _unknown(why: str) -> PeerProbe:
    nothing = Probe(ProbeState.UNKNOWN, why[:_MAX_DETAIL])
    return PeerProbe(name_resolves=nothing, libvirt_login=nothing, migration_port=nothing)


_NOT_ASKED = Probe(ProbeState.UNKNOWN, "The host could not be asked.")
_TIMED_OUT = 124  # timeout(1)
_NOT_FOUND = 127  # the shell: no such command


def _name(answer: tuple[int, str] | None) -> Probe:
    if answer is None or answer[0] == _NOT_FOUND:
        return _NOT_ASKED
    code, text = answer
    if code == 0:
        return Probe(ProbeState.OPEN, text[:_MAX_DETAIL])
    return Probe(
        ProbeState.FAILED, "The resolver did not answer in time." if code == _TIMED_OUT else "No such name."
    )


def _login(answer: tuple[int, str] | None) -> Probe:
    if answer is None or answer[0] == _NOT_FOUND or "sudo:" in answer[1]:
        return _NOT_ASKED
    code, text = answer
    if code == 0:
        return Probe(ProbeState.OPEN, text[:_MAX_DETAIL])
    if code == _TIMED_OUT or re.search(r"timed out|no route to host", text, re.IGNORECASE):
        return Probe(ProbeState.FILTERED, text[:_MAX_DETAIL] or "No answer within 5 s.")
    return Probe(ProbeState.FAILED, text[:_MAX_DETAIL])


def _port(answer: tuple[int, str] | None) -> Probe:
    if answer is None or answer[0] == _NOT_FOUND:
        return _NOT_ASKED
    code, text = answer
    if code == 0 or "refused" in text.lower():
        return Probe(ProbeState.OPEN, "connected" if code == 0 else "refused by the host itself: reachable")
    if code == _TIMED_OUT or re.search(r"timed out|no route|unreachable", text, re.IGNORECASE):
        return Probe(ProbeState.FILTERED, text[:_MAX_DETAIL] or "No answer within 4 s.")
    return Probe(ProbeState.UNKNOWN, text[:_MAX_DETAIL])


def _file_systems(lines: dict[str, tuple[int, str]], paths: Sequence[str]) -> dict[str, str]:
    """Only paths that exist there and a type that looks like one."""
    answers = {path: lines.get(f"fs{number}", (1, "")) for number, path in enumerate(paths)}
    return {
        path: text for path, (code, text) in answers.items() if code == 0 and _FILE_SYSTEM.fullmatch(text)
    }
