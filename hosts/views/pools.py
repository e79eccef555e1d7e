"""Storage pools of all hosts, those that are the same thing put together."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.conf import settings

from hosts.facts.codec import from_data
from hosts.facts.pool_fill import Fill, judge_fill
from hosts.facts.storage import PoolFacts
from hosts.models import Host

_FILL_CLASSES = {Fill.WARN: "is-high", Fill.ALARM: "is-full"}
_FILL_WORDS = {Fill.WARN: "nearly full", Fill.ALARM: "full"}


@dataclass(slots=True)
class PoolOnHost:
    host: Host
    facts: PoolFacts

    @property
    def used_bytes(self) -> int:
        return max(0, self.facts.capacity_bytes - self.facts.available_bytes)

    @property
    def fill(self) -> Fill:
        return judge_fill(
            self.facts, warn_percent=settings.POOL_WARN_PERCENT, alarm_percent=settings.POOL_ALARM_PERCENT
        )

    @property
    def fill_class(self) -> str:
        return _FILL_CLASSES.get(self.fill, "")

    @property
    def fill_words(self) -> str:
        return _FILL_WORDS.get(self.fill, "")

    @property
    def transient(self) -> bool:
        return not self.facts.persistent


@dataclass(slots=True)
class PoolRow:
    """One pool name; `places` are the hosts that have it."""

    name: str
    places: list[PoolOnHost] = field(default_factory=list)

    @property
    def first(self) -> PoolFacts:
        return self.places[0].facts

    @property
    def shared(self) -> bool:
        """The same network storage behind it on every host that has it."""
        return len(self.places) > 1 and self.first.shared_by_nature and not self.differs

    @property
    def differs(self) -> bool:
        """One name, but not one thing: a guest that moves would find another pool behind it."""
        return len({(place.facts.type, place.facts.source) for place in self.places}) > 1


def read_pools() -> list[PoolRow]:
    """Every pool any host has told of, by name. Reads the pools only, not the whole facts."""
    rows: dict[str, PoolRow] = {}
    for host in Host.objects.defer("credentials", "known_hosts"):
        for data in (host.facts_data or {}).get("pools", ()):
            facts = from_data(data, PoolFacts)
            rows.setdefault(facts.name, PoolRow(facts.name)).places.append(PoolOnHost(host, facts))
    return sorted(rows.values(), key=lambda row: row.name.casefold())


_POOLS_FOUND, _PLACES_FOUND = 3, 5


def find_pools(query: str) -> tuple[list[PoolRow], list[PoolOnHost]]:
    """For the palette: pools of several hosts by name, and single ones by name or by name and host ("vm mercury")."""
    words = query.casefold().split()
    rows = read_pools() if words else []
    places = [place for row in rows for place in row.places if _is_meant(place, words)]
    shared = [row for row in rows if len(row.places) > 1 and query.casefold() in row.name.casefold()]
    return shared[:_POOLS_FOUND], places[:_PLACES_FOUND]


def _is_meant(place: PoolOnHost, words: list[str]) -> bool:
    pool, host = place.facts.name.casefold(), place.host.name.casefold()
    return all(word in f"{pool} {host}" for word in words) and any(word in pool for word in words)
