"""Files, sockets and devices outside of storage that QEMU opens at its start."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from hosts.facts.device_paths import SPECIAL_PARTS, NeededPath, needed_paths, network_ends
from hosts.facts.host import HostFacts
from jobs.preflight.by_hand import anywhere
from jobs.preflight.context import PreflightContext
from jobs.preflight.devices_xml import Presence, arriving_root, arriving_xml, presence_of
from jobs.preflight.findings import Severity
from jobs.preflight.graphics import is_bound_to_source
from jobs.preflight.registry import NotEvaluated, Said, check
from jobs.preflight.say import both, facts_of, graded, guest, sends_memory


@check(
    "device.paths",
    title="What QEMU opens at its start is at the same path on the destination",
    source="peers' users hurt by missing log folders, sockets and kernels; libvirt: virFileExists of each at start",
    waivable=True,
    severities=(Severity.BLOCKER, Severity.WARNING),
    unevaluated=Severity.WARNING,
)
def check_paths(context: PreflightContext) -> Iterator[Said]:
    yield from _emulator(context)
    needed = [item for item in needed_paths(arriving_xml(context)) if item.part not in SPECIAL_PARTS]
    for item in needed:
        if presence_of(context, item.wanted) is Presence.MISSING:
            yield _missing(context, item)
    unknown = [item.wanted for item in needed if presence_of(context, item.wanted) is Presence.UNKNOWN]
    if unknown:
        yield _not_known(context, unknown)
    for mode, part, host, port in network_ends(arriving_xml(context)):
        if mode == "connect":
            yield _reached(context, part, host, port)
        elif is_bound_to_source(host):
            yield _bound(context, part, f"{host}:{port}")


def _not_known(context: PreflightContext, paths: list[str]) -> NotEvaluated:
    there, unique = context.destination.name, list(dict.fromkeys(paths))
    look = f"Look on {there}: ls -ld {' '.join(map(shlex.quote, unique))}"
    return NotEvaluated(f"whether {there} has {', '.join(unique)}", look)


def _reached(context: PreflightContext, part: str, host: str, port: str) -> NotEvaluated:
    """Measured: QEMU does not start where it cannot connect."""
    there = context.destination.name
    what = f"whether {there} reaches {host}:{port}, to which QEMU connects the {part} at its start"
    return NotEvaluated(what, f"Look on {there}: nc -z {shlex.quote(host)} {shlex.quote(port)}")


def _bound(context: PreflightContext, part: str, end: str) -> Said:
    there = context.destination.name
    return graded(
        sends_memory(context),
        guest(context),
        f"The {part} listens on {end}, an address that {there} does not have; QEMU would not start there.",
        "Let it listen on 127.0.0.1 or 0.0.0.0, in effect at the guest's next start.",
        evidence=both(context, end, "not an address of this host"),
    )


def _missing(context: PreflightContext, item: NeededPath) -> Said:
    there = context.destination.name
    lines = (f"mkdir -p {shlex.quote(item.wanted)}",) if item.made else ()
    return graded(
        sends_memory(context),
        guest(context),
        f"{there} does not have {item.wanted}, which the guest needs for its {item.part}; QEMU would not start there.",
        "Make the folder there." if item.made else "Copy it there, or take it out of the guest's definition.",
        evidence=both(context, item.path, "nothing there"),
        commands=anywhere(context.destination, *lines) if lines else (),
    )


def _emulator(context: PreflightContext) -> Iterator[Said]:
    """libvirt lists the emulators it found, one for each architecture; another one may be there all the same."""
    path = arriving_root(context).findtext("devices/emulator") or context.guest.facts.emulator
    there = context.destination.name
    offered = _emulators(context, facts_of(context.destination))
    if not path or not offered or path in offered or presence_of(context, path) is Presence.THERE:
        return
    if path not in _emulators(context, facts_of(context.source)):
        yield NotEvaluated(f"whether {there} has the emulator {path}", f"Look on {there}: ls -l {path}")
        return
    yield graded(
        sends_memory(context),
        guest(context),
        f"The guest's emulator {path} is {' or '.join(sorted(offered))} on {there}; libvirt there would not find it.",
        "Make it known there under the name the guest uses, or name another in the destination's definition.",
        evidence=both(context, path, ", ".join(sorted(offered))),
        commands=anywhere(context.destination, f"ln -s {sorted(offered)[0]} {path}"),
    )


def _emulators(context: PreflightContext, facts: HostFacts) -> set[str]:
    wanted = context.guest.facts.architecture
    return {support.emulator for support in facts.guests_supported if support.architecture == wanted}
