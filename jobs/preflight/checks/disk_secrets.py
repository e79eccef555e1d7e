"""Secrets that disks need to be opened: libvirt never sends them along."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from hosts.facts.domain import SecretUse
from hosts.facts.host import HostFacts
from jobs.preflight.arriving import arriving_facts
from jobs.preflight.by_hand import anywhere
from jobs.preflight.context import HostSide, PreflightContext
from jobs.preflight.findings import Commands, Severity
from jobs.preflight.registry import NotEvaluated, Said, check
from jobs.preflight.say import graded, require_read, sends_memory

# <secret type=…> of a disk → usage type of the secret. Source: libvirt's formatsecret.
USAGE_TYPES = {"ceph": "ceph", "iscsi": "iscsi", "passphrase": "volume"}


@check(
    "disk.encryption-secret",
    title="The destination knows the secrets that the guest's disks need",
    source="measured: “Secret not found” (code 66) when the guest is started at the destination",
    waivable=True,
    severities=(Severity.BLOCKER, Severity.WARNING),
)
def check_secrets(context: PreflightContext) -> Iterator[Said]:
    """That the secret has the same value there nobody can ask. Offline it is a warning: the guest will not start."""
    wanted = {use: disk.target for disk in arriving_facts(context).disks for use in disk.secrets}
    if not wanted:
        return
    facts, there = require_read(context.destination, "secrets"), context.destination.name
    for use, target in wanted.items():
        if not _known(facts, use, there):
            yield graded(
                sends_memory(context),
                f"disk {target}",
                f"{target} needs the secret {use.secret_uuid or use.usage}, which {there} does not know.",
                f"Define it on {there} with the same {'UUID' if use.secret_uuid else 'usage'}, and give it its value.",
                evidence=(
                    (context.source.name, f"{use.type} {use.secret_uuid or use.usage}"),
                    (there, "unknown"),
                ),
                commands=_copy_by_hand(context, use),
            )


def _known(facts: HostFacts, use: SecretUse, host: str) -> bool:
    if facts.secrets is None:
        raise NotEvaluated(f"which secrets {host} knows", f"Refresh {host}.")
    if use.secret_uuid:
        return any(secret.secret_uuid == use.secret_uuid for secret in facts.secrets)
    kind = USAGE_TYPES.get(use.type, use.type)
    return any((secret.usage_type, secret.usage) == (kind, use.usage) for secret in facts.secrets)


def _copy_by_hand(context: PreflightContext, use: SecretUse) -> tuple[Commands, ...]:
    """The value is typed at a prompt, so that it is in no history of commands."""
    uuid = use.secret_uuid or _uuid_at(context.source, use)
    if not uuid:
        return ()
    file = shlex.quote(f"/root/secret-{uuid}.xml")
    source, name = shlex.quote(uuid), shlex.quote(context.source.name)
    return (
        *anywhere(context.source, f"virsh secret-dumpxml {source} > {file}"),
        *anywhere(
            context.destination,
            f"scp root@{name}:{file} {file}",
            f"virsh secret-define {file}",
            f"virsh secret-set-value {source} --interactive",
        ),
    )


def _uuid_at(side: HostSide, use: SecretUse) -> str:
    known = side.facts.secrets if side.facts is not None else None
    kind = USAGE_TYPES.get(use.type, use.type)
    found = (
        secret.secret_uuid for secret in known or () if (secret.usage_type, secret.usage) == (kind, use.usage)
    )
    return next(found, "")
