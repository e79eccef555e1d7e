"""The guest as the destination is given it. Pure."""

from __future__ import annotations

from functools import lru_cache

from hosts.facts.domain import DomainFacts, parse_domain
from jobs.preflight.context import PreflightContext


def arriving_facts(context: PreflightContext) -> DomainFacts:
    """As at the source unless a changed definition goes with the move.

    Of a changed one that is no domain kind.options speaks."""
    xml = context.options.destination_xml
    return (_parsed(xml) if xml else None) or context.guest.facts


@lru_cache(maxsize=64)
def _parsed(xml: str) -> DomainFacts | None:
    try:
        return parse_domain(xml)
    except ValueError:
        return None
