"""The virsh line to the letter. Its effect on real hosts is tested in the lab."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.engine.virsh_line import render_virsh_arguments, render_virsh_line, virsh_notes
from jobs.options import Control, Kind, MoveOptions, Storage, TimeoutAction

SOURCE = "qemu+tcp://mercury/system"
PEER = "qemu+tcp://jupiter/system"


def line(name: str = "web01", source: str = SOURCE, destination: str = PEER, **changes) -> str:
    return render_virsh_line(name, source, destination, MoveOptions(**changes))


HEAD = f"virsh -c {SOURCE} migrate web01 {PEER}"
LINES = [
    ({}, f"{HEAD} --live --p2p --persistent --undefinesource"),
    ({"control": Control.DIRECT}, f"{HEAD} --live --persistent --undefinesource"),
    ({"control": Control.TUNNELLED}, f"{HEAD} --live --p2p --tunnelled --persistent --undefinesource"),
    ({"kind": Kind.NON_LIVE, "undefine_source": False}, f"{HEAD} --p2p --persistent"),
    ({"kind": Kind.OFFLINE}, f"{HEAD} --offline --p2p --persistent --undefinesource"),
    (
        {"storage": Storage.COPY_ALL, "migrate_disks": ("vda", "vdb"), "disks_port": 49200},
        (
            f"{HEAD} --live --p2p --persistent --undefinesource --copy-storage-all --migrate-disks vda,vdb "
            "--disks-port 49200"
        ),
    ),
    (
        {"timeout_s": 30, "postcopy": True, "timeout_action": TimeoutAction.POSTCOPY},
        f"{HEAD} --live --p2p --persistent --undefinesource --timeout 30 --timeout-postcopy --postcopy",
    ),
    ({"timeout_s": 30}, f"{HEAD} --live --p2p --persistent --undefinesource --timeout 30 --timeout-suspend"),
    (
        {"compressed": True, "compression_methods": ("mt",), "compression_mt_level": 0},
        f"{HEAD} --live --p2p --persistent --undefinesource --compressed --comp-methods mt --comp-mt-level 0",
    ),
    (
        {"destination_xml": "<domain/>"},
        (
            f"{HEAD} --live --p2p --persistent --undefinesource --xml destination.xml "
            "--persistent-xml destination.xml"
        ),
    ),
    (
        {"destination_xml": "<domain/>", "persistent": False, "undefine_source": False},
        f"{HEAD} --live --p2p --xml destination.xml",
    ),
    (
        {"destination_name": "-x", "suspend": True, "tls": True},
        f"{HEAD} --live --p2p --persistent --undefinesource --suspend --dname=-x --tls",
    ),
]


@pytest.mark.parametrize(("changes", "expected"), LINES)
def test_line_is_right_to_the_letter(changes, expected):
    assert line(**changes) == expected


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("web 01", "'web 01'"),
        ("o'hara", "'o'\"'\"'hara'"),
        ("$(reboot)", "'$(reboot)'"),
        ("a;b", "'a;b'"),
        ("😀", "'😀'"),
        ("-rf", "--domain=-rf"),
        ("--all", "--domain=--all"),
        ("- x", "'--domain=- x'"),
    ],
)
def test_name_reaches_virsh_as_it_is(name, written):
    assert f" migrate {written} {PEER} " in line(name)


def test_addresses_are_quoted_for_the_shell():
    source = "qemu+ssh://root@mercury/system?keyfile=/a&no_tty=1"
    assert line(source=source).startswith(f"virsh -c '{source}' migrate ")


@given(st.text(min_size=1), st.builds(MoveOptions))
def test_the_shell_gives_back_the_arguments(name, options):
    arguments = render_virsh_arguments(name, SOURCE, PEER, options)
    assert shlex.split(render_virsh_line(name, SOURCE, PEER, options)) == arguments


def test_notes_say_what_the_line_cannot():
    options = MoveOptions(destination_xml="<domain/>", timeout_s=3)
    notes = virsh_notes(options, render_virsh_line("web01", SOURCE, PEER, options))
    assert [note.split()[0] for note in notes] == ["Save", "virsh", "virsh"]
    assert notes[0] == "Save the changed definition as destination.xml first."
    mapped = render_virsh_line("web01", SOURCE, PEER, MoveOptions(), changed=True)
    assert "destination.xml and persistent.xml" in virsh_notes(MoveOptions(), mapped)[0]
    plain = MoveOptions(undefine_source=False)
    assert virsh_notes(plain, render_virsh_line("web01", SOURCE, PEER, plain)) == ()
