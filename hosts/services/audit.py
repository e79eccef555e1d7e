"""Who changed what. One entry per action, written when its outcome is known; nothing here is ever changed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Literal

from hosts.models import AuditEntry

log = logging.getLogger(__name__)
Outcome = Literal["done", "refused", "failed", "unknown"]


def record_action(
    actor: Any,
    action: str,
    object_name: str,
    sentence: str,
    *,
    outcome: Outcome = "done",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """`actor` None: the command line. `before` and `after` hold no secrets."""
    name = actor.get_username() if actor is not None else "command line"
    log.info("%s: %s (%s)", name, sentence, outcome)
    return AuditEntry.objects.create(
        actor=actor, actor_name=name, action=action, object_name=object_name[:300], sentence=sentence,
        before_data=dict(before or {}), after_data=dict(after or {}), outcome=outcome,
    )  # fmt: skip
