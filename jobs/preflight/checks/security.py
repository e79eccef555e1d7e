"""What protects the guest from its host and the host from the guest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lxml import etree

from jobs.preflight.context import PreflightContext
from jobs.preflight.devices_xml import arriving_root, sent_root
from jobs.preflight.findings import Severity
from jobs.preflight.registry import Said, check
from jobs.preflight.say import both, facts_of, graded, guest, sends_memory, warning

# Names of libvirt's <launchSecurity> → what people call it.
ENCRYPTED: Final = {
    "sev": "AMD SEV",
    "sev-snp": "AMD SEV-SNP",
    "tdx": "Intel TDX",
    "s390-pv": "IBM Secure Execution",
}
UNCONFINED: Final = frozenset({"", "none"})
NOT_CONFINING: Final = frozenset({"none", "dac"})


@check(
    "security.sev-tdx",
    title="The guest's memory is not sealed to its host",
    source="QEMU: target/i386/sev.c (“SEV: Migration is not implemented”, still so in 10.0), hw/s390x, TDX",
    waivable=True,
    severities=(Severity.BLOCKER, Severity.WARNING),
    help_desk="The memory of this guest is encrypted for the server it runs on; it can only be moved shut off.",
)
def check_sealed_memory(context: PreflightContext) -> Iterator[Said]:
    element = sent_root(context).find("launchSecurity")
    if element is None:
        return
    kind = str(element.get("type") or "")
    words, severe = ENCRYPTED.get(kind, kind), sends_memory(context)
    yield graded(
        severe,
        guest(context),
        f"The guest's memory is encrypted for {context.source.name} ({words}); QEMU cannot move it."
        if severe
        else f"The guest needs {words} on {context.destination.name}; nobody has told whether it has that.",
        "Shut the guest off and move it offline."
        if severe
        else f"Look on {context.destination.name}: virsh domcapabilities | grep -A3 launchSecurity",
        evidence=((context.source.name, words),),
    )


@check(
    "security.model",
    title="The destination confines guests the same way",
    source="libvirt: virSecurityManagerCheckAllLabel at the start, “Security driver model … is not available”",
    waivable=True,
    severities=(Severity.BLOCKER, Severity.WARNING),
)
def check_security_model(context: PreflightContext) -> Iterator[Said]:
    here = facts_of(context.source).security_models
    there = facts_of(context.destination).security_models
    wanted = dict.fromkeys(model for model in _models(arriving_root(context)) if model not in there)
    evidence = both(context, ", ".join(here) or "none", ", ".join(there) or "none")
    for model in wanted:
        yield graded(
            sends_memory(context),
            guest(context),
            f"The guest has a security label of {model}, which {context.destination.name} does not have; libvirt there "
            "would not start it.",
            f'Set security_driver = [ "{model}" ] in /etc/libvirt/qemu.conf of {context.destination.name} where its '
            "system has that, or give the guest <seclabel type='none'/> at its next start.",
            evidence=evidence,
        )
    lost = [model for model in here if model not in NOT_CONFINING and model not in there]
    if lost and not wanted and NOT_CONFINING.issuperset(there):
        yield warning(
            guest(context),
            f"{context.source.name} confines guests with {' and '.join(lost)}; {context.destination.name} does not.",
            f"Switch {' or '.join(lost)} on there if guests are to stay confined.",
            evidence=evidence,
        )


def _models(root: etree._Element) -> Iterator[str]:
    """Of the labels libvirt sends along: it leaves out the ones it made itself for `dac`."""
    for label in root.iter("seclabel"):
        model, made = str(label.get("model") or ""), label.get("type") == "dynamic"
        if model not in UNCONFINED and not (model == "dac" and made):
            yield model
