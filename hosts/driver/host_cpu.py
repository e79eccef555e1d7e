"""Whether one host can give its guests the processor that another one gives its own, without a guest."""

from __future__ import annotations

from typing import Any, Final

import libvirt
from lxml import etree

from hosts.driver.errors import is_code, translate
from hosts.facts.host import parse_capabilities
from hosts.facts.xml import parse_xml
from hosts.ports import CpuComparison

_WORDS: Final = {libvirt.VIR_CPU_COMPARE_IDENTICAL: "identical", libvirt.VIR_CPU_COMPARE_SUPERSET: "superset"}
# The hypervisor or this libvirt cannot compare, or the description holds what it does not know.
_CANNOT_SAY: Final = (
    "OPERATION_INVALID", "OPERATION_UNSUPPORTED", "NO_SUPPORT", "CONFIG_UNSUPPORTED", "XML_ERROR", "INVALID_ARG",
    "INTERNAL_ERROR",
)  # fmt: skip
_BEST_FIRST: Final = ("kvm", "qemu")


def compare_host_cpu(virt: Any, host: str, other: Any, other_host: str) -> CpuComparison:
    """`virt` is asked about the host-model of `other`: what its guests get. Raises HostError."""
    with translate(other_host, "say what processor its guests get"):
        architecture, virt_type = _way_to_run(other)
        cpu = _host_model(other, architecture, virt_type)
    if not cpu:
        return CpuComparison("unknown", f"{other_host} does not say what processor its guests get.")
    with translate(host, "compare the processors"):
        return _compare(virt, architecture, virt_type, cpu)


def _way_to_run(virt: Any) -> tuple[str, str]:
    """The architecture of the host and the best way it has to run guests of it."""
    facts = parse_capabilities(virt.getCapabilities())
    architecture = facts.cpu.architecture
    offered = {
        kind
        for item in facts.guests_supported
        if item.architecture == architecture
        for kind in item.virt_types
    }
    return architecture, next((kind for kind in _BEST_FIRST if kind in offered), "")


def _host_model(virt: Any, architecture: str, virt_type: str) -> str:
    """The <cpu> that mode='host-model' would be expanded to there; "" where the hypervisor has none."""
    try:
        text = virt.getDomainCapabilities(None, architecture, None, virt_type or None, 0)
    except libvirt.libvirtError as error:
        if is_code(error, *_CANNOT_SAY):
            return ""
        raise
    mode = parse_xml(text, root="domainCapabilities").find("cpu/mode[@name='host-model']")
    if mode is None or mode.get("supported") != "yes" or mode.find("model") is None:
        return ""
    cpu = etree.Element("cpu", mode="custom", match="exact")
    for child in mode:
        if child.tag in {"model", "vendor", "feature"}:
            cpu.append(child)
    return etree.tostring(cpu, encoding="unicode")


def _compare(virt: Any, architecture: str, virt_type: str, cpu: str) -> CpuComparison:
    strict = libvirt.VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE
    try:
        answer = virt.compareHypervisorCPU(None, architecture, None, virt_type or None, cpu, strict)
    except libvirt.libvirtError as error:
        if is_code(error, "CPU_INCOMPATIBLE"):
            return CpuComparison("incompatible", str(error.get_error_message()))
        if is_code(error, *_CANNOT_SAY):
            return CpuComparison("unknown", str(error.get_error_message()))
        raise
    return CpuComparison(_WORDS.get(answer, "incompatible"))
