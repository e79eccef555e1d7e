"""Paths of a host that a guest's description needs besides its disks, and who makes them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Final

from lxml import etree

from hosts.facts.xml import attribute_of, parse_xml, text_of

# It is there on every host: an answer about it says that the host was asked.
EVERYWHERE: Final = "/etc"
# Where QEMU of every distribution keeps the certificates for moves, unless qemu.conf names another folder.
MOVE_CA: Final = "/etc/pki/qemu/ca-cert.pem"
MOVE_CERTIFICATE: Final = "/etc/pki/qemu/server-cert.pem"
# Where libvirt looks for it first; every distribution installs it there.
SWTPM: Final = "/usr/bin/swtpm"
SWTPM_STATE: Final = "/var/lib/libvirt/swtpm"
LOADER: Final = "firmware"
NVRAM_TEMPLATE: Final = "template of the firmware variables"
NVRAM: Final = "firmware variables"
TPM_EMULATOR: Final = "TPM emulator"
TPM_STATE: Final = "state of the TPM"
# What other rules than "it must be there" are for.
SPECIAL_PARTS: Final = frozenset({LOADER, NVRAM_TEMPLATE, NVRAM, TPM_EMULATOR, TPM_STATE})

_CHARACTER_DEVICES: Final = ("serial", "parallel", "console", "channel", "redirdev", "smartcard")
# Folders that libvirt has on every host; below `channel` and `domain-…` it makes what it needs.
_OF_LIBVIRT: Final = re.compile(r"(/var/log|/var/lib|/run|/var/run)/libvirt/qemu(/(channel|domain-).*)?")
# Every kernel has these two.
_ALWAYS_THERE: Final = frozenset({"/dev/urandom", "/dev/random"})
_OS_FILES: Final = {
    "kernel": "kernel",
    "initrd": "initrd",
    "dtb": "device tree",
    "shim": "shim",
    "loader": LOADER,
}


@dataclass(frozen=True, slots=True)
class NeededPath:
    """`made`: libvirt or QEMU makes the file itself; then only its folder must be there."""

    path: str
    part: str  # what needs it: "kernel", "serial", …
    made: bool = False

    @property
    def wanted(self) -> str:
        """The path that has to exist."""
        return str(PurePosixPath(self.path).parent) if self.made else self.path


@lru_cache(maxsize=256)
def needed_paths(xml: str) -> tuple[NeededPath, ...]:
    """Each path once, in the order of the description; none for text that is no domain."""
    try:
        root = parse_xml(xml, root="domain")
    except ValueError:
        return ()
    found = [*_of_os(root), *_of_devices(root), *_of_backends(root), *_of_tpm(root)]
    return tuple({item.path: item for item in found if _may_be_missing(item)}.values())


def paths_to_look_at(xml: str) -> tuple[str, ...]:
    """What a probe of the destination is to ask about."""
    return tuple(dict.fromkeys(item.wanted for item in needed_paths(xml)))


@lru_cache(maxsize=256)
def network_ends(xml: str) -> tuple[tuple[str, str, str, str], ...]:
    """Mode (connect, bind), device, host and port of what QEMU joins over TCP at its start."""
    try:
        root = parse_xml(xml, root="domain")
    except ValueError:
        return ()
    found = []
    for kind in _CHARACTER_DEVICES:
        for source in root.iterfind(f"devices/{kind}[@type='tcp']/source"):
            mode, host, port = (str(source.get(name) or "") for name in ("mode", "host", "service"))
            found.append((mode or "connect", kind, host, port))
    ends = dict.fromkeys(found)  # the first console says again what the first serial port is
    return tuple(end for end in ends if end[1] != "console" or (end[0], "serial", *end[2:]) not in ends)


def _may_be_missing(item: NeededPath) -> bool:
    if not item.path.startswith("/") or item.path in _ALWAYS_THERE:
        return False
    return not (item.made and _OF_LIBVIRT.fullmatch(item.wanted))


def _of_os(root: etree._Element) -> Iterator[NeededPath]:
    for tag, part in _OS_FILES.items():
        yield NeededPath(text_of(root, f"os/{tag}"), part)
    yield NeededPath(attribute_of(root, "os/nvram", "template"), NVRAM_TEMPLATE)
    yield NeededPath(
        text_of(root, "os/nvram") or attribute_of(root, "os/nvram/source", "file"), NVRAM, made=True
    )
    yield NeededPath(text_of(root, "os/acpi/table"), "ACPI table")
    for entry in root.iterfind("sysinfo/entry"):
        yield NeededPath(str(entry.get("file") or ""), "firmware setting")


def _of_devices(root: etree._Element) -> Iterator[NeededPath]:
    for kind in _CHARACTER_DEVICES:
        for device in root.iterfind(f"devices/{kind}"):
            yield from _of_character_device(device, str(device.get("type") or ""), kind)
            yield NeededPath(attribute_of(device, "log", "file"), f"{kind} log", made=True)
    for device in root.iterfind("devices/input"):
        source = device.find("source")
        if source is not None:
            yield NeededPath(str(source.get("dev") or source.get("evdev") or ""), "input device")
    for nic in root.iterfind("devices/interface"):
        yield NeededPath(attribute_of(nic, "script", "path"), "interface script")
    for listen in root.iterfind("devices/graphics/listen"):
        yield NeededPath(str(listen.get("socket") or ""), "graphics socket", made=True)


def _of_character_device(device: etree._Element, kind: str, part: str) -> Iterator[NeededPath]:
    """`device` holds the <source>; pseudo terminals, sockets of the network and the rest have no path."""
    source = device.find("source")
    if source is None:
        return
    made = kind == "file" or (kind == "unix" and source.get("mode") != "connect")
    if kind in {"file", "dev", "pipe", "unix"}:
        yield NeededPath(str(source.get("path") or ""), part, made)


def _of_backends(root: etree._Element) -> Iterator[NeededPath]:
    for backend in root.iterfind("devices/rng/backend"):
        yield NeededPath((backend.text or "").strip(), "random number generator")
        yield from _of_character_device(backend, str(backend.get("type") or ""), "random number generator")
    for memory in root.iterfind("devices/memory"):
        yield NeededPath(text_of(memory, "source/path"), f"{memory.get('model')} memory")
    yield NeededPath(text_of(root, "devices/pstore/path"), "pstore", made=True)
    for audio in root.iterfind("devices/audio"):
        yield NeededPath(str(audio.get("path") or ""), "audio file", made=True)


def _of_tpm(root: etree._Element) -> Iterator[NeededPath]:
    for backend in root.iterfind("devices/tpm/backend[@type='emulator']"):
        yield NeededPath(SWTPM, TPM_EMULATOR)
        own = attribute_of(backend, "source", "path")
        yield NeededPath(own or f"{SWTPM_STATE}/{text_of(root, 'uuid')}", TPM_STATE, made=True)
