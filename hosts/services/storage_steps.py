"""Brings one pool in line with its template, step by step. What is right already is left alone, so that doing it twice
changes nothing; a dry run goes the same way and only says what it would do.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from hosts.errors import HostError, OperationFailed, Refused
from hosts.facts.pool_secret import PoolSecret, find_pool_secret
from hosts.models import OperationOutcome, StorageOperation
from hosts.ports import Change, HostPort
from hosts.services import storage_live_guard
from hosts.services.pool_plan import PoolPlan, Wanted, plan_pool, tell_differences
from hosts.services.storage_guard import is_confirmed
from hosts.services.storage_kinds import OperationKind, StorageRefused
from hosts.services.storage_watch import Watch
from hosts.storage_ports import SecretOrder

STEPS: Final = ("secret", "define", "stop", "build", "start", "autostart", "refresh")


@dataclass(slots=True)
class Steps:
    """The steps as the row shows them. In a dry run no action is called."""

    watch: Watch
    dry: bool
    rows: list[dict[str, str]] = field(
        default_factory=lambda: [{"step": name, "state": "waiting", "words": ""} for name in STEPS]
    )
    changed: list[str] = field(default_factory=list)

    def skip(self, name: str, words: str) -> None:
        self._set(name, "not-needed", words)

    def do(self, name: str, words: str, act: Callable[[], Change]) -> None:
        """`words`: what it is about to do, as "Start the pool". Raises what `act` raises."""
        if self.dry:
            self._set(name, "would", f"Would {words[0].lower()}{words[1:]}.")
            self.changed.append(name)
            return
        self.watch.look_up()
        self._set(name, "running", f"{words}.")
        try:
            change = act()
        except HostError as error:
            self._set(name, "failed", error.message)
            raise
        self._set(name, "ok" if change.changed else "not-needed", change.says)
        if change.changed:
            self.changed.append(name)

    def _set(self, name: str, state: str, words: str) -> None:
        self.rows[STEPS.index(name)] = {"step": name, "state": state, "words": words}
        self.watch.write_steps(self.rows)


def bring_in_line(operation: StorageOperation, connection: HostPort, watch: Watch) -> Change:
    """Raises HostError, StorageRefused, CancelledByPerson; the steps then say how far it came."""
    given = operation.arguments_data
    wanted = Wanted(operation.pool_name, str(given["xml"]), bool(given["autostart"]))
    reading = connection.storage.find_pool(wanted.pool_name)
    plan = plan_pool(wanted, reading)
    steps = Steps(watch, dry=bool(given.get("dry")))
    if plan.stop and not steps.dry and not is_confirmed(operation):
        storage_live_guard.refuse_used_by_running(operation, connection)
    _place_secret(operation, connection, plan, steps)
    _change_pool(operation, connection, wanted, plan, steps)
    before = {"definition": reading.definition_xml if reading is not None else ""}
    return Change(
        bool(steps.changed), _tell(operation, wanted, steps), before, _after(connection, wanted, steps)
    )


def _change_pool(
    operation: StorageOperation, connection: HostPort, wanted: Wanted, plan: PoolPlan, steps: Steps
) -> None:
    """Defined before it is stopped: a definition that libvirt refuses then leaves the pool as it runs."""
    storage, name = connection.storage, wanted.pool_name
    _define(connection, wanted, plan, steps)
    if plan.stop:
        words = "Stop the pool, which is active as it was defined before" + _hurt(
            operation, connection, steps
        )
        steps.do("stop", words, lambda: storage.stop_pool(name))
    else:
        steps.skip("stop", "It need not be stopped.")
    if plan.build:
        steps.do("build", "Make its folder where it is missing", lambda: storage.build_pool(name))
    else:
        steps.skip("build", _why_not_built(wanted, plan))
    if plan.start:
        steps.do("start", "Start the pool", lambda: storage.start_pool(name))
    else:
        steps.skip("start", "It is active.")
    _set_autostart(connection, wanted, plan, steps)
    if plan.start or not steps.changed:
        steps.skip("refresh", "Starting it reads its volumes." if plan.start else "Nothing was changed.")
    else:
        steps.do("refresh", "Read its volumes anew", lambda: storage.refresh_pool(name))


def _define(connection: HostPort, wanted: Wanted, plan: PoolPlan, steps: Steps) -> None:
    if not plan.define:
        steps.skip("define", "It is defined as the template wants it.")
        return
    words = "Define the pool" if plan.missing else "Define the pool anew"
    changes = f" ({tell_differences(plan.differences)})" if plan.differences else ""
    steps.do("define", words + changes, lambda: connection.storage.define_pool(wanted.xml))


def _set_autostart(connection: HostPort, wanted: Wanted, plan: PoolPlan, steps: Steps) -> None:
    on = wanted.autostart
    if plan.autostart:
        words = "Turn autostart " + ("on" if on else "off")
        steps.do("autostart", words, lambda: connection.storage.set_pool_autostart(wanted.pool_name, on))
    else:
        steps.skip("autostart", f"It is {'on' if on else 'off'}.")


def _why_not_built(wanted: Wanted, plan: PoolPlan) -> str:
    if not plan.start:
        return "It is active."
    return f"Building a {wanted.type} pool writes to devices. If they are new: virsh pool-build {wanted.pool_name}"


def _hurt(operation: StorageOperation, connection: HostPort, steps: Steps) -> str:
    """In a dry run, who would be hurt: the run itself is refused until it is confirmed."""
    if not steps.dry:
        return ""
    try:
        storage_live_guard.refuse_used_by_running(operation, connection)
    except StorageRefused as refused:
        return (
            f" (to be confirmed by the pool's name: {refused.message.removesuffix(' Nothing was changed.')})"
        )
    return ""


def _place_secret(operation: StorageOperation, connection: HostPort, plan: PoolPlan, steps: Steps) -> None:
    """libvirt tells nobody what a private secret holds: it is set whenever it may be another one."""
    secret = find_pool_secret(str(operation.arguments_data["xml"]))
    if secret is None:
        steps.skip("secret", "It needs none.")
        return
    value = _value(operation, secret)
    if not value:
        steps.skip("secret", "The template holds no value: the host must have it already.")
        return
    if not plan.needed and is_placed(operation):
        steps.skip(
            "secret", "This version of the template has set it on this host, and the pool runs with it."
        )
        return
    usage = secret.usage_name or operation.pool_name
    order = SecretOrder(secret.usage_type, usage, secret.secret_uuid, value)
    words = f"Give the host the secret {usage}, if it has not that value"
    steps.do("secret", words, lambda: connection.storage.define_secret(order))
    if steps.dry:
        steps.changed.remove("secret")  # whether it is needed is not known without trying


def is_placed(operation: StorageOperation) -> bool:
    """Whether the last time this template was applied here it was this version of it, and all went well."""
    run = operation.run
    earlier = StorageOperation.objects.filter(
        host_id=operation.host_id, kind=OperationKind.APPLY, run__dry=False, pk__lt=operation.pk,
        run__template_id=run.template_id if run is not None else None,
    ).exclude(ended_at=None)  # fmt: skip
    last = earlier.order_by("-pk").first()
    good = (OperationOutcome.DONE, OperationOutcome.NOT_NEEDED)
    return (
        last is not None
        and last.outcome in good
        and last.arguments_data.get("version") == operation.arguments_data.get("version")
    )


def _value(operation: StorageOperation, secret: PoolSecret) -> bytes:
    """From the template as it is now: orders hold no secrets."""
    template = operation.run.template if operation.run is not None else None
    kept: dict[str, str] = template.secrets if template is not None else {}
    if secret.usage_type == "iscsi":
        return str(kept.get("chap_password", "")).encode()
    try:
        return base64.b64decode(str(kept.get("ceph_key", "")), validate=True)
    except binascii.Error as error:
        raise Refused(
            "The template's Ceph key is not Base64, as `ceph auth get-key` prints it. Nothing was changed.",
            remedy="Enter the key in the template again.",
        ) from error


def _after(connection: HostPort, wanted: Wanted, steps: Steps) -> dict[str, str]:
    """As the host has it now. Raises OperationFailed when that is not what was wanted."""
    reading = connection.storage.find_pool(wanted.pool_name)
    left = plan_pool(wanted, reading)
    if not steps.dry and left.needed:
        what = tell_differences(left.differences) or ("it is not active" if left.start else "autostart")
        raise OperationFailed(
            f"Every step went well, and yet the pool is not as the template wants it: {what}.",
            remedy="Compare the template with what the host can do, then apply it again.",
        )
    return {"definition": reading.definition_xml if reading is not None else ""}


def _tell(operation: StorageOperation, wanted: Wanted, steps: Steps) -> str:
    where = f"{wanted.pool_name} on {operation.host.name}"
    if not steps.changed:
        return f"{where} is as the template wants it. Nothing was changed."
    names = ", ".join(steps.changed)
    if steps.dry:
        return f"{where} differs. Applying the template would do: {names}. Nothing was changed."
    return f"{where} is in line with the template now. Done: {names}."


def tell_done(operation: StorageOperation) -> str:
    """What was changed before it failed: "Done before: define, build." """
    done = [row["step"] for row in operation.steps_data if row["state"] == "ok"]
    return f"Done before that: {', '.join(done)}." if done else ""


def tell_cancelled(operation: StorageOperation) -> str:
    if operation.kind == OperationKind.APPLY:
        return f"It was stopped by request. {tell_done(operation) or 'Nothing was changed.'}"
    if operation.kind == OperationKind.VOLUME_UPLOAD and not operation.arguments_data.get("create"):
        return (
            f"The upload was stopped by request after {operation.done_bytes or 0} of {operation.total_bytes or 0} "
            f"bytes: what {operation.volume_name} holds is no longer whole."
        )
    return "It was stopped by request. Nothing of it is left."
