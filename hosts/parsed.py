"""Stored facts, parsed once per process: a dialog asks for the same ones at every change of an option."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from typing import Any, TypeVar

from hosts.facts.codec import from_data

T = TypeVar("T")
# Some 10 to 50 KiB each; a page of candidates or guests fits, a large site's inventory need not.
MOST_KEPT = 1000

_kept: OrderedDict[tuple[type[Any], bytes], Any] = OrderedDict()
_lock = threading.Lock()


def parse_once(data: Any, kind: type[T]) -> T:
    """`from_data(data, kind)`, kept by content: hashing costs a tenth of parsing. Facts are frozen, so they can be
    shared."""
    key = (kind, hashlib.blake2b(json.dumps(data).encode(), digest_size=16).digest())
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]  # type: ignore[no-any-return]
    facts = from_data(data, kind)
    with _lock:
        _kept[key] = facts
        while len(_kept) > MOST_KEPT:
            _kept.popitem(last=False)
    return facts
