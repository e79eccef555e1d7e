"""Moves with nothing in the way, of every kind: what the preflight calls ready goes."""

from __future__ import annotations

from typing import Any

from tests.jobs.preflight.agreement.bench import Bench
from tests.jobs.preflight.agreement.guests import nic
from tests.jobs.preflight.agreement.scenario import scenario

GROUP = "Nothing in the way"


@scenario(GROUP, "a guest without a disk, on bridge br0")
def nothing_in_the_way(bench: Bench) -> None:
    bench.guest(nic("bridge", "br0"))


@scenario(GROUP, "a paused move, driven by this console")
def paused_by_the_console(bench: Bench) -> dict[str, Any]:
    bench.guest(nic("bridge", "br0"))
    return {"control": "direct", "kind": "non-live"}


@scenario(GROUP, "an offline move of a shut-off guest")
def offline(bench: Bench) -> dict[str, Any]:
    bench.guest(state="shut off")
    return {"kind": "offline"}
