"""Which options exclude, need or contradict each other. Pure.

Knows no host: what hosts can do is preflight's part.

Sources: virsh's own VSH_REQUIRE and VSH_EXCLUSIVE checks, qemuMigrationSrcBeginPhase,
qemuMigrationDstPrepareAny and qemuMigrationParamsFromFlags of libvirt 9.0, migrate_caps_check of QEMU 7.2,
and what libvirt was measured to ignore silently.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from jobs.options.model import Kind, MoveOptions, Storage, TimeoutAction
from jobs.options.rule import (
    OptionProblem,
    Rule,
    copies,
    excludes,
    needs,
    needs_copy,
    not_tunnelled,
    tunnelled,
)
from jobs.options.shape import Option, Value
from jobs.options.storage_rules import STORAGE_RULES
from jobs.options.table import COMPRESSION_METHODS, OPTIONS
from jobs.options.texts import find_text_problem

KIND_WORDS: Final = {
    Kind.LIVE: "a live move",
    Kind.NON_LIVE: "a paused move",
    Kind.OFFLINE: "an offline move",
}

# Two rules have checks of their own in the catalogue; kind.options leaves them to those.
OFFLINE_NEEDS_PERSISTENT: Final = "offline-needs-persistent"
REMOVE_SOURCE_DISKS: Final = "remove-source-disks"
UNDEFINE_WITHOUT_PERSISTENT: Final = "undefine-without-persistent"


# Many candidates are judged with the same options, by several checks each.
@lru_cache(maxsize=256)
def check_options(options: MoveOptions, guest_name: str = "") -> tuple[OptionProblem, ...]:
    """All problems at once, none when the options can be asked of libvirt together.

    `guest_name` is compared with `confirmed_name`; without it nothing counts as confirmed.
    """
    return (
        *_check_values(options),
        *_check_kind(options),
        *(rule.problem for rule in RULES if rule.broken(options)),
        *_check_confirmation(options, guest_name),
    )


def is_confirmed(options: MoveOptions, guest_name: str) -> bool:
    """Somebody typed the guest's name, knowing what a dangerous choice does."""
    return bool(guest_name) and options.confirmed_name == guest_name


def may_overwrite(options: MoveOptions, guest_name: str) -> bool:
    """What lies at the place of a copy may be written over. A name typed for the removal of the source's disks says
    nothing about those of the destination."""
    return options.reuse_volumes or (not options.remove_source_disks and is_confirmed(options, guest_name))


def _check_values(options: MoveOptions) -> Iterator[OptionProblem]:
    for option in OPTIONS:
        value = getattr(options, option.field)
        message = _find_value_problem(option, value)
        if message:
            yield OptionProblem("value", (option.field,), f"{option.label}: {message}", "Correct the value.")


def _find_value_problem(option: Option, value: object) -> str:
    if isinstance(value, int) and option.value is Value.NUMBER:
        return _find_range_problem(option, value)
    if isinstance(value, str) and value and option.value in {Value.TEXT, Value.XML}:
        return find_text_problem(option.field, value)
    if isinstance(value, tuple):
        return _find_names_problem(option, value)
    return ""


def _find_range_problem(option: Option, value: int) -> str:
    if option.minimum is not None and value < option.minimum:
        return f"must be at least {option.minimum} {option.unit}".rstrip() + "."
    if option.maximum is not None and value > option.maximum:
        return f"must be at most {option.maximum} {option.unit}".rstrip() + "."
    return ""


def _find_names_problem(option: Option, names: tuple[str, ...]) -> str:
    if len(set(names)) != len(names):
        return "the same name is there twice."
    known = COMPRESSION_METHODS if option.field == "compression_methods" else None
    for name in names:
        if known and name not in known:
            return f"“{name}” is not one of {', '.join(known)}."
        if message := find_text_problem(option.field, name):
            return message
    return ""


