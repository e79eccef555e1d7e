"""Remedies on guests and networks: small changes that a person has confirmed, proven by reading again.

Each finds out first whether it is needed at all, so that doing it twice is harmless.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import libvirt

from hosts.driver.errors import translate
from hosts.errors import HostError, HostUnreachable, OperationFailed, OutcomeUnknown, Refused
from hosts.facts.edits import find_cache, find_media, render_cache_none, render_empty_drive
from hosts.ports import Change

LOOK_AT_LOG = "Look at libvirt's log there: journalctl -u libvirtd -n 50"
UNMOUNT = "The guest may have locked the drive: unmount the medium inside the guest, then try again."
LIVE, CONFIG = libvirt.VIR_DOMAIN_AFFECT_LIVE, libvirt.VIR_DOMAIN_AFFECT_CONFIG


@contextmanager
def attempting(host: str, doing: str, remedy: str = LOOK_AT_LOG) -> Iterator[None]:
    """For a call that changes something. libvirt's own words are told: the table of errors speaks of moves."""
    try:
        with translate(host, doing, changes=True):
            yield
    except (OutcomeUnknown, HostUnreachable):
        raise
    except HostError as error:
        text = (error.libvirt_text or error.message).rstrip(".")
        raise OperationFailed(
            f"{host} could not {doing}: {text}.", remedy=remedy, libvirt_text=error.libvirt_text
        ) from error


@contextmanager
def proving(host: str, done: str) -> Iterator[None]:
    """For reading again after a change: who is lost now leaves its outcome unknown, not untouched."""
    try:
        yield
    except HostUnreachable as error:
        raise OutcomeUnknown(
            f"{host} was asked to {done} and then was lost; what became of it is not known.",
            remedy="It is read again as soon as it answers.",
            libvirt_text=error.libvirt_text,
        ) from error


def eject_media(domain: Any, host: str, target: str) -> Change:
    """Empty a drive, in the running guest first and then in its definition. Raises OperationFailed that names
    what is done and what is not."""
    name, before = domain.name(), _media(domain, host, target)
    full = [scope for scope, medium in before.items() if medium]
    if not full:
        return Change(False, f"The drive {target} of {name} was empty already.", before, before)
    done: list[str] = []
    for scope in full:
        with naming(
            done, f"The medium of {target} of {name} is out of the {{done}}, but not out of the {scope}."
        ):
            _empty_drive(domain, host, target, scope)
        done.append(scope)
    with proving(host, f"empty {target} of {name}"):
        after = _media(domain, host, target)
    if any(after.values()):
        raise OperationFailed(
            f"{host} said that {target} of {name} was emptied, but the medium is still in: {after}.",
            remedy=UNMOUNT,
        )
    where = " and in its ".join(full)
    return Change(True, f"The drive {target} of {name} is empty now, in the {where}.", before, after)


def set_cache_none(domain: Any, host: str, target: str) -> Change:
    """In the persistent definition only; a running guest goes on as it is."""
    name = domain.name()
    with translate(host, f"read the definition of {name}"):
        if not domain.isPersistent():
            raise Refused(
                f"{name} has no definition on {host} that could be changed: it vanishes when it stops.",
                remedy=f"Define it first: virsh dumpxml {name} > guest.xml; virsh define guest.xml",
            )
        # With its secrets: a definition written back without them would have lost them.
        xml = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE)
    before = _understood(host, lambda: find_cache(xml, target))
    if before == "none":
        return Change(
            False,
            f"The definition of {name} has cache='none' for {target} already.",
            _cache(before),
            _cache(before),
        )
    with attempting(host, f"define {name} with cache='none' for {target}"):
        domain.connect().defineXML(render_cache_none(xml, target))
    with proving(host, f"define {name} anew"), translate(host, f"read the definition of {name}"):
        after = find_cache(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE), target)
        active = bool(domain.isActive())
    if after != "none":
        raise OperationFailed(
            f"{host} took the definition, but {target} of {name} has cache='{after}' in it."
        )
    when = (
        "takes effect when the guest is shut off and started again" if active else "holds at its next start"
    )
    return Change(
        True,
        f"The definition of {name} has cache='none' for {target}; it {when}.",
        _cache(before),
        _cache(after),
    )


