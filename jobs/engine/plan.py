"""The plan: exactly what will be asked of libvirt, frozen, so that an approval can be given to its digest.
Pure."""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hosts.facts.domain import DomainState, GuestReading
from hosts.ports import MigrateFlag, TransferOrder
from jobs.engine.defaults import effective_options
from jobs.engine.destination_xml import ListenRewrite, Rewrites, plan_listen_rewrites, render_destination_xml
from jobs.engine.order import build_order
from jobs.engine.storage_map import DiskRewrite, plan_disk_rewrites, plan_volumes
from jobs.engine.virsh_line import render_carrying_lines, render_virsh_line, render_volume_line
from jobs.engine.volumes import PlannedVolume
from jobs.options import Control, Kind, MoveOptions, Storage, dump_options, parse_options
from jobs.preflight.context import PreflightContext
from jobs.preflight.disks import LockClass, classify_lock, copied_disks

PLAN_VERSION: Final = 1


class SwitchOver(enum.StrEnum):
    """What keeps the guest from running on both hosts when the link breaks at the switch-over."""

    IMAGE_LOCK = "image-lock"  # QEMU's own lock on every written disk
    ARRIVE_PAUSED = "arrive-paused"  # it arrives paused; resumed only after libvirt reported success
    GUARD = (
        "guard"  # post-copy cannot arrive paused: the source is destroyed once the destination has taken over
    )
    NONE_NEEDED = "none-needed"  # nothing runs: an offline move


class Expected(enum.StrEnum):
    RUNNING = "running"
    PAUSED = "paused"
    SHUT_OFF = "shut off"


