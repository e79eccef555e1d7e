"""What a worker does with a remedy: claim it, find it still needed, do it, say what came of it, check again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from django.utils import timezone

from hosts.errors import HostError, HostUnreachable, OutcomeUnknown, Refused
from hosts.ports import Change
from hosts.services import remedies as hosts_remedies
from jobs.models import Remedy, RemedyOutcome
from jobs.preflight.findings import FixKind
from jobs.services import preflight
from jobs.services.remedies import Wish, end_remedy, find_offer, read_options

log = logging.getLogger(__name__)

Arguments = dict[str, str]


def run(remedy_id: int) -> None:
    """Do it once. A second delivery finds it claimed."""
    remedy = _claim(remedy_id)
    if remedy is None:
        return
    try:
        _do(remedy)
    except Exception as error:
        log.exception("%s failed in a way nobody foresaw.", remedy)
        end_remedy(
            remedy,
            RemedyOutcome.UNKNOWN,
            f"The product failed itself ({type(error).__name__}); what became of it is not known.",
            f"{remedy.host.name} is read again. Report this, with the workers' log.",
        )
    _check_again(remedy)


def _claim(remedy_id: int) -> Remedy | None:
    now = timezone.now()
    if not Remedy.objects.filter(pk=remedy_id, claimed_at=None, ended_at=None).update(claimed_at=now):
        return None
    return Remedy.objects.select_related("guest__host", "destination", "host", "asked_by").get(pk=remedy_id)


def _do(remedy: Remedy) -> None:
    evaluation = preflight.evaluate(remedy.guest, remedy.destination, read_options(remedy))
    wish = Wish(remedy.check_id, remedy.subject, remedy.fix_kind, remedy.fix_digest)
    offer = find_offer(evaluation, wish)
    if offer is None:
        words = "This is not needed any more: the check no longer asks for it. Nothing was changed."
        end_remedy(remedy, RemedyOutcome.NOT_NEEDED, words)
        return
    try:
        change = _ACTIONS[offer.fix.kind](remedy, dict(offer.fix.arguments))
    except HostError as error:
        _tell_failure(remedy, error)
    else:
        outcome = RemedyOutcome.DONE if change.changed else RemedyOutcome.NOT_NEEDED
        end_remedy(remedy, outcome, change.says, before=change.before, after=change.after)


def _tell_failure(remedy: Remedy, error: HostError) -> None:
    """Unreachable means before anything was changed: who is lost later raises OutcomeUnknown."""
    words = error.message
    if isinstance(error, HostUnreachable):
        outcome = RemedyOutcome.FAILED
        words += "" if "Nothing was changed" in words else " Nothing was changed."
    elif isinstance(error, OutcomeUnknown):
        outcome = RemedyOutcome.UNKNOWN
    else:
        outcome = RemedyOutcome.REFUSED if isinstance(error, Refused) else RemedyOutcome.FAILED
    end_remedy(
        remedy,
        outcome,
        words,
        error.remedy,
        after={"libvirt": error.libvirt_text} if error.libvirt_text else None,
    )


def _check_again(remedy: Remedy) -> None:
    """Fresh readings; every open page finds its findings anew from them."""
    try:
        hosts_remedies.read_again(remedy.guest, remedy.destination, remedy.host)
    finally:
        Remedy.objects.filter(pk=remedy.pk).update(checked_at=timezone.now())


def _eject_media(remedy: Remedy, arguments: Arguments) -> Change:
    return hosts_remedies.eject_media(remedy.guest, arguments["target"])


def _set_cache_none(remedy: Remedy, arguments: Arguments) -> Change:
    return hosts_remedies.set_cache_none(remedy.guest, arguments["target"])


def _start_pool(remedy: Remedy, arguments: Arguments) -> Change:
    return hosts_remedies.start_pool(remedy.host, arguments["pool"])


def _create_pool(remedy: Remedy, arguments: Arguments) -> Change:
    return hosts_remedies.create_pool(remedy.guest.host, remedy.destination, arguments["pool"])


def _create_volume(remedy: Remedy, arguments: Arguments) -> Change:
    return hosts_remedies.create_volume(
        remedy.host, arguments["pool"], arguments["volume"],
        format_name=arguments["format"], capacity_bytes=int(arguments["capacity_bytes"]),
    )  # fmt: skip


def _start_network(remedy: Remedy, arguments: Arguments) -> Change:
    return hosts_remedies.start_network(remedy.host, arguments["network"])


def _accept_host_key(remedy: Remedy, arguments: Arguments) -> Change:
    return hosts_remedies.accept_host_key(remedy.host, remedy.destination)


_ACTIONS: Final[dict[FixKind, Callable[[Remedy, Arguments], Change]]] = {
    FixKind.EJECT_MEDIA: _eject_media,
    FixKind.CACHE_NONE: _set_cache_none,
    FixKind.START_POOL: _start_pool,
    FixKind.CREATE_POOL: _create_pool,
    FixKind.CREATE_VOLUME: _create_volume,
    FixKind.START_NETWORK: _start_network,
    FixKind.ACCEPT_HOST_KEY: _accept_host_key,
}