def _check_kind(options: MoveOptions) -> Iterator[OptionProblem]:
    """Options that mean nothing to the chosen kind are refused, not dropped: a person relied on them."""
    untouched = MoveOptions()
    for option in OPTIONS:
        unchanged = getattr(options, option.field) == getattr(untouched, option.field)
        if options.kind in option.kinds or unchanged or option.field == "timeout_action":
            continue
        yield OptionProblem(
            "not-of-this-kind",
            (option.field, "kind"),
            f"“{option.label}” has no meaning in {KIND_WORDS[options.kind]}.",
            "Take it away or choose another kind of move.",
        )


def _check_confirmation(options: MoveOptions, guest_name: str) -> Iterator[OptionProblem]:
    if options.undefine_source and not options.persistent and not is_confirmed(options, guest_name):
        yield OptionProblem(
            UNDEFINE_WITHOUT_PERSISTENT,
            ("persistent", "undefine_source", "confirmed_name"),
            "The guest would be defined nowhere: it is lost as soon as it stops.",
            "Keep it defined at the destination or at the source, or confirm with the guest's name.",
        )

    if options.remove_source_disks and not is_confirmed(options, guest_name):
        yield OptionProblem(
            REMOVE_SOURCE_DISKS,
            ("remove_source_disks", "confirmed_name"),
            "After the move the disks are removed from the source; the copies are then the only ones.",
            "Confirm with the guest's name, or keep the source's disks.",
        )


def _mt_tuned(options: MoveOptions) -> bool:
    values = (options.compression_mt_level, options.compression_mt_threads, options.compression_mt_dthreads)
    return any(value is not None for value in values)