@dataclass(frozen=True, slots=True)
class PlannedDisk:
    target: str
    source: str  # path, network source or pool/volume
    copied: bool
    lock: LockClass


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything about one move that does not change between approval and transfer. Holds no secrets."""

    version: int
    domain_uuid: str
    guest_name: str
    definition_digest: str
    source: str
    destination: str
    peer_address: str
    options: MoveOptions  # as asked for
    order: TransferOrder  # what libvirt is asked; XML is added by complete_order at the last moment
    virsh_line: str
    disks: tuple[PlannedDisk, ...]
    switch_over: SwitchOver
    expected: Expected
    was_paused: bool
    undefine_source: bool  # by this product, after the guest was seen at the destination
    destination_defined_before: bool | None  # None: not known
    listen_rewrites: tuple[ListenRewrite, ...] = ()
    volumes: tuple[PlannedVolume, ...] = ()  # prepared at the destination before libvirt is asked
    disk_rewrites: tuple[DiskRewrite, ...] = ()

    @property
    def arrive_paused(self) -> bool:
        """The destination must be resumed by us, after libvirt reported success."""
        return self.switch_over is SwitchOver.ARRIVE_PAUSED and self.expected is Expected.RUNNING

    @property
    def digest(self) -> str:
        """sha256 over the canonical JSON of the whole plan."""
        return _digest(dump_plan(self))


def build_plan(context: PreflightContext, *, source_uri: str, destination_uri: str) -> Plan:
    """The plan for the facts and options of `context`.

    The addresses are this console's; they appear in the virsh line only. Does not judge whether the move is
    wise: that is preflight's part.
    """
    guest = context.guest
    options = effective_options(context)
    disks = _plan_disks(context)
    switch_over = _choose_switch_over(options, disks)
    peer = context.peer_address or destination_uri
    volumes, disk_rewrites = plan_volumes(context), plan_disk_rewrites(context)
    seen_from_coordinator = destination_uri if options.control is Control.DIRECT else peer
    return Plan(
        version=PLAN_VERSION,
        domain_uuid=guest.domain_uuid,
        guest_name=guest.name,
        definition_digest=digest_definition(guest),
        source=context.source.name,
        destination=context.destination.name,
        peer_address=peer,
        options=context.options,
        order=build_order(
            guest.domain_uuid, options, peer, arrive_paused=switch_over is SwitchOver.ARRIVE_PAUSED
        ),
        virsh_line=_render_lines(context, (source_uri, destination_uri, seen_from_coordinator), options),
        disks=disks,
        switch_over=switch_over,
        expected=_expect(context),
        was_paused=guest.status.state is DomainState.PAUSED,
        undefine_source=options.undefine_source and guest.status.persistent,
        destination_defined_before=_is_defined_there(context),
        listen_rewrites=plan_listen_rewrites(guest.facts, options, context.destination.migration_address),
        volumes=volumes,
        disk_rewrites=disk_rewrites,
    )


def _render_lines(context: PreflightContext, uris: tuple[str, str, str], options: MoveOptions) -> str:
    """The line, after those that make what libvirt does not make by itself."""
    source_uri, destination_uri, peer = uris
    name = virsh_name(context.guest)
    changed = {rewrite.target for rewrite in plan_disk_rewrites(context) if rewrite.type}
    move = render_virsh_line(name, source_uri, peer, options, changed=bool(changed))
    if options.kind is Kind.OFFLINE:
        return "\n".join([*_carry_files(context, uris), move])
    lines = [
        render_volume_line(destination_uri, volume)
        for volume in plan_volumes(context)
        if not volume.reuse and _virsh_must_make(options, volume, volume.target in changed)
    ]
    return "\n".join([*lines, move])


def _carry_files(context: PreflightContext, uris: tuple[str, str, str]) -> Iterator[str]:
    """Of a guest that is shut off libvirt itself carries no file. Those in no pool virsh cannot reach by a name."""
    source_uri, destination_uri, _ = uris
    for volume in plan_volumes(context):
        if volume.pool and not volume.reuse:
            yield from render_carrying_lines(source_uri, destination_uri, volume)


def _virsh_must_make(options: MoveOptions, volume: PlannedVolume, moved_elsewhere: bool) -> bool:
    """libvirt makes whole copies in a pool of the same folder, no others."""
    if not volume.capacity_bytes:
        return False
    return moved_elsewhere or options.storage is Storage.COPY_INCREMENTAL


def complete_order(plan: Plan, *, live_xml: str, inactive_xml: str) -> TransferOrder:
    """The order as it is sent, with the destination's XML where the plan changes it.

    `live_xml` is read with MIGRATABLE and SECURE, `inactive_xml` with INACTIVE and SECURE, just before the
    transfer: XML without SECURE would lose the passwords of VNC and SPICE. The result holds secrets and is
    never stored.
    """
    rewrites = Rewrites(plan.listen_rewrites, plan.disk_rewrites)
    changed = render_destination_xml(plan.options, rewrites, live_xml, inactive_xml)
    if changed is None:
        return plan.order
    extra: dict[str, int | str | tuple[str, ...]] = {"destination_xml": changed.live}
    if plan.options.persistent:
        extra["persistent_xml"] = changed.persistent
    return dataclasses.replace(plan.order, parameters={**plan.order.parameters, **extra})


def digest_definition(guest: GuestReading) -> str:
    """What was approved: the persistent definition and the live devices, without what changes at each
    start."""
    facts = dataclasses.asdict(guest.facts)
    for nic in facts["nics"]:
        nic["target"] = ""
    facts.pop("devices", None)  # their live XML carries process ids and allocated addresses
    return _digest({"definition": guest.inactive_xml, "facts": facts})


def virsh_name(guest: GuestReading) -> str:
    """How virsh is told the guest: its name, unless virsh would take the name for an id."""
    return guest.domain_uuid if guest.name.isascii() and guest.name.isdigit() else guest.name


def dump_plan(plan: Plan) -> dict[str, Any]:
    """JSON-ready; load_plan takes it back unchanged."""
    data = {field.name: getattr(plan, field.name) for field in dataclasses.fields(plan)}
    data["options"] = dump_options(plan.options)
    data["order"] = dump_order(plan.order)
    data["disks"] = [dataclasses.asdict(disk) for disk in plan.disks]
    for field in ("listen_rewrites", "volumes", "disk_rewrites"):
        data[field] = [dataclasses.asdict(item) for item in getattr(plan, field)]
    return data


def load_plan(data: Mapping[str, Any]) -> Plan:
    """Raises KeyError, TypeError or ValueError for data of another version."""
    if data["version"] != PLAN_VERSION:
        raise ValueError(f"This plan is of version {data['version']}; make a new one.")
    values = dict(data)
    values["options"] = parse_options(data["options"])
    values["order"] = load_order(data["order"])
    values["disks"] = tuple(
        PlannedDisk(**{**disk, "lock": LockClass(disk["lock"])}) for disk in data["disks"]
    )
    values["listen_rewrites"] = tuple(ListenRewrite(**rewrite) for rewrite in data["listen_rewrites"])
    values["volumes"] = tuple(PlannedVolume(**volume) for volume in data.get("volumes", ()))
    values["disk_rewrites"] = tuple(DiskRewrite(**rewrite) for rewrite in data.get("disk_rewrites", ()))
    values["switch_over"] = SwitchOver(data["switch_over"])
    values["expected"] = Expected(data["expected"])
    return Plan(**values)


def dump_order(order: TransferOrder) -> dict[str, Any]:
    parameters = {
        name: list(value) if isinstance(value, tuple) else value for name, value in order.parameters.items()
    }
    return {
        "domain_uuid": order.domain_uuid,
        "flags": sorted(flag.value for flag in order.flags),
        "parameters": dict(sorted(parameters.items())),
        "destination_uri": order.destination_uri,
    }


def load_order(data: Mapping[str, Any]) -> TransferOrder:
    parameters = {
        name: tuple(value) if isinstance(value, list) else value for name, value in data["parameters"].items()
    }
    flags = frozenset(MigrateFlag(flag) for flag in data["flags"])
    return TransferOrder(data["domain_uuid"], flags, parameters, data["destination_uri"])


def _plan_disks(context: PreflightContext) -> tuple[PlannedDisk, ...]:
    facts = context.guest.facts
    copied = {disk.target for disk in copied_disks(facts, context.options)}
    return tuple(
        PlannedDisk(
            target=disk.target,
            source=disk.source_path or disk.network_source or f"{disk.pool}/{disk.volume}",
            copied=disk.target in copied,
            lock=classify_lock(context, disk, disk.target in copied),
        )
        for disk in facts.disks
        if not disk.empty
    )


def _choose_switch_over(options: MoveOptions, disks: tuple[PlannedDisk, ...]) -> SwitchOver:
    if options.kind is Kind.OFFLINE:
        return SwitchOver.NONE_NEEDED
    locks = {disk.lock for disk in disks} - {LockClass.NOT_WRITTEN}
    if locks == {LockClass.LOCKED}:
        return SwitchOver.IMAGE_LOCK
    # libvirt refuses PAUSED together with POSTCOPY (code 74).
    return SwitchOver.GUARD if options.postcopy else SwitchOver.ARRIVE_PAUSED


def _expect(context: PreflightContext) -> Expected:
    if context.options.kind is Kind.OFFLINE:
        return Expected.SHUT_OFF
    stays_paused = context.options.suspend or context.guest.status.state is DomainState.PAUSED
    return Expected.PAUSED if stays_paused else Expected.RUNNING


def _is_defined_there(context: PreflightContext) -> bool | None:
    if context.neighbours is None:
        return None
    return any(neighbour.domain_uuid == context.guest.domain_uuid for neighbour in context.neighbours)


def _digest(data: object) -> str:
    text = json.dumps(data, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
