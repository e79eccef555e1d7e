"""How fast the guest changes its memory, against how fast it can be sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from jobs.options import Kind
from jobs.preflight.context import PreflightContext
from jobs.preflight.findings import Severity
from jobs.preflight.registry import Said, check
from jobs.preflight.say import guest, warning

# A link that the changes alone fill to this part leaves too little for the rest to be sent in any useful time.
# Measured: 8.7 MB/s of changes on a link of 8.4 MB/s went round 31 times without end.
FULL: Final = 0.8


@check(
    "load.heavy-writer",
    title="The link carries more than the guest changes in its memory",
    source="SUSE virtualization guide; measured: such a move goes on without end",
    waivable=True,
    severities=(Severity.WARNING,),
    unevaluated=Severity.INFO,
    help_desk="The move may take long or not come to an end by itself. It can be cancelled at any time.",
)
def check_heavy_writer(context: PreflightContext) -> Iterator[Said]:
    """Silent where nobody has measured the guest, or where nothing says how fast the link is: that is no fault of
    either, and a paused move or post-copy ends whatever the guest does."""
    options = context.options
    if options.kind is not Kind.LIVE or options.auto_converge or options.postcopy:
        return
    link, rate = _link_mib_per_s(context), _dirty_mib_per_s(context)
    if link is None or rate is None or rate < link * FULL:
        return
    yield warning(
        guest(context),
        f"The guest changes {rate} MiB of its memory each second, the link carries {link} MiB: a live move may never "
        "come to an end.",
        "Let the guest be slowed down (auto-converge), finish by post-copy, move it paused, or allow more bandwidth.",
        evidence=((context.source.name, f"{rate} MiB/s changed"), ("link", f"{link} MiB/s")),
    )


def _link_mib_per_s(context: PreflightContext) -> int | None:
    """The narrowest of what was asked for and what the hosts are capped to; 0 is libvirt's word for no limit."""
    limits = (
        context.options.bandwidth_mib_per_s,
        context.source.bandwidth_cap_mib_per_s,
        context.destination.bandwidth_cap_mib_per_s,
    )
    return min((limit for limit in limits if limit), default=None)


def _dirty_mib_per_s(context: PreflightContext) -> int | None:
    text = context.guest.extra.get("dirty_rate_mib_per_s", "")
    return int(text) if text.isascii() and text.isdigit() else None