RULES: Final[tuple[Rule, ...]] = (
    *STORAGE_RULES,
    Rule(
        OFFLINE_NEEDS_PERSISTENT,
        ("persistent", "kind"),
        lambda options: options.kind is Kind.OFFLINE and not options.persistent,
        "An offline move sends the definition and nothing else, so it must be kept at the destination.",
        "Keep it defined at the destination.",
    ),
    Rule(
        "offline-not-tunnelled",
        ("control", "kind"),
        lambda options: options.kind is Kind.OFFLINE and tunnelled(options),
        "An offline move sends no memory, so there is nothing to tunnel.",
        "Choose peer to peer.",
    ),
    not_tunnelled("storage", "Copy disks", Storage.SHARED),
    not_tunnelled("parallel", "Several connections", False),
    not_tunnelled("postcopy", "Allow post-copy", False),
    not_tunnelled("tls", "Encrypt the transfer", False),
    not_tunnelled("migrate_uri", "Migration address", ""),
    not_tunnelled("listen_address", "Listen address", ""),
    not_tunnelled("disks_uri", "Address for disks", ""),
    not_tunnelled("disks_port", "Port for disks", None),
    needs_copy("synchronous_writes", "Write to both sides while copying"),
    needs_copy("migrate_disks", "Disks to copy"),
    needs_copy("disks_uri", "Address for disks"),
    needs_copy("disks_port", "Port for disks"),
    excludes(
        "disks-uri-or-port",
        ("disks_uri", "disks_port"),
        lambda options: bool(options.disks_uri) and options.disks_port is not None,
        "The address for disks already says the port.",
    ),
    Rule(
        "unix-needs-unix-for-disks",
        ("disks_uri", "migrate_uri"),
        lambda options: copies(options) and _is_unix(options.migrate_uri) and not _is_unix(options.disks_uri),
        "When memory goes through a UNIX socket, disks must have one of their own.",
        "Give the address for disks as unix:///path.",
    ),
    excludes(
        "unix-excludes-listen-address",
        ("listen_address", "migrate_uri"),
        lambda options: _is_unix(options.migrate_uri) and bool(options.listen_address),
        "A UNIX socket has no listen address.",
    ),
    Rule(
        "pin-needs-rdma",
        ("rdma_pin_all", "migrate_uri"),
        lambda options: options.rdma_pin_all and not options.migrate_uri.startswith("rdma:"),
        "Pinning memory needs an RDMA transfer.",
        "Give a migration address rdma://…, or take pinning away.",
    ),
    needs("parallel_connections", "Connections", "parallel", "Several connections"),
    needs("zero_copy", "Zero-copy sending", "parallel", "Several connections"),
    excludes(
        "zero-copy-excludes-tls",
        ("zero_copy", "tls"),
        lambda options: options.zero_copy and options.tls,
        "Encryption has to copy memory, so it excludes zero-copy sending.",
    ),
    excludes(
        "zero-copy-excludes-compression",
        ("zero_copy", "compressed"),
        lambda options: options.zero_copy and options.compressed,
        "Compression has to copy memory, so it excludes zero-copy sending.",
    ),
    needs("compression_methods", "Methods", "compressed", "Compress memory"),
    Rule(
        "mt-tuning-needs-mt",
        ("compression_methods", "compression_mt_level", "compression_mt_threads", "compression_mt_dthreads"),
        lambda options: _mt_tuned(options) and "mt" not in options.compression_methods,
        "Level and threads belong to the compression method mt, which is not chosen.",
        "Choose the method mt, or take level and threads away.",
    ),
    Rule(
        "cache-needs-xbzrle",
        ("compression_methods", "compression_xbzrle_cache_bytes"),
        lambda options: (
            bool(options.compression_xbzrle_cache_bytes) and "xbzrle" not in options.compression_methods
        ),
        "The cache belongs to the compression method xbzrle, which is not named.",
        "Name the method xbzrle, or take the cache away.",
    ),
    Rule(
        "cache-power-of-two",
        ("compression_xbzrle_cache_bytes",),
        lambda options: not _is_power_of_two(options.compression_xbzrle_cache_bytes or 1),
        "The xbzrle cache must be a power of two.",
        "Take 64 MiB (67108864) or another power of two.",
    ),
    excludes(
        "parallel-excludes-mt",
        ("compression_methods", "parallel"),
        lambda options: options.parallel and "mt" in options.compression_methods,
        "QEMU cannot compress with mt over several connections.",
    ),
    excludes(
        "postcopy-excludes-suspend",
        ("suspend", "postcopy"),
        lambda options: options.postcopy and options.suspend,
        "Post-copy runs the guest at the destination before its memory is there, so it cannot stay paused.",
    ),
    needs(
        "auto_converge_initial_percent", "First throttle", "auto_converge", "Slow the guest down if needed"
    ),
    needs(
        "auto_converge_increment_percent", "Throttle step", "auto_converge", "Slow the guest down if needed"
    ),
    needs("postcopy_after_precopy", "Switch after the first pass", "postcopy", "Allow post-copy"),
    needs("postcopy_bandwidth_mib_per_s", "Post-copy bandwidth limit", "postcopy", "Allow post-copy"),
    needs("postcopy_resume", "Resume a broken post-copy", "postcopy", "Allow post-copy"),
    Rule(
        "timeout-action-needs-postcopy",
        ("timeout_action", "postcopy"),
        lambda options: options.timeout_action is TimeoutAction.POSTCOPY and not options.postcopy,
        "Switching to post-copy after a time needs post-copy to be allowed.",
        "Allow post-copy, or choose to pause the guest instead.",
    ),
    Rule(
        "timeout-action-needs-timeout",
        ("timeout_s", "timeout_action"),
        lambda options: options.timeout_action is TimeoutAction.POSTCOPY and options.timeout_s is None,
        "It is said what happens when the time is over, but not after which time.",
        "Give the time.",
    ),
    needs("tls_destination", "Name in the certificate", "tls", "Encrypt the transfer"),
    needs(
        "persistent_xml", "Changed persistent definition", "persistent", "Keep it defined at the destination"
    ),
)


def _is_unix(uri: str) -> bool:
    return uri.startswith("unix:")


def _is_power_of_two(number: int) -> bool:
    return number > 0 and number & (number - 1) == 0
