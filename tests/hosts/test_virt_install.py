"""The lines people copy: read again as virt-install and the shell read them."""

from __future__ import annotations

import shlex

import pytest

from hosts.facts.nfs_export import OPTIONS, render_export, render_export_line
from hosts.facts.virt_install import guest_name, render_virt_install


def disk_options(line: str) -> dict[str, str]:
    """As virtinst's parse_optstr_tuples does it."""
    words = shlex.split(line)
    splitter = shlex.shlex(words[words.index("--disk") + 1], posix=True)
    splitter.commenters, splitter.whitespace, splitter.whitespace_split = "", ",", True
    pairs = (item.split("=", 1) for item in splitter)
    return {name: value for name, value in pairs}  # noqa: C416 (each pair is checked to be one)


def test_line_is_the_one_of_the_guidance() -> None:
    assert render_virt_install("VM", "web01.qcow2", "/mnt/vm/web01.qcow2", "qcow2") == (
        "virt-install --name web01 --memory 2048 --vcpus 2 --disk vol=VM/web01.qcow2,cache=none,bus=virtio "
        "--import --osinfo detect=on,require=off --network network=default,model=virtio --graphics vnc "
        "--noautoconsole"
    )


@pytest.mark.parametrize(
    "volume", ["two words.qcow2", 'a"b.img', "a,b.raw", "it's.raw", "back\\slash", "$(id)", "💾"]
)
def test_odd_names_reach_virt_install_as_they_are(volume: str) -> None:
    options = disk_options(render_virt_install("my pool", volume, f"/p/{volume}", "raw"))
    assert options == {"vol": f"my pool/{volume}", "cache": "none", "bus": "virtio"}


def test_volume_with_a_slash_is_given_by_its_path() -> None:
    options = disk_options(render_virt_install("VM", "deep/web.raw", "/mnt/vm/deep/web.raw", "raw"))
    assert options == {"path": "/mnt/vm/deep/web.raw", "format": "raw", "cache": "none", "bus": "virtio"}


def test_bridge_takes_the_place_of_the_default_network() -> None:
    assert "--network bridge=br0,model=virtio" in render_virt_install("VM", "a", "/a", "", bridge="br0")


@pytest.mark.parametrize(
    ("volume", "name"),
    [("web01.qcow2", "web01"), ("<script>.img", "script"), ("💾", "guest"), ("a b", "a-b")],
)
def test_guest_is_named_after_its_volume(volume: str, name: str) -> None:
    assert guest_name(volume) == name


@pytest.mark.parametrize(
    ("folder", "written"),
    [
        ("/srv/vm", "/srv/vm"),
        ("/srv/two words", '"/srv/two words"'),
        ('/srv/a"b c', "/srv/a\\042b\\040c"),
        ("/srv/#1", "/srv/\\0431"),
        ("/srv/ä", "/srv/\\303\\244"),
    ],
)
def test_folder_is_quoted_as_exports_wants_it(folder: str, written: str) -> None:
    assert render_export_line(folder, ["10.0.0.0/24"]) == f"{written} 10.0.0.0/24({OPTIONS})"


def test_each_client_has_its_options_and_stands_once() -> None:
    line = render_export_line("/srv/vm", ["10.0.0.1", "mercury", "10.0.0.1"])
    assert line == f"/srv/vm 10.0.0.1({OPTIONS}) mercury({OPTIONS})"


@pytest.mark.parametrize(
    ("folder", "clients"),
    [
        ("srv/vm", ["*"]),
        ("/srv/vm", []),
        ("/srv/vm", ["10.0.0.1 (rw)"]),
        ("/srv/\nvm", ["*"]),
        ("/srv", ["a;b"]),
    ],
)
def test_what_would_break_the_file_is_refused(folder: str, clients: list[str]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        render_export_line(folder, clients)


def test_commands_are_safe_for_a_shell() -> None:
    export = render_export("nas; reboot", "/srv/two words", ["10.0.0.0/24"])
    assert shlex.split(export.client_commands[-1]) == ["showmount", "-e", "nas; reboot"]
    assert shlex.split(export.server_commands[1]) == ["mkdir", "-p", "/srv/two words"]
    assert shlex.split(export.server_commands[2])[1] == export.line
