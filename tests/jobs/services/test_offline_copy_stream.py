"""The threads of a copy: what ends them, and what is left when one does not end."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from hosts.errors import HostError, OutcomeUnknown
from jobs.services import offline_copy_stream
from jobs.services.offline_copy_stream import Crew
from jobs.services.offline_copy_watch import CopyCancelled
from tests.waiting import wait_until


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """What a stream waits for that does not end."""
    monkeypatch.setattr(offline_copy_stream, "ENDS_WITHIN_S", 0.2)
    event = threading.Event()
    yield event
    event.set()
    names = lambda: [thread.name for thread in threading.enumerate()]  # noqa: E731
    wait_until(lambda: "copy" not in names(), 5, "the thread ends with what held it")


def cancelled() -> None:
    raise CopyCancelled


def test_first_error_of_a_thread_ends_the_others_and_is_told() -> None:
    def fail() -> None:
        raise HostError("the first")

    crew = Crew(lambda: None)
    with pytest.raises(HostError, match="the first"):
        crew.run(fail, lambda: crew.wait(60))


def test_stream_that_does_not_end_holds_no_worker_and_its_connection_is_given_to_nobody(
    held: threading.Event,
) -> None:
    with pytest.raises(OutcomeUnknown, match="does not end its stream") as caught:
        Crew(cancelled).run(held.wait)
    assert isinstance(caught.value.__context__, CopyCancelled), "it is known that somebody wanted it"


def test_stale_worker_stops_at_once_where_its_streams_end() -> None:
    crew = Crew(cancelled)
    with pytest.raises(CopyCancelled):
        crew.run(lambda: crew.wait(60))
