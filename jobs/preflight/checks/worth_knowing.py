"""What is no obstacle, but better known before a move: the guest's clock, its agent, what libvirt does not see."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lxml import etree

from jobs.preflight.context import PreflightContext
from jobs.preflight.devices_xml import sent_root
from jobs.preflight.findings import Severity
from jobs.preflight.registry import Said, check
from jobs.preflight.say import guest, info, sends_memory, warning

AGENT: Final = "org.qemu.guest_agent.0"
QEMU: Final = "{http://libvirt.org/schemas/domain/qemu/1.0}"
WINDOWS: Final = "microsoft.com"
NEXT_START: Final = "it takes effect at the guest's next start."


@check(
    "time.guest",
    title="The guest's clock is set up to survive the pause of a move",
    source="SUSE virtualization guide, clock settings: kvm-clock; correct time is a condition of live migration",
    waivable=True,
    severities=(Severity.WARNING, Severity.INFO),
)
def check_clock(context: PreflightContext) -> Iterator[Said]:
    root = sent_root(context)
    clock = root.find("clock")
    if clock is None or not sends_memory(context):
        return
    system, offset = _system(root), str(clock.get("offset") or "")
    evidence = ((context.source.name, f"clock {offset or 'not set'}"),)
    absent = {str(timer.get("name")) for timer in clock.iterfind("timer") if timer.get("present") == "no"}
    if "kvmclock" in absent and WINDOWS not in system and context.guest.facts.virt_type == "kvm":
        yield warning(
            guest(context),
            "The guest has no kvm-clock: its clock stands still while the move pauses it, and stays behind.",
            f"Take <timer name='kvmclock' present='no'/> out of its definition; {NEXT_START}",
            evidence=evidence,
        )
    if offset == "localtime" and system and WINDOWS not in system:
        message = "The guest's clock is set to local time, and it is no Windows: it is wrong where time zones differ."
        yield info(guest(context), message, f"Use <clock offset='utc'>; {NEXT_START}", evidence=evidence)


def _system(root: etree._Element) -> str:
    """libosinfo's name of the guest's system, "" where nobody noted it."""
    return next((str(item.get("id") or "") for item in root.iterfind("metadata//{*}os")), "")


@check(
    "guest.agent",
    title="The guest agent answers",
    source="SUSE virtualization guide: the agent sets the guest's clock and freezes its file systems",
    waivable=True,
    severities=(Severity.INFO,),
)
def check_agent(context: PreflightContext) -> Iterator[Said]:
    root = sent_root(context)
    if not sends_memory(context) or root.tag != "domain":
        return
    target = root.find(f"devices/channel/target[@name='{AGENT}']")
    if target is None:
        message = "The guest has no channel for the guest agent; nothing sets its clock after the move."
        yield info(guest(context), message, evidence=((context.source.name, "no agent channel"),))
    elif target.get("state") == "disconnected":
        message = "The guest agent does not answer; nothing sets the guest's clock after the move."
        yield info(guest(context), message, evidence=((context.source.name, "agent disconnected"),))


@check(
    "guest.autostart",
    title="A guest that starts with its host goes on doing so",
    source="libvirt: autostart belongs to a persistent definition and is not moved",
    waivable=True,
    severities=(Severity.WARNING,),
)
def check_autostart(context: PreflightContext) -> Iterator[Said]:
    """Where the definition is kept, the product itself carries autostart over."""
    if context.guest.status.autostart and not context.options.persistent:
        yield warning(
            guest(context),
            f"The guest starts with {context.source.name}; without a definition on {context.destination.name} it will "
            "not start with that.",
            "Choose a persistent move.",
            evidence=((context.source.name, "autostart"),),
        )


@check(
    "guest.qemu-commandline",
    title="libvirt knows all that QEMU was started with",
    source="libvirt: drvqemu, “pass-through of arbitrary QEMU commands” is outside of what it checks",
    waivable=True,
    severities=(Severity.WARNING,),
)
def check_command_line(context: PreflightContext) -> Iterator[Said]:
    root = sent_root(context)
    words = [str(arg.get("value")) for arg in root.iterfind(f"{QEMU}commandline/{QEMU}arg")]
    words += [f"{item.get('alias')} changed" for item in root.iterfind(f"{QEMU}override/{QEMU}device")]
    if words:
        yield warning(
            guest(context),
            "QEMU was started with arguments that libvirt does not understand; it cannot tell whether they can move, "
            "nor whether the destination has what they name.",
            "See that each of them works on the destination and can migrate, or take them out.",
            evidence=((context.source.name, " ".join(words)[:300]),),
        )
