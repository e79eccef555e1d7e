"""Does what the judge allows, one action at a time. What fails is a leftover that is named, never hidden."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from dataclasses import dataclass

from hosts.errors import HostError
from hosts.models import Host
from hosts.ports import GuestPort, HostPort, MigrateFlag
from hosts.services.connections import borrowed
from jobs.engine.judgement import Action
from jobs.engine.plan import Plan
from jobs.models import Migration

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Deed:
    """One action: on which side, what, and the sentence of the timeline. `{host}` and `{guest}` are filled in."""

    on_source: bool
    do: Callable[[GuestPort], None]
    sentence: str


DEEDS: dict[Action, Deed] = {
    Action.UNDEFINE_SOURCE: Deed(True, lambda guest: guest.undefine(), "Removed {guest}'s definition from {host}."),
    Action.DESTROY_SOURCE: Deed(True, lambda guest: guest.destroy(), "Stopped the old half of {guest} on {host}."),
    Action.RESUME_SOURCE: Deed(True, lambda guest: guest.resume(), "Resumed {guest} on {host}."),
    Action.SUSPEND_SOURCE_ALARM: Deed(
        True, lambda guest: guest.suspend(), "{guest} ran on both hosts: paused it on {host} until a person decides."
    ),
    Action.RESUME_DESTINATION: Deed(False, lambda guest: guest.resume(), "Resumed {guest} on {host}."),
    Action.DESTROY_DESTINATION: Deed(
        False, lambda guest: guest.destroy(), "Removed the unfinished copy of {guest} from {host}."
    ),
}  # fmt: skip


def act(migration: Migration, source: Host, destination: Host, plan: Plan, action: Action) -> str:
    """Do one action and return the sentence that says so. Raises HostError when it could not be done."""
    if action is Action.DEFINE_DESTINATION:
        return _define_destination(migration, destination)
    if action is Action.RECOVER_POSTCOPY:
        return _recover_postcopy(migration, source, destination, plan)
    deed = DEEDS[action]
    host = source if deed.on_source else destination
    with borrowed(host) as connection:
        deed.do(get_guest(connection, migration, host))
    return deed.sentence.format(guest=migration.guest_name, host=host.name)


def carry_autostart(migration: Migration, destination: Host) -> str:
    """libvirt does not move the autostart flag; the guest must start with its new host as it did with the old."""
    with borrowed(destination) as connection:
        get_guest(connection, migration, destination).set_autostart(True)
    return f"{migration.guest_name} starts with {destination.name}, as it did with {migration.source_name}."


def end_autostart(migration: Migration, source: Host) -> str:
    """A definition that was kept at the source would start there at its next boot: the guest would run twice.
    The sentence of what was done; "" when the source keeps no definition."""
    with borrowed(source) as connection:
        guest = connection.find_guest(str(migration.domain_uuid))
        if guest is None:
            return ""
        guest.set_autostart(False)
    return f"{migration.guest_name} no longer starts with {source.name}, where its definition is kept."


def get_guest(connection: HostPort, migration: Migration, host: Host) -> GuestPort:
    guest = connection.find_guest(str(migration.domain_uuid))
    if guest is None:
        raise HostError(f"{migration.guest_name} is no longer on {host.name}.")
    return guest


def _define_destination(migration: Migration, destination: Host) -> str:
    """A guest that runs without a definition is lost at its next shutdown: define it as it runs."""
    with borrowed(destination) as connection:
        guest = get_guest(connection, migration, destination)
        connection.define_guest(guest.read_xml(secure=True, inactive=True))
    return f"Defined {migration.guest_name} on {destination.name}, where it ran without a definition."


def _recover_postcopy(migration: Migration, source: Host, destination: Host, plan: Plan) -> str:
    """libvirt.md 1.6: pause the broken post-copy on both sides, then let it go on. Blocks until it has."""
    order = dataclasses.replace(plan.order, flags=plan.order.flags | {MigrateFlag.POSTCOPY_RESUME})
    with borrowed(source) as connection, borrowed(destination) as there:
        guest = get_guest(connection, migration, source)
        guest.abort_job(postcopy=True)
        guest.transfer(order, None if MigrateFlag.PEER2PEER in order.flags else there)
    return f"The broken post-copy of {migration.guest_name} was taken up again and has finished."
