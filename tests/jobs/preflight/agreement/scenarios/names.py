"""Names and UUIDs that are taken at the destination."""

from __future__ import annotations

from typing import Any

from tests.jobs.preflight.agreement.bench import NAME, Bench
from tests.jobs.preflight.agreement.scenario import scenario

GROUP = "Names"


@scenario(GROUP, "a running guest of this name is there", "name.running-clash")
def name_of_running_guest(bench: Bench) -> None:
    bench.guest()
    bench.other_guest(bench.destination, NAME, state="running")


@scenario(GROUP, "a paused guest of this name is there", "name.running-clash")
def name_of_paused_guest(bench: Bench) -> None:
    bench.guest()
    bench.other_guest(bench.destination, NAME, state="paused")


@scenario(GROUP, "a shut-off guest of this name, with another UUID, is there", "name.shutoff-clash")
def name_of_shut_off_guest(bench: Bench) -> None:
    bench.guest()
    bench.other_guest(bench.destination, NAME)


@scenario(GROUP, "a shut-off definition of this very guest is there", "name.shutoff-clash")
def definition_of_same_guest(bench: Bench) -> None:
    bench.guest()
    bench.other_guest(bench.destination, NAME, bench.uuid)


@scenario(GROUP, "a shut-off guest with this UUID and another name is there", "name.uuid-clash")
def uuid_under_another_name(bench: Bench) -> None:
    bench.guest()
    bench.other_guest(bench.destination, "namesake", bench.uuid)


@scenario(GROUP, "this very guest runs there too", "name.running-clash")
def same_guest_runs_there(bench: Bench) -> None:
    bench.guest()
    bench.other_guest(bench.destination, NAME, bench.uuid, state="running")


@scenario(GROUP, "the name is taken there, and the guest gets another one")
def renamed_at_the_destination(bench: Bench) -> dict[str, Any]:
    bench.guest()
    bench.other_guest(bench.destination, NAME)
    return {"destination_name": "traveller-2"}
