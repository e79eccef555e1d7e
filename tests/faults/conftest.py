from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.jobs.console import Console
from tests.lab.guest import LabGuest


@pytest.fixture
def guest(console: Console) -> Iterator[LabGuest]:
    """A quiet guest on mercury, for one fault; afterwards nothing is left of either."""
    console.lab.reset()
    made = console.lab.create_guest("mercury", "quiet")
    made.wait_until_answering()
    yield made
    console.lab.reset()
