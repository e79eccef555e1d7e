"""One module per concern, in the order of the table."""

from __future__ import annotations

import importlib
from typing import Final

from tests.jobs.preflight.agreement.scenario import SCENARIOS, Scenario

MODULES: Final = (
    "plain", "names", "cpu", "storage", "copies", "media", "network", "devices", "consoles", "state", "hosts",
)  # fmt: skip


def list_scenarios() -> tuple[Scenario, ...]:
    for module in MODULES:
        importlib.import_module(f"{__name__}.{module}")
    return tuple(SCENARIOS.values())
