"""What needs no host: the XML of new volumes, and what libvirt's words about storage mean."""

from __future__ import annotations

import libvirt
import pytest
from lxml import etree

from hosts.driver.storage_rules import STORAGE_RULES
from hosts.errors import HostError, OperationFailed, Refused
from hosts.facts.edits import render_clone, render_volume
from hosts.storage_ports import WipeAlgorithm


def canonical(xml: str) -> str:
    return str(etree.canonicalize(xml, strip_text=True))


def test_volume_with_a_layer_below_names_its_format() -> None:
    assert canonical(render_volume("dir", "a", "qcow2", 9, backing=("/p/<b>", "raw"))) == canonical(
        "<volume><name>a</name><capacity unit='bytes'>9</capacity><allocation unit='bytes'>0</allocation>"
        "<target><format type='qcow2'/><compat>1.1</compat></target>"
        "<backingStore><path>/p/&lt;b&gt;</path><format type='raw'/></backingStore></volume>"
    )


@pytest.mark.parametrize("pool_type", ["dir", "logical"])
def test_full_volume_is_allocated_everywhere(pool_type: str) -> None:
    assert '<allocation unit="bytes">9</allocation>' in render_volume(pool_type, "a", "raw", 9, full=True)


def test_clone_keeps_all_that_is_not_the_originals_own() -> None:
    original = """<volume type='file'><name>a</name><key>/p/a</key><source/><capacity unit='bytes'>9</capacity>
<allocation unit='bytes'>4</allocation><physical unit='bytes'>4</physical><target><path>/p/a</path>
<format type='qcow2'/><permissions><mode>0600</mode></permissions><timestamps><mtime>1.2</mtime></timestamps>
<compat>1.1</compat><features><lazy_refcounts/></features></target>
<backingStore><path>/p/base</path><format type='raw'/></backingStore></volume>"""
    assert canonical(render_clone(original, "b & c")) == canonical(
        "<volume type='file'><capacity unit='bytes'>9</capacity><allocation unit='bytes'>4</allocation><target>"
        "<format type='qcow2'/><compat>1.1</compat><features><lazy_refcounts/></features></target>"
        "<name>b &amp; c</name></volume>"
    )


# Code and text as libvirt 9.0 said them.
@pytest.mark.parametrize(
    ("code", "text", "error", "words"),
    [
        (
            "SYSTEM_ERROR",
            "cannot write data to file '/p/a': No space left on device",
            OperationFailed,
            "is full",
        ),
        ("INTERNAL_ERROR", "Not enough free space in pool for volume 'a'", OperationFailed, "is full"),
        ("OPERATION_FAILED", "Storage source conflict with pool: 'q0'", Refused, "Another pool"),
        (
            "INTERNAL_ERROR",
            "Child process (/bin/mount nas:/srv /mnt/vm) unexpected exit status 32: unknown filesystem type 'nfs'.",
            OperationFailed,
            "cannot mount this kind",
        ),
        (
            "INTERNAL_ERROR",
            "Child process (/bin/umount /mnt/vm) unexpected exit status 32: umount: /mnt/vm: target is busy.",
            OperationFailed,
            "files open",
        ),
        ("SYSTEM_ERROR", "inaccessible backing store volume /p/gone", Refused, "layer below"),
        ("OPERATION_INVALID", "volume 'a' is still in use.", Refused, "busy"),
        ("INTERNAL_ERROR", "pool 'p' has asynchronous jobs running.", Refused, "busy"),
        ("SYSTEM_ERROR", "failed to remove pool '/p': Directory not empty", OperationFailed, "not empty"),
        (
            "SYSTEM_ERROR",
            "cannot open directory '/p': No such file or directory",
            OperationFailed,
            "not there",
        ),
        (
            "INTERNAL_ERROR",
            "Cannot find 'scrub' in path: No such file or directory",
            Refused,
            "not installed",
        ),
        ("STORAGE_PROBE_FAILED", "Device '/d' is unrecognized, requires build", Refused, "not prepared"),
        ("STORAGE_PROBE_FAILED", "Format of device '/d' does not match", Refused, "something on it"),
        ("NO_SUPPORT", "pool doesn't support volume resizing", Refused, "does not offer"),
        ("INTERNAL_ERROR", "something new", OperationFailed, "reported an error"),
    ],
)
def test_words_of_libvirt_have_a_meaning(code: str, text: str, error: type[HostError], words: str) -> None:
    number = getattr(libvirt, f"VIR_ERR_{code}")
    rule = next(rule for rule in STORAGE_RULES if rule.matches(number, text))
    assert rule.error is error
    assert words in rule.meaning
    assert rule.remedy


def test_every_algorithm_is_one_of_libvirts() -> None:
    theirs = {name for name in dir(libvirt) if name.startswith("VIR_STORAGE_VOL_WIPE_ALG_")}
    assert {f"VIR_STORAGE_VOL_WIPE_ALG_{algorithm.name}" for algorithm in WipeAlgorithm} <= theirs
