"""Devices that QEMU itself cannot move."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lxml import etree

from hosts.facts.xml import attribute_of
from jobs.preflight.context import PreflightContext
from jobs.preflight.devices_xml import detach, devices_of, sent_root
from jobs.preflight.registry import Said, check
from jobs.preflight.say import blocker, facts_of, guest, sends_memory
from jobs.preflight.versions import MOVES_BLOBS

AT_NEXT_START: Final = (
    "Change it in the guest's definition; it takes effect when the guest is shut off and started."
)
# Path below <devices> → what it is. Each is `.unmigratable` or adds a migration blocker, in QEMU 7.2 and in 10.0:
# hw/virtio/virtio-crypto.c, ui/vdagent.c, hw/input/virtio-input-host.c, hw/nvme/ctrl.c, hw/usb/dev-audio.c,
# hw/audio/virtio-snd.c, hw/usb/dev-serial.c, hw/usb/dev-network.c, hw/i386/amd_iommu.c.
CANNOT_MOVE: Final = {
    "crypto[@model='virtio']": "virtio crypto device",
    "channel[@type='qemu-vdagent']": "clipboard channel of QEMU (qemu-vdagent)",
    "input[@type='passthrough']": "passed-through input device",
    "controller[@type='nvme']": "emulated NVMe controller",
    "sound[@model='usb']": "USB sound device",
    "sound[@model='virtio']": "virtio sound device",
    "serial/target[@type='usb-serial']/..": "USB serial port",
    "interface/model[@type='usb-net']/..": "USB network adapter",
    "iommu[@model='amd']": "AMD IOMMU",
}


@check(
    "device.video-3d",
    title="The guest's graphics adapter keeps nothing on the host's graphics card",
    source="QEMU: hw/display/virtio-gpu-base.c, “virgl is not yet migratable”",
    waivable=True,
)
def check_accelerated_video(context: PreflightContext) -> Iterator[Said]:
    if not sends_memory(context):
        return
    for _, element in devices_of(context, "video"):
        model = element.find("model")
        if model is not None and (what := _kept_on_card(context, model)):
            yield blocker(
                guest(context),
                f"The guest's graphics adapter uses {what}; QEMU cannot move what lies on the graphics card.",
                AT_NEXT_START.replace("Change it", "Switch it off"),
                evidence=((context.source.name, what),),
            )


def _kept_on_card(context: PreflightContext, model: etree._Element) -> str:
    if attribute_of(model, "acceleration", "accel3d") == "yes":
        return "3D acceleration (virgl)"
    blobs = model.get("blob") == "on" and facts_of(context.source).hypervisor_version < MOVES_BLOBS
    return "blob resources" if blobs else ""


@check(
    "device.unmigratable",
    title="The guest has no other device that QEMU cannot move",
    source="QEMU: devices with .unmigratable or a migration blocker, read in 7.2 and 10.0",
    waivable=True,
)
def check_unmigratable(context: PreflightContext) -> Iterator[Said]:
    if not sends_memory(context):
        return
    root = sent_root(context)
    for path, words in CANNOT_MOVE.items():
        for element in root.iterfind(f"devices/{path}"):
            yield blocker(
                guest(context),
                f"The guest has a {words}, which QEMU cannot move.",
                f"Detach it for the move, or take it out for good. {AT_NEXT_START}",
                evidence=((context.source.name, words),),
                commands=detach(context, element),
            )
