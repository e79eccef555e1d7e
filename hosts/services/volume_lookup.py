"""Finds stored volumes of many hosts at once, by name or by path, with a number of questions that does not grow with
the hosts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Final, Literal

from django.db.models import Q

from hosts.models import PoolContents, Volume

# In one question: SQLite takes at least 32,766 values, and 1,000 terms deep.
_MOST_VALUES: Final = 8_000
_MOST_TERMS: Final = 250

Field = Literal["name", "path"]
_Term = tuple[tuple[int, ...], list[str]]


@dataclass(frozen=True, slots=True)
class VolumeRow:
    host_id: int
    pool_name: str
    name: str
    path: str
    backing_path: str


class VolumeLookup:
    """Which pools of the hosts were read is asked once; volumes are then found by the key of their pool, because many
    hosts may see the same names."""

    def __init__(self, host_ids: Iterable[int]) -> None:
        rows = PoolContents.objects.filter(host_id__in=list(host_ids))
        self._pools = {
            pk: (host_id, name) for pk, host_id, name in rows.values_list("pk", "host_id", "pool_name")
        }

    def find_on_hosts(self, field: Field, wanted: Mapping[int, set[str]]) -> Iterator[VolumeRow]:
        """`wanted`: by host, in whichever of its pools."""
        pools: dict[int, list[int]] = {}
        for pk, (host_id, _) in self._pools.items():
            pools.setdefault(host_id, []).append(pk)
        return self._find(field, ((tuple(pools.get(pk, ())), texts) for pk, texts in wanted.items()))

    def find_in_pools(self, field: Field, wanted: Mapping[tuple[int, str], set[str]]) -> Iterator[VolumeRow]:
        """`wanted`: by host and name of the pool."""
        keys = {place: pk for pk, place in self._pools.items()}
        places = ((keys[place], texts) for place, texts in wanted.items() if place in keys)
        return self._find(field, (((pk,), texts) for pk, texts in places))

    def _find(self, field: Field, terms: Iterable[tuple[tuple[int, ...], set[str]]]) -> Iterator[VolumeRow]:
        for some in _batches((keys, texts) for keys, texts in terms if keys and texts):
            condition = reduce(
                or_, (Q(contents_id__in=keys, **{f"{field}__in": texts}) for keys, texts in some)
            )
            rows = Volume.objects.filter(condition).order_by()
            for pk, *row in rows.values_list("contents_id", "name", "path", "backing_path"):
                yield VolumeRow(*self._pools[pk], *row)


def _batches(terms: Iterable[tuple[tuple[int, ...], set[str]]]) -> Iterator[list[_Term]]:
    batch: list[_Term] = []
    room = _MOST_VALUES
    for keys, texts in terms:
        ordered = sorted(texts)
        for start in range(0, len(ordered), _MOST_VALUES):
            part = ordered[start : start + _MOST_VALUES]
            if batch and (len(part) > room or len(batch) >= _MOST_TERMS):
                yield batch
                batch, room = [], _MOST_VALUES
            batch.append((keys, part))
            room -= len(part)
    if batch:
        yield batch