def start_network(virt: Any, host: str, name: str) -> Change:
    """Start a network and let it start with its host."""
    with translate(host, f"find the network {name}"):
        try:
            network = virt.networkLookupByName(name)
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_NETWORK:
                raise
            raise Refused(f"{host} has no network {name} any more.", remedy="Read the host again.") from error
    before = started(network, host)
    done = start(network, host, f"the network {name}", before)
    with proving(host, f"start the network {name}"):
        after = started(network, host)
    if not done:
        return Change(False, f"The network {name} on {host} was running already.", before, after)
    return Change(True, f"The network {name} on {host} is running{_with_host(after)}.", before, after)


def started(thing: Any, host: str) -> dict[str, str]:
    """Of a pool or network: whether it runs, and whether it starts with its host (what is not defined cannot)."""
    with translate(host, f"read the state of {thing.name()}"):
        autostart = _yes(thing.autostart()) if thing.isPersistent() else "not defined"
        return {"active": _yes(thing.isActive()), "autostart": autostart}


def start(thing: Any, host: str, words: str, state: dict[str, str]) -> list[str]:
    """Start a pool or network and switch its autostart on, as far as needed. What was done, in words."""
    done: list[str] = []
    if state["active"] == "no":
        with attempting(host, f"start {words}"):
            thing.create()
        done.append(f"{words} is started")
    if state["autostart"] == "no":
        half_done = naming(done, f"On {host} {{done}}, but does not start with its host yet.")
        with half_done, attempting(host, f"let {words} start with its host"):
            thing.setAutostart(1)
        done.append(f"{words} starts with its host")
    return done


def _with_host(state: dict[str, str]) -> str:
    return ", and starts with its host" if state["autostart"] == "yes" else ""


@contextmanager
def naming(done: list[str], words: str) -> Iterator[None]:
    """What failed after something was done says what was done."""
    try:
        yield
    except HostError as error:
        if done:
            error.message = f"{words.format(done=' and '.join(done))} {error.message}"
        raise


def _media(domain: Any, host: str, target: str) -> dict[str, str]:
    """Scope → medium, for each description that the guest has."""
    found = {}
    with translate(host, f"read the description of {domain.name()}"):
        if domain.isActive():
            found["running guest"] = domain.XMLDesc(0)
        if domain.isPersistent():
            found["definition"] = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    return {scope: _medium(host, xml, target, scope) for scope, xml in found.items()}


def _medium(host: str, xml: str, target: str, scope: str) -> str:
    try:
        return find_media(xml, target)
    except ValueError as error:
        if scope == "definition":
            return ""  # the drive was plugged into the running guest only
        raise Refused(f"Nothing was changed on {host}. {error}", remedy="Read the host again.") from error


def _empty_drive(domain: Any, host: str, target: str, scope: str) -> None:
    live = scope == "running guest"
    words = f"eject the medium of {target} from the {scope} of {domain.name()}"
    # Reading counts as a part of it: the running guest may have been changed already when the definition is read.
    with attempting(host, words):
        xml = domain.XMLDesc(0 if live else libvirt.VIR_DOMAIN_XML_INACTIVE)
    drive = _understood(host, lambda: render_empty_drive(xml, target))
    with attempting(host, words, UNMOUNT if live else LOOK_AT_LOG):
        domain.updateDeviceFlags(drive, LIVE if live else CONFIG)


def _understood(host: str, read: Any) -> str:
    try:
        return str(read())
    except ValueError as error:
        raise Refused(f"Nothing was changed on {host}. {error}", remedy="Read the host again.") from error


def _cache(mode: str) -> dict[str, str]:
    return {"cache in the definition": mode or "the hypervisor's own"}


def _yes(value: Any) -> str:
    return "yes" if value else "no"
