"""libvirt's errors → ours. One table maps codes and telling texts; only hosts.driver catches libvirtError.

Codes are libvirt's virErrorNumber by name; texts were seen with libvirt 9.0 in the C locale. The daemon's
language is not ours to choose: a text that does not match falls back to its code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import libvirt

from hosts.errors import (
    ConnectStep,
    GuestNotFound,
    HostError,
    HostKeyUnknown,
    HostUnreachable,
    OperationAborted,
    OperationFailed,
    OutcomeUnknown,
    Refused,
)

# libvirt prints every error to standard error unless a handler takes it; the raised exception is enough.
libvirt.registerErrorHandler(f=lambda *_: None, ctx=None)


@dataclass(frozen=True, slots=True)
class Rule:
    """First matching rule wins. `meaning` and `remedy` may use {host} and {doing}."""

    error: type[HostError]
    meaning: str
    remedy: str = ""
    codes: tuple[str, ...] = ()  # names without VIR_ERR_; () = any
    text: str = ""  # regular expression searched in libvirt's text, any case; "" = any
    step: ConnectStep | None = None
    pattern: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pattern", re.compile(self.text, re.IGNORECASE))

    def matches(self, code: int | None, text: str) -> bool:
        known = {getattr(libvirt, f"VIR_ERR_{name}", None) for name in self.codes}
        return (not self.codes or code in known) and bool(self.pattern.search(text))


_LOST = (
    r"client socket is closed|end of file while reading|keepalive timeout|broken pipe|connection reset"
    r"|received hangup|cannot (recv|write) data|no call waiting for reply|internal error: connection closed"
)
# The source's ssh to its peer ends with "connection reset" too; these words say that it never was connected.
_NEVER_CONNECTED = (
    r"host key verification|permission denied|authentication failed|could not resolve|virt-ssh-helper"
)
_ASK_BOTH = "Both hosts are asked what became of the guest; nothing is deleted until they have answered."

OPERATION_RULES: tuple[Rule, ...] = (
    Rule(GuestNotFound, "{host} has no such guest any more.", "Read the host again.", codes=("NO_DOMAIN",)),
    Rule(
        OperationAborted,
        "The operation was cancelled.",
        codes=("OPERATION_ABORTED",),
    ),
    Rule(
        OperationFailed,
        "The source could not reach the destination's libvirt or migration port.",
        "Open 22/16509/16514 and 49152-49215 from the source to the destination, then try again.",
        codes=("SYSTEM_ERROR",),
        text=r"unable to connect to server at|no route to host|connection timed out",
    ),
    Rule(
        OperationFailed,
        "The source's own login at the destination failed (peer-to-peer uses the source's root account).",
        "On the source, as root, this must work: virsh -c ADDRESS-OF-THE-DESTINATION uri",
        text=r"host key verification|permission denied \(|authentication failed",
    ),
    Rule(
        OperationFailed,
        "A file or device of the guest is missing on the destination.",
        "Make the storage available there at the same path, or copy the disks.",
        codes=("SYSTEM_ERROR",),
        text=r"unable to stat|cannot access storage file|no such file",
    ),
    Rule(
        OperationFailed,
        "A bridge or interface of the guest is missing on the destination.",
        "Create it there, or choose another network for the guest.",
        codes=("SYSTEM_ERROR",),
        text=r"cannot get interface",
    ),
    Rule(
        Refused,
        "The destination already has a guest of this name or UUID.",
        "Rename the guest for the move, or remove the other definition.",
        codes=("OPERATION_FAILED",),
        text=r"already exists with uuid|already defined with uuid",
    ),
    Rule(
        Refused,
        "{host} is the same machine as the other host, libvirt says.",
        "Give each host its own host_uuid in libvirtd.conf.",
        codes=("INVALID_ARG", "INTERNAL_ERROR"),
        text=r"migrate guest to the same host",
    ),
    Rule(
        Refused,
        "Another job is already running for this guest.",
        "Wait until it ends, or cancel it.",
        codes=("OPERATION_INVALID",),
        text=r"another .* job is|job is already",
    ),
    Rule(
        Refused,
        "The guest cannot be moved as it is.",
        "Remove what the text names, or choose another kind of move.",
        codes=("OPERATION_INVALID",),
        text=r"cannot migrate domain|snapshots",
    ),
    Rule(
        Refused,
        "A guest with this UUID already runs on {host}.",
        "Two running copies destroy each other's disks: find out which one is right before anything else.",
        codes=("OPERATION_INVALID",),
        text=r"already active",
    ),
    Rule(
        Refused,
        "The guest is not in a state that allows this.",
        "Read the guest again.",
        ("OPERATION_INVALID",),
    ),
    Rule(
        Refused,
        "{host} is busy with this guest: libvirt gave up waiting after 30 s.",
        "Wait for the job that holds it; a stuck data connection to the destination has the same effect.",
        codes=("OPERATION_TIMEOUT",),
    ),
    Rule(
        Refused,
        "libvirt holds this move for unsafe: the disks are not on storage both hosts share.",
        "Copy the disks with the move, or put them on shared storage with cache none.",
        codes=("MIGRATE_UNSAFE",),
    ),
    Rule(
        Refused,
        "The destination's processor cannot run this guest.",
        "Choose another destination, or give the guest a CPU model both hosts have.",
        codes=("CPU_INCOMPATIBLE",),
    ),
    Rule(Refused, "A network of the guest is missing there.", "Create or start it.", ("NO_NETWORK",)),
    Rule(
        Refused,
        "No storage pool there has this path.",
        "Create the pool on the destination, from the source's template.",
        codes=("NO_STORAGE_POOL", "NO_STORAGE_VOL"),
    ),
    Rule(
        Refused,
        "{host} does not know or offer this.",
        "Choose other options, or update libvirt there.",
        codes=("OPERATION_UNSUPPORTED", "ARGUMENT_UNSUPPORTED", "NO_SUPPORT", "CONFIG_UNSUPPORTED"),
    ),
    Rule(
        Refused,
        "{host} does not allow this to our account.",
        "Give the account the right to manage guests: usermod -aG libvirt USER",
        codes=("OPERATION_DENIED", "ACCESS_DENIED", "AUTH_FAILED", "AUTH_UNAVAILABLE", "AUTH_CANCELLED"),
    ),
    Rule(
        Refused,
        "libvirt does not accept what it was given.",
        "Check the names, addresses and the description of the guest.",
        codes=("INVALID_ARG", "XML_ERROR", "XML_DETAIL", "XML_INVALID_SCHEMA"),
    ),
)

CONNECT_RULES: tuple[Rule, ...] = (
    Rule(
        HostUnreachable,
        "The console cannot start the program that connects to {host}.",
        "Install openssh-client on the console, and let programs run in its temporary directory"
        " (not mounted noexec; see: mount | grep /tmp).",
        text=r"cannot execute binary",
        step=ConnectStep.ADDRESS,
    ),
    Rule(
        HostUnreachable,
        "The name of {host} does not resolve.",
        "Check its spelling, DNS or /etc/hosts of the console.",
        text=r"could not resolve hostname|unable to resolve|name or service not known|no address associated",
        step=ConnectStep.NAME,
    ),
    Rule(
        HostKeyUnknown,
        "The SSH host key of {host} is not one that was accepted.",
        "Compare the fingerprint with the host's own, then accept it. On the host:"
        " ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
        text=r"host key verification|identification has changed|host key.*(mismatch|unknown|not known)"
        r"|no matching host key|ssh host key|accept host key|hostkey",
        step=ConnectStep.HOST_KEY,
    ),
    Rule(
        HostUnreachable,
        "The certificate of {host} cannot be trusted.",
        "Compare the CA stored for the host with the one that signed its certificate.",
        text=r"certificate|tls handshake|tls confirmation|tls channel|x509|tls session",
        step=ConnectStep.CERTIFICATE,
    ),
    Rule(
        HostUnreachable,
        "Connected to {host}, but the account may not manage guests.",
        "On the host: usermod -aG libvirt USER, then connect again.",
        text=r"polkit|(libvirt|virtqemud|virtproxyd)-sock[^:]*: permission denied|read only",
        step=ConnectStep.PERMISSION,
    ),
    Rule(
        HostUnreachable,
        "The private key stored for {host} cannot be used: its format is unknown, or it has a passphrase.",
        "Store a key without a passphrase: ssh-keygen -t ed25519 -N '' -f KEY",
        text=r"load key|error in libcrypto|invalid format|unable to extract public key|wrong passphrase",
        step=ConnectStep.LOGIN,
    ),
    Rule(
        HostUnreachable,
        "{host} refused the login.",
        "Check user, key or password. For a key: ssh-copy-id -i KEY.pub USER@HOST",
        text=r"permission denied|authentication failed|sasl|no ssh authentication|auth.*(refused|failed)"
        r"|publickey|too many authentication",
        step=ConnectStep.LOGIN,
    ),
    Rule(
        HostUnreachable,
        "Logged in to {host}, but no libvirt daemon answers there.",
        "On the host: systemctl enable --now libvirtd.socket (or virtqemud.socket)",
        text=r"failed to connect socket|virt-ssh-helper|nc: |netcat|command not found|no such file"
        r"|remote command terminated",
        step=ConnectStep.DAEMON,
    ),
    Rule(
        HostUnreachable,
        "Nothing answers on the port of {host}.",
        "Check that the host is up, that the service listens, and the firewall between console and host.",
        text=r"connection refused|no route to host|timed out|network is unreachable|unable to connect to",
        step=ConnectStep.PORT,
    ),
    Rule(
        HostUnreachable,
        "{host} closed the connection while libvirt was being asked.",
        "Look at the daemon's log on the host: journalctl -u libvirtd -n 50",
        step=ConnectStep.DAEMON,
    ),
)


@contextmanager
def translate(host: str, doing: str, *, changes: bool = False) -> Iterator[None]:
    """Everything that calls libvirt runs inside this. `doing` completes "could not …". `changes`: the call
    may have had an effect, so that a lost connection makes its outcome unknown instead of merely unread."""
    try:
        yield
    except libvirt.libvirtError as error:
        raise _operation_error(error, host, doing, changes=changes) from error


def connect_error(error: libvirt.libvirtError, host: str) -> HostUnreachable:
    """What a failed open means: which step failed, what it means, what to do."""
    code, text = error.get_error_code(), _text(error)
    rule = next(rule for rule in CONNECT_RULES if rule.matches(code, text))
    details = _details(error)
    if issubclass(rule.error, HostKeyUnknown):
        return rule.error(rule.meaning.format(host=host), remedy=rule.remedy, **details)
    step = rule.step or ConnectStep.DAEMON
    return HostUnreachable(rule.meaning.format(host=host), step=step, remedy=rule.remedy, **details)


def classify_text(text: str, host: str, *, otherwise: ConnectStep) -> HostUnreachable:
    """What a program's own words (ssh's) mean; the step `otherwise` when they tell nothing."""
    rule = next((rule for rule in CONNECT_RULES[:-1] if rule.matches(None, text)), None)
    if rule is None:
        return HostUnreachable(f"{host} could not be logged in to.", step=otherwise, libvirt_text=text)
    if issubclass(rule.error, HostKeyUnknown):
        return rule.error(rule.meaning.format(host=host), remedy=rule.remedy, libvirt_text=text)
    step = rule.step or otherwise
    return HostUnreachable(rule.meaning.format(host=host), step=step, remedy=rule.remedy, libvirt_text=text)


def is_code(error: libvirt.libvirtError, *names: str) -> bool:
    """Whether the error is one of the named codes (without VIR_ERR_)."""
    return error.get_error_code() in {getattr(libvirt, f"VIR_ERR_{name}", None) for name in names}


def _operation_error(error: libvirt.libvirtError, host: str, doing: str, *, changes: bool) -> HostError:
    code, text = error.get_error_code(), _text(error)
    if _connection_lost(error, text):
        return _lost(error, host, doing, changes=changes)
    rule = next((rule for rule in OPERATION_RULES if rule.matches(code, text)), None)
    if rule is None:
        return OperationFailed(f"{host} could not {doing}: {text}", remedy="", **_details(error))
    message = f"Could not {doing}. {rule.meaning.format(host=host, doing=doing)}"
    return rule.error(message, remedy=rule.remedy, **_details(error))


def _connection_lost(error: libvirt.libvirtError, text: str) -> bool:
    """Whether the connection is gone. The same words come from a source about its peer in a peer-to-peer
    move; nobody can tell the two apart, and after either both hosts must be asked."""
    if re.search(_NEVER_CONNECTED, text, re.IGNORECASE):
        return False
    codes = ("SYSTEM_ERROR", "INTERNAL_ERROR", "RPC", "NO_CONNECT", "INVALID_CONN")
    return is_code(error, *codes) and bool(re.search(_LOST, text, re.IGNORECASE))


def _lost(error: libvirt.libvirtError, host: str, doing: str, *, changes: bool) -> HostError:
    if changes:
        message = (
            f"The connection to {host} was lost while it was asked to {doing}; what happened is not known."
        )
        return OutcomeUnknown(message, remedy=_ASK_BOTH, **_details(error))
    message = f"The connection to {host} was lost; could not {doing}."
    return HostUnreachable(message, step=ConnectStep.DAEMON, remedy="It is tried again.", **_details(error))


def _text(error: libvirt.libvirtError) -> str:
    return str(error.get_error_message() or error)


def _details(error: libvirt.libvirtError) -> dict[str, Any]:
    return {
        "libvirt_code": error.get_error_code(),
        "libvirt_domain": error.get_error_domain(),
        "libvirt_text": _text(error),
    }
