"""What checks on devices read from a description, and the commands they offer."""

from __future__ import annotations

import pytest

from hosts.facts.device_paths import needed_paths, paths_to_look_at
from jobs.preflight.devices_xml import Presence, presence_of
from jobs.preflight.registry import run_checks
from tests.jobs.builders import context, described, probe, reading, volume
from tests.jobs.preflight.cases_devices import identity
from tests.jobs.preflight.data_folders import FOLDERS

HELD = "<hostdev mode='subsystem' type='pci'><alias name='hostdev0'/></hostdev>"


def of_folder(name: str) -> str:
    return (FOLDERS / name / "guest.xml").read_text()


@pytest.mark.parametrize(
    ("folder", "wanted"),
    [
        ("device.paths/failing", {"/srv/logs"}),
        ("device.paths/passing-log-of-libvirt", set()),
        ("device.paths/passing-kernel", {"/srv/boot/vmlinuz", "/srv/boot/initrd.img", "/srv/boot/x.dtb"}),
        ("device.memory-dimm/failing-pmem", {"/srv/pmem"}),
        ("device.unmigratable/passing-evdev", {"/dev/input/event3"}),
        ("guest.agent/passing-own-socket", {"/srv/agent"}),
        ("device.tpm/passing-emulated", {"/usr/bin/swtpm", "/var/lib/libvirt/swtpm"}),
        ("_base", set()),
    ],
)
def test_description_says_which_paths_must_be_there(folder, wanted):
    assert set(paths_to_look_at(of_folder(folder))) == wanted


def test_of_a_file_that_is_made_only_the_folder_must_be_there():
    (log,) = needed_paths(of_folder("device.paths/failing"))
    assert (log.path, log.wanted, log.made) == ("/srv/logs/web01.log", "/srv/logs", True)


@pytest.mark.parametrize("text", ["", "<domain", "<network/>", "<!DOCTYPE x><domain/>"])
def test_text_that_is_no_domain_needs_nothing(text):
    assert needed_paths(text) == ()


@pytest.mark.parametrize(
    ("changes", "presence"),
    [
        ({"peer_probe": None}, Presence.UNKNOWN),
        ({"peer_probe": probe(source_files={"/x": identity()})}, Presence.UNKNOWN),
        ({"peer_probe": probe(destination_files={"/y": identity()})}, Presence.UNKNOWN),
        (
            {"peer_probe": probe(source_files={"/x": identity()}, destination_files={"/y": identity()})},
            Presence.MISSING,
        ),
        ({"peer_probe": probe(destination_files={"/x": identity()})}, Presence.THERE),
        ({"destination_reading": reading(volumes={"/x": volume("/x")})}, Presence.THERE),
        ({"destination_reading": reading(volumes={"/x": None})}, Presence.UNKNOWN),
    ],
)
def test_a_path_is_missing_only_where_both_hosts_were_asked(changes, presence):
    assert presence_of(context(**changes), "/x") is presence


def test_device_of_a_running_guest_comes_with_the_command_that_detaches_it():
    (found,) = [
        finding
        for finding in run_checks(context(guest=described(HELD)))
        if finding.id == "device.passthrough"
    ]
    (commands,) = found.commands
    assert (commands.host, commands.lines) == (
        "mercury",
        ("virsh detach-device-alias web01 hostdev0 --live",),
    )


def test_name_of_a_guest_cannot_add_to_a_command():
    named = described(HELD, name="web; reboot")
    (found,) = [finding for finding in run_checks(context(guest=named)) if finding.id == "device.passthrough"]
    assert found.commands[0].lines == ("virsh detach-device-alias 'web; reboot' hostdev0 --live",)


def test_missing_log_folder_comes_with_the_command_that_makes_it():
    log = "<serial type='file'><source path='/srv/my logs/web01.log'/></serial>"
    files = {"source_files": {"/srv/my logs": identity()}, "destination_files": {"/asked": identity()}}
    said = run_checks(context(guest=described(log), peer_probe=probe(**files)))
    (found,) = [finding for finding in said if finding.id == "device.paths"]
    assert found.commands[0].lines == ("mkdir -p '/srv/my logs'",)
    assert found.commands[0].host == "jupiter"


def test_guest_that_could_not_be_described_gets_no_findings_on_devices():
    said = run_checks(context(guest=described(extra={"unread": "monitor"}, xml="", inactive_xml="")))
    assert {finding.id for finding in said} == {"state.readable"}
