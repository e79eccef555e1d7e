"""Certificates for a move that QEMU itself encrypts."""

from __future__ import annotations

from collections.abc import Iterator

from hosts.facts.device_paths import MOVE_CA, MOVE_CERTIFICATE
from jobs.preflight.context import PreflightContext
from jobs.preflight.devices_xml import Presence, presence_of
from jobs.preflight.findings import Severity
from jobs.preflight.registry import NotEvaluated, Said, check
from jobs.preflight.say import blocker, both, host, sends_memory


@check(
    "kind.tls-certificates",
    title="QEMU on the destination has the certificates for an encrypted move",
    source="measured: “Unable to access credentials /etc/pki/qemu/ca-cert.pem” (code 1); libvirt: qemu.conf, "
    "migrate_tls_x509_cert_dir",
    waivable=True,
    unevaluated=Severity.WARNING,  # libvirt refuses before anything has moved
)
def check_certificates(context: PreflightContext) -> Iterator[Said]:
    """Waivable: qemu.conf of a host may name another folder, which nobody can ask for."""
    if not context.options.tls or not sends_memory(context):
        return
    there = context.destination.name
    for path in (MOVE_CA, MOVE_CERTIFICATE):
        presence = presence_of(context, path)
        if presence is Presence.MISSING:
            yield blocker(
                host(context.destination),
                f"{there} does not have {path}, which QEMU needs to receive an encrypted move.",
                "Put the certificates of QEMU there, as on the other host, or move without TLS. If qemu.conf there "
                "names another folder for them, this can be waived.",
                evidence=both(context, path, "nothing there"),
            )
        elif presence is Presence.UNKNOWN:
            yield NotEvaluated(f"whether {there} has {path}", f"Look on {there}: ls -l {path}")
