"""The remedy for a host that does not know its peer: keys that people have accepted here are made known there."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from typing import Final

from hosts.driver.asking import NotAsked, probe_login
from hosts.driver.host_keys import fingerprint
from hosts.driver.material import prepare
from hosts.driver.ssh import SSH_FAILED, run_on_host
from hosts.errors import ConnectStep, HostUnreachable, OperationFailed, OutcomeUnknown, Refused
from hosts.ports import Change, ConnectionSpec

LIMIT_S: Final = 15.0
_NAME: Final = re.compile(
    r"[A-Za-z0-9_:][A-Za-z0-9_.:%-]{0,252}|\[[A-Za-z0-9_:][A-Za-z0-9_.:%-]{0,252}\]:\d{1,5}"
)
_KEY: Final = re.compile(r"(ssh|ecdsa|sk)-[\w@.-]{1,60} [A-Za-z0-9+/]{16,4000}={0,3}", re.ASCII)

# Root's file, whoever logs in: libvirtd connects to its peer as root.
_AS_ROOT: Final = 'if [ "$(id -u)" = 0 ]; then exec sh -s -- "$@"; else exec sudo -n sh -s -- "$@"; fi'
# Arguments: mark, name of the peer, keys ("algorithm base64"). Each line of the answer: mark, word, text.
# Known keys of the name are read in every form ssh knows (hashed names, patterns, the system's own file). Two that
# add at once wait for each other, and the file is written whole or not at all.
_SCRIPT: Final = r"""
mark=$1 name=$2; shift 2
say() { printf '%s\t%s\t%s\n' "$mark" "$1" "$2"; }
fail() { say failed "$1"; exit 0; }
command -v ssh-keygen >/dev/null 2>&1 || fail 'there is no ssh-keygen'
home=$(getent passwd 0 | cut -d: -f6)
[ -n "$home" ] || fail 'the home of root is not known'
file=$home/.ssh/known_hosts
umask 077
mkdir -p "$home/.ssh" && touch "$file" || fail "$file cannot be written"
if command -v flock >/dev/null 2>&1; then exec 9<"$home/.ssh"; flock -w 5 9 || fail "$home/.ssh is locked"; fi
known() {
  for at in "$file" /etc/ssh/ssh_known_hosts; do ssh-keygen -F "$name" -f "$at" 2>/dev/null; done | grep -v '^#'
}
found=$(known)
other=$(printf '%s\n' "$found" | while read -r first second third rest; do
  case $first in '') continue;; @*) printf '%s\n' "$first"; continue;; esac
  for key in "$@"; do [ "$second $third" = "$key" ] && continue 2; done
  printf '%s %s\n' "$second" "$third"
done)
if [ -n "$other" ]; then printf '%s\n' "$other" | while read -r line; do say other "$line"; done; exit 0; fi
copy=$(mktemp "$home/.ssh/known_hosts.XXXXXX") && cat "$file" > "$copy" || fail "$home/.ssh cannot be written"
[ -z "$(tail -c 1 "$copy")" ] || echo >> "$copy"
added=
for key in "$@"; do
  printf '%s\n' "$found" | cut -d ' ' -f 2,3 | grep -qxF "$key" && { say had "$key"; continue; }
  printf '%s %s\n' "$name" "$key" >> "$copy" && added=1
done
if [ -n "$added" ]; then
  chmod --reference="$file" "$copy" && mv -f "$copy" "$file" || { rm -f "$copy"; fail "$file cannot be written"; }
else rm -f "$copy"; fi
known | cut -d ' ' -f 2,3 | while read -r line; do say knows "$line"; done
"""


def make_known(spec: ConnectionSpec, peer: str, peer_name: str, keys: Sequence[str]) -> Change:
    """Add `keys` ("algorithm base64") for the SSH name `peer_name` of `peer` to root's known hosts on the host of
    `spec`. Raises Refused when the host knows another key for it; then nothing was changed."""
    _check_arguments(peer_name, keys)
    answers = _ask(spec, peer_name, keys)
    if failed := answers.get("failed"):
        raise OperationFailed(
            f"{spec.name} could not learn the key of {peer}: {failed[0]}. Nothing was changed."
        )
    if other := answers.get("other"):
        raise Refused(
            f"{spec.name} knows another key for {peer_name}: {', '.join(map(_shown, other))}. Nothing was changed.",
            remedy=f"Find out why before anything else. If the old key is no longer right, as root on {spec.name}: "
            f"ssh-keygen -R '{peer_name}'",
        )
    missing = set(keys) - set(answers.get("knows", ()))
    if missing:
        raise OperationFailed(f"{spec.name} does not know {', '.join(map(_shown, missing))} afterwards.")
    before = {"known keys": ", ".join(map(_shown, answers.get("had", ()))) or "none"}
    after = {"known keys": ", ".join(map(_shown, keys))}
    if set(answers.get("had", ())) == set(keys):
        return Change(False, f"{spec.name} knew the key of {peer} already.", before, after)
    return Change(True, f"Root on {spec.name} knows the key of {peer} now, as {peer_name}.", before, after)


def _check_arguments(peer_name: str, keys: Sequence[str]) -> None:
    if not _NAME.fullmatch(peer_name):
        raise Refused(
            f"The name {peer_name[:60]!r} has characters that no host name has. Nothing was changed."
        )
    if not keys or not all(_KEY.fullmatch(key) for key in keys):
        raise Refused("There is no usable key to be made known. Nothing was changed.")


def _ask(spec: ConnectionSpec, peer_name: str, keys: Sequence[str]) -> dict[str, list[str]]:
    """Word → texts. Raises when the host did not say what it did."""
    mark = secrets.token_hex(8)
    with prepare(_login(spec), deadline_s=LIMIT_S) as material:
        command = ["sh", "-c", _AS_ROOT, "sh", mark, peer_name, *keys]
        answer = run_on_host(material, command, script=_SCRIPT, timeout_s=LIMIT_S)
    found: dict[str, list[str]] = {}
    for line in answer.text.splitlines():
        words = line.split("\t")
        if len(words) == 3 and words[0] == mark:
            found.setdefault(words[1], []).append(words[2].strip())
    if not found:
        raise _silent(spec, answer.code, answer.text.strip()[-300:])
    return found


def _login(spec: ConnectionSpec) -> ConnectionSpec:
    try:
        return probe_login(spec)
    except (NotAsked, ValueError) as error:
        raise Refused(
            f"Nothing can be written on {spec.name}. {error} Nothing was changed.",
            remedy=f"As root on {spec.name}: ssh-keyscan the other host, compare, and add it to known_hosts.",
        ) from error


def _silent(spec: ConnectionSpec, code: int, text: str) -> HostUnreachable | OutcomeUnknown | OperationFailed:
    if code == SSH_FAILED:
        return HostUnreachable(
            f"{spec.name} could not be logged in to over SSH. Nothing was changed.",
            step=ConnectStep.LOGIN,
            libvirt_text=text,
        )
    if code < 0:
        return OutcomeUnknown(
            f"{spec.name} did not answer within {LIMIT_S:g} s; whether it has learned the key is not known.",
            remedy="The pair is read again; if the finding is still there, try again.",
            libvirt_text=text,
        )
    return OperationFailed(f"{spec.name} could not do it: {text}", libvirt_text=text)


def _shown(key: str) -> str:
    """The algorithm and the fingerprint, as ssh-keygen -l prints them."""
    algorithm, _, text = key.partition(" ")
    try:
        return f"{algorithm} {fingerprint(text)}"
    except ValueError:
        return algorithm
