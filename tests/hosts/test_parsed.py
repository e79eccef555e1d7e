"""Stored facts are parsed once, and never the wrong ones."""

from __future__ import annotations

from hosts import parsed
from hosts.facts.codec import to_data
from hosts.facts.host import HostFacts
from tests.jobs.builders import host_facts


def test_same_content_is_parsed_once() -> None:
    data = to_data(host_facts("mercury"))
    assert parsed.parse_once(data, HostFacts) is parsed.parse_once(dict(data), HostFacts)


def test_changed_content_is_parsed_anew() -> None:
    data = to_data(host_facts("mercury"))
    first = parsed.parse_once(data, HostFacts)
    again = parsed.parse_once(data | {"memory_free_bytes": 1}, HostFacts)
    assert (first.memory_free_bytes, again.memory_free_bytes) != (1, first.memory_free_bytes)
    assert again.memory_free_bytes == 1


def test_no_more_is_kept_than_promised() -> None:
    for number in range(parsed.MOST_KEPT + 5):
        parsed.parse_once(to_data(host_facts(f"h{number}")), HostFacts)
    assert len(parsed._kept) == parsed.MOST_KEPT
