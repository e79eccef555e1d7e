"""libvirt's errors → ours, by the tables in error_rules; only hosts.driver catches libvirtError."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import libvirt

from hosts.driver.error_rules import CONNECT_RULES, OPERATION_RULES, Rule
from hosts.errors import (
    ConnectStep,
    HostError,
    HostKeyUnknown,
    HostUnreachable,
    OperationFailed,
    OutcomeUnknown,
)

# libvirt prints every error to standard error unless a handler takes it; the raised exception is enough.
libvirt.registerErrorHandler(f=lambda *_: None, ctx=None)


_LOST = (
    r"client socket is closed|end of file while reading|keepalive timeout|broken pipe|connection reset"
    r"|received hangup|cannot (recv|write) data|no call waiting for reply|internal error: connection closed"
)
# The source's ssh to its peer ends with "connection reset" too; these words say that it never was connected.
_NEVER_CONNECTED = (
    r"host key verification|permission denied|authentication failed|could not resolve|virt-ssh-helper"
)
_LOOK_AT_LOGS = (
    "The hosts' own logs say more: journalctl -u libvirtd -n 50, and /var/log/libvirt/qemu/GUEST.log on both."
)
_ASK_BOTH = "Both hosts are asked what became of the guest; nothing is deleted until they have answered."


@contextmanager
def translate(
    host: str, doing: str, *, changes: bool = False, rules: tuple[Rule, ...] = OPERATION_RULES
) -> Iterator[None]:
    """Everything that calls libvirt runs inside this. `doing` completes "could not …". `changes`: the call
    may have had an effect, so that a lost connection makes its outcome unknown instead of merely unread."""
    try:
        yield
    except libvirt.libvirtError as error:
        raise _operation_error(error, host, doing, changes=changes, rules=rules) from error


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


def _operation_error(
    error: libvirt.libvirtError, host: str, doing: str, *, changes: bool, rules: tuple[Rule, ...]
) -> HostError:
    code, text = error.get_error_code(), _text(error)
    if _connection_lost(error, text):
        return _lost(error, host, doing, changes=changes)
    rule = next((rule for rule in rules if rule.matches(code, text)), None)
    if rule is None:
        return OperationFailed(f"{host} could not {doing}: {text}", remedy=_LOOK_AT_LOGS, **_details(error))
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
