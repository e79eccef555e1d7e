"""The one table of options against virsh itself, and the rules that keep nonsense from libvirt."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hosts.ports import MigrateFlag
from jobs.options import (
    OPTIONS,
    Control,
    InvalidOptions,
    Kind,
    MoveOptions,
    Storage,
    Value,
    check_options,
    dump_options,
    find_option,
    parse_options,
)
from jobs.options.table import VIRSH_ONLY

# What client-side options become: virsh acts on them itself.
CLIENT_SIDE = {"timeout_s", "timeout_action", "postcopy_after_precopy"}
# What this product does around libvirt's call, and virsh has no word for.
OUR_OWN = {"storage_map", "reuse_volumes", "remove_source_disks"}


def virsh_words(option) -> set[str]:
    choices = {word for choice in option.choices for word in choice.virsh}
    return choices | ({option.virsh} if option.virsh else set())


def test_no_option_of_virsh_migrate_is_forgotten():
    help_text = subprocess.run(
        ["virsh", "help", "migrate"], check=True, capture_output=True, text=True
    ).stdout
    real = set(re.findall(r"^ +\[?(--[a-z0-9-]+)\]?", help_text, re.MULTILINE))
    ours = {word for option in OPTIONS for word in virsh_words(option)}
    assert ours | set(VIRSH_ONLY) == real
    assert not ours & set(VIRSH_ONLY)


def test_numbers_of_virsh_are_numbers_here():
    help_text = subprocess.run(
        ["virsh", "help", "migrate"], check=True, capture_output=True, text=True
    ).stdout
    numbers = set(re.findall(r"^ +(--[a-z0-9-]+) <number>", help_text, re.MULTILINE))
    assert {option.virsh for option in OPTIONS if option.value is Value.NUMBER} == numbers


def test_every_field_has_one_row():
    fields = [field.name for field in dataclasses.fields(MoveOptions)]
    assert sorted(option.field for option in OPTIONS) == sorted(set(fields) - {"confirmed_name"})


def test_every_flag_of_libvirt_comes_from_one_row():
    flags = [option.flag for option in OPTIONS if option.flag]
    flags += [flag for option in OPTIONS for choice in option.choices for flag in choice.flags]
    assert {flag for flag in flags if flags.count(flag) > 1} == {MigrateFlag.PEER2PEER}
    assert set(flags) == set(MigrateFlag)


def test_every_row_says_what_it_is_and_does_something():
    for option in OPTIONS:
        assert option.label
        assert option.help.endswith(".")
        assert option.kinds
        acts = option.flag or option.parameter or any(choice.flags for choice in option.choices)
        assert bool(acts) != (option.field in CLIENT_SIDE | OUR_OWN)
        if option.value is Value.NUMBER:
            assert option.minimum is not None
            assert option.maximum is not None
        assert find_option(option.field) is option


def test_the_default_choice_of_every_option_exists():
    for option in OPTIONS:
        if option.value is Value.CHOICE:
            assert getattr(MoveOptions(), option.field) in {choice.value for choice in option.choices}


def rules_of(guest_name: str = "web01", **changes) -> set[str]:
    return {problem.rule for problem in check_options(MoveOptions(**changes), guest_name)}


def test_defaults_are_right_for_every_kind():
    for kind in Kind:
        assert check_options(MoveOptions(kind=kind)) == ()


COPY = {"storage": Storage.COPY_ALL}
TUNNEL = {"control": Control.TUNNELLED}
OFFLINE = {"kind": Kind.OFFLINE}
BROKEN = [
    ("offline-needs-persistent", {**OFFLINE, "persistent": False, "undefine_source": False}),
    ("offline-not-tunnelled", {**OFFLINE, **TUNNEL}),
    ("undefine-without-persistent", {"persistent": False}),
    ("undefine-without-persistent", {"persistent": False, "confirmed_name": "Web01"}),
    ("not-of-this-kind", {**OFFLINE, **COPY, "synchronous_writes": True}),
    ("offline-copies-whole-disks", {**OFFLINE, "storage": Storage.COPY_INCREMENTAL}),
    ("storage-map-needs-copy", {"storage_map": ("vda=fast",)}),
    ("reuse-volumes-needs-copy", {"reuse_volumes": True}),
    ("remove-source-disks-needs-copy", {"remove_source_disks": True}),
    ("remove-source-disks-needs-undefine", {**COPY, "remove_source_disks": True, "undefine_source": False}),
    ("remove-source-disks", {**COPY, "remove_source_disks": True}),
    ("storage-map-disk-twice", {**COPY, "storage_map": ("vda=fast", "vda=slow/x")}),
    ("storage-map-place-twice", {**COPY, "storage_map": ("vda=fast/x", "vdb=fast/x")}),
    ("storage-map-needs-copied-disk", {**COPY, "migrate_disks": ("vdb",), "storage_map": ("vda=fast",)}),
    (
        "storage-map-excludes-destination-xml",
        {**COPY, "storage_map": ("vda=fast",), "destination_xml": "<domain/>"},
    ),
    ("value", {**COPY, "storage_map": ("vda",)}),
    ("value", {**COPY, "storage_map": ("=fast",)}),
    ("value", {**COPY, "storage_map": ("vda=fast/",)}),
    ("value", {**COPY, "storage_map": ("vda=fast/../x",)}),
    ("value", {**COPY, "storage_map": ("vda=fast/..",)}),
    ("value", {**COPY, "storage_map": ("vda=fast/a\nb",)}),
    ("value", {**COPY, "storage_map": ("VDA=fast",)}),
    ("value", {**COPY, "storage_map": ("vda=fast/" + "x" * 256,)}),
    ("offline-bandwidth-needs-copy", {**OFFLINE, "bandwidth_mib_per_s": 10}),
    ("not-of-this-kind", {**OFFLINE, "parallel": True}),
    ("not-of-this-kind", {**OFFLINE, "suspend": True}),
    ("not-of-this-kind", {**OFFLINE, "tls": True}),
    ("not-of-this-kind", {"kind": Kind.NON_LIVE, "postcopy": True}),
    ("not-of-this-kind", {"kind": Kind.NON_LIVE, "timeout_s": 5}),
    ("not-of-this-kind", {"kind": Kind.NON_LIVE, "auto_converge": True}),
    ("tunnelled-excludes-storage", {**TUNNEL, **COPY}),
    ("tunnelled-excludes-parallel", {**TUNNEL, "parallel": True}),
    ("tunnelled-excludes-postcopy", {**TUNNEL, "postcopy": True}),
    ("tunnelled-excludes-tls", {**TUNNEL, "tls": True}),
    ("tunnelled-excludes-migrate-uri", {**TUNNEL, "migrate_uri": "tcp://a"}),
    ("tunnelled-excludes-listen-address", {**TUNNEL, "listen_address": "::"}),
    ("tunnelled-excludes-disks-uri", {**TUNNEL, **COPY, "disks_uri": "tcp://a:1"}),
    ("tunnelled-excludes-disks-port", {**TUNNEL, **COPY, "disks_port": 1}),
    ("synchronous-writes-needs-copy", {"synchronous_writes": True}),
    ("migrate-disks-needs-copy", {"migrate_disks": ("vda",)}),
    ("disks-uri-needs-copy", {"disks_uri": "tcp://a:1"}),
    ("disks-port-needs-copy", {"disks_port": 49200}),
    ("disks-uri-or-port", {**COPY, "disks_uri": "tcp://a:1", "disks_port": 1}),
    ("unix-needs-unix-for-disks", {**COPY, "migrate_uri": "unix:///run/a"}),
    ("unix-excludes-listen-address", {"migrate_uri": "unix:///run/a", "listen_address": "::"}),
    ("pin-needs-rdma", {"rdma_pin_all": True}),
    ("parallel-connections-needs-parallel", {"parallel_connections": 4}),
    ("zero-copy-needs-parallel", {"zero_copy": True}),
    ("zero-copy-excludes-tls", {"zero_copy": True, "parallel": True, "tls": True}),
    ("zero-copy-excludes-compression", {"zero_copy": True, "parallel": True, "compressed": True}),
    ("compression-methods-needs-compressed", {"compression_methods": ("xbzrle",)}),
    ("mt-tuning-needs-mt", {"compressed": True, "compression_mt_level": 0}),
    (
        "mt-tuning-needs-mt",
        {"compressed": True, "compression_methods": ("xbzrle",), "compression_mt_threads": 2},
    ),
    ("cache-needs-xbzrle", {"compressed": True, "compression_xbzrle_cache_bytes": 65536}),
    (
        "cache-power-of-two",
        {"compressed": True, "compression_methods": ("xbzrle",), "compression_xbzrle_cache_bytes": 65535},
    ),
    ("parallel-excludes-mt", {"compressed": True, "compression_methods": ("mt",), "parallel": True}),
    ("postcopy-excludes-suspend", {"postcopy": True, "suspend": True}),
    ("auto-converge-initial-percent-needs-auto-converge", {"auto_converge_initial_percent": 20}),
    ("auto-converge-increment-percent-needs-auto-converge", {"auto_converge_increment_percent": 10}),
    ("postcopy-after-precopy-needs-postcopy", {"postcopy_after_precopy": True}),
    ("postcopy-bandwidth-mib-per-s-needs-postcopy", {"postcopy_bandwidth_mib_per_s": 10}),
    ("postcopy-resume-needs-postcopy", {"postcopy_resume": True}),
    ("timeout-action-needs-postcopy", {"timeout_s": 5, "timeout_action": "postcopy"}),
    ("timeout-action-needs-timeout", {"timeout_action": "postcopy", "postcopy": True}),
    ("tls-destination-needs-tls", {"tls_destination": "jupiter"}),
    ("persistent-xml-needs-persistent", {"persistent": False, "persistent_xml": "<domain/>"}),
]


@pytest.mark.parametrize(
    ("rule", "changes"), BROKEN, ids=[f"{rule} {n}" for n, (rule, _) in enumerate(BROKEN)]
)
def test_contradiction_is_found(rule, changes):
    options = parse_options(dump_options(MoveOptions(**changes)))
    assert rule in {problem.rule for problem in check_options(options, "web01")}


FITTING = [
    {"persistent": False, "confirmed_name": "web01"},
    {"persistent": False, "undefine_source": False},
    {**COPY, "migrate_disks": ("vda", "sdb"), "disks_port": 49200, "synchronous_writes": True},
    {**COPY, "migrate_uri": "unix:///run/a", "disks_uri": "unix:///run/b"},
    {"migrate_uri": "rdma://10.0.0.1", "rdma_pin_all": True},
    {"parallel": True, "parallel_connections": 255, "zero_copy": True},
    {"compressed": True},
    {"compressed": True, "compression_methods": ("mt",), "postcopy": True},
    {"compressed": True, "compression_methods": ("mt", "xbzrle"), "compression_mt_level": 9},
    {"postcopy": True, "timeout_s": 1, "timeout_action": "postcopy", "postcopy_after_precopy": True},
    {"auto_converge": True, "auto_converge_initial_percent": 99, "auto_converge_increment_percent": 1},
    {"tls": True, "tls_destination": "jupiter.example.org", "parallel": True},
    {"kind": Kind.NON_LIVE, **COPY, "bandwidth_mib_per_s": 8796093022207, "suspend": True},
    {**OFFLINE, "destination_name": "web 02 😀"},
    {
        "migrate_uri": "tcp://[fe80::1]:49152",
        "listen_address": "::",
        "graphics_uri": "spice://a:5900/?tlsPort=1",
    },
    {"destination_xml": "<domain><name>a</name></domain>"},
]


@pytest.mark.parametrize("changes", FITTING)
def test_options_that_fit_are_let_through(changes):
    options = parse_options(dump_options(MoveOptions(**changes)))
    assert check_options(options, "web01") == ()


BAD_VALUES = [
    ("bandwidth_mib_per_s", 0),
    ("bandwidth_mib_per_s", -1),
    ("bandwidth_mib_per_s", 2**62),
    ("bandwidth_mib_per_s", 8796093022208),
    ("postcopy_bandwidth_mib_per_s", 2**63),
    ("disks_port", 0),
    ("disks_port", 65536),
    ("parallel_connections", 0),
    ("parallel_connections", 256),
    ("compression_mt_level", -1),
    ("compression_mt_level", 10),
    ("compression_mt_threads", 0),
    ("compression_mt_dthreads", 256),
    ("compression_xbzrle_cache_bytes", 1024),
    ("auto_converge_initial_percent", 0),
    ("auto_converge_increment_percent", 100),
    ("timeout_s", 0),
    ("timeout_s", 2147484),
    ("migrate_uri", "10.0.0.1"),
    ("migrate_uri", "tcp:10.0.0.1"),
    ("migrate_uri", "http://a"),
    ("migrate_uri", "tcp://"),
    ("migrate_uri", "tcp://a:99999"),
    ("migrate_uri", "tcp://a:0"),
    ("migrate_uri", "tcp://a:x"),
    ("migrate_uri", "tcp://a b"),
    ("migrate_uri", "tcp://fe80::1"),
    ("migrate_uri", " tcp://a"),
    ("migrate_uri", "tcp://a/path"),
    ("migrate_uri", "tcp://user@a"),
    ("migrate_uri", "unix://run/a"),
    ("disks_uri", "tcp://a"),
    ("graphics_uri", "tcp://a:1"),
    ("listen_address", "a b"),
    ("listen_address", "tcp://a"),
    ("tls_destination", "a/b"),
    ("destination_name", "a/b"),
    ("destination_name", " a"),
    ("destination_name", "a\nb"),
    ("destination_name", "a\x00b"),
    ("migrate_disks", ("vda", "vda")),
    ("migrate_disks", ("vda,vdb",)),
    ("migrate_disks", ("",)),
    ("migrate_disks", ("/dev/vda",)),
    ("compression_methods", ("zip",)),
    ("destination_xml", "<domain>"),
    ("destination_xml", "<network/>"),
    ("destination_xml", '<!DOCTYPE d [<!ENTITY a "b">]><domain>&a;</domain>'),
    ("persistent_xml", "no xml"),
]


@pytest.mark.parametrize(("field", "value"), BAD_VALUES)
def test_bad_value_is_named(field, value):
    problems = [p for p in check_options(MoveOptions(**{field: value})) if p.rule == "value"]
    assert [problem.fields for problem in problems] == [(field,)]


def test_all_problems_are_said_at_once():
    assert rules_of(persistent=False, zero_copy=True, disks_port=0) >= {
        "undefine-without-persistent",
        "zero-copy-needs-parallel",
        "disks-port-needs-copy" if MoveOptions(disks_port=0).disks_port else "value",
    }


def test_nothing_is_confirmed_without_a_name():
    assert "undefine-without-persistent" in rules_of("", persistent=False, confirmed_name="")


BAD_DATA = [
    {"kind": "fast"},
    {"kind": None},
    {"kind": 1},
    {"persistent": "yes"},
    {"persistent": 1},
    {"persistent": None},
    {"bandwidth_mib_per_s": "10"},
    {"bandwidth_mib_per_s": 1.5},
    {"bandwidth_mib_per_s": True},
    {"migrate_uri": None},
    {"migrate_disks": "vda"},
    {"migrate_disks": [1]},
    {"no_such_option": 1},
    {"confirmed_name": 1},
]


@pytest.mark.parametrize("data", BAD_DATA)
def test_data_that_is_not_understood_is_refused(data):
    with pytest.raises(InvalidOptions) as caught:
        parse_options(data)
    assert [error.field for error in caught.value.errors] == list(data)


def test_all_errors_of_data_are_said_at_once():
    with pytest.raises(InvalidOptions) as caught:
        parse_options({"kind": "x", "tls": 1, "timeout_s": "1"})
    assert {error.field for error in caught.value.errors} == {"kind", "tls", "timeout_s"}


MOVE_OPTIONS = st.builds(MoveOptions)


@given(MOVE_OPTIONS)
def test_options_survive_json(options):
    assert parse_options(json.loads(json.dumps(dump_options(options)))) == options


@given(MOVE_OPTIONS, st.text(max_size=10))
def test_checking_options_never_raises(options, name):
    for problem in check_options(options, name):
        assert problem.fields
        assert problem.message
        assert problem.remedy
