"""Processors and machine types that one host has and the other has not."""

from __future__ import annotations

from typing import Any

from tests.jobs.preflight.agreement.bench import Bench
from tests.jobs.preflight.agreement.guests import PORTABLE_CPU, QEMU
from tests.jobs.preflight.agreement.scenario import scenario

GROUP = "Processor and machine"
OLD_MACHINE, FEATURE = "pc-q35-2.12", "smep"
# What another build of QEMU would not know: names in the program, replaced by ones of the same length.
RENAMED = ((b"pc-q35-2.12-machine", b"pc-q35-2.xx-machine"), (b"\0smep\0", b"\0smxx\0"))


def other_qemu(bench: Bench) -> None:
    """The destination's QEMU is a build that knows neither the old machine type nor the processor feature."""
    program = bench.at(bench.there, QEMU).read_bytes()
    for name, other in RENAMED:
        assert name in program
        program = program.replace(name, other)
    place = "/run/other-qemu"
    bench.at(bench.there, place).write_bytes(program)
    bench.forget_file(bench.there, place)
    bench.at(bench.there, place).chmod(0o755)
    bench.shadow(bench.there, QEMU, place)


@scenario(GROUP, "the destination's QEMU does not know the machine type", "host.versions")
def unknown_machine_type(bench: Bench) -> None:
    bench.guest(machine=OLD_MACHINE)
    other_qemu(bench)


@scenario(
    GROUP,
    "the same for a shut-off guest",
    "host.versions",
    on_purpose="libvirt takes the definition, and the guest could not start there",
)
def unknown_machine_type_offline(bench: Bench) -> dict[str, Any]:
    bench.guest(machine=OLD_MACHINE, state="shut off")
    other_qemu(bench)
    return {"kind": "offline"}


@scenario(GROUP, "the destination's QEMU lacks a feature of the guest's processor", "cpu.features")
def missing_feature(bench: Bench) -> None:
    bench.guest(cpu=PORTABLE_CPU.replace("</cpu>", f"<feature policy='require' name='{FEATURE}'/></cpu>"))
    other_qemu(bench)


@scenario(GROUP, "the same for a shut-off guest", "cpu.features")
def missing_feature_offline(bench: Bench) -> dict[str, Any]:
    cpu = PORTABLE_CPU.replace("</cpu>", f"<feature policy='require' name='{FEATURE}'/></cpu>")
    bench.guest(cpu=cpu, state="shut off")
    other_qemu(bench)
    return {"kind": "offline"}


@scenario(GROUP, "an old machine type and a feature of the processor that both hosts have")
def machine_and_feature_on_both(bench: Bench) -> None:
    bench.guest(
        machine=OLD_MACHINE,
        cpu=PORTABLE_CPU.replace("</cpu>", f"<feature policy='require' name='{FEATURE}'/></cpu>"),
    )


@scenario(GROUP, "CPU mode maximum on like hosts", "cpu.host-model")
def mode_maximum(bench: Bench) -> None:
    bench.guest(cpu="<cpu mode='maximum'/>")


@scenario(GROUP, "CPU mode maximum, the destination's QEMU lacks a feature", "cpu.host-model")
def mode_maximum_on_unlike_hosts(bench: Bench) -> None:
    bench.guest(cpu="<cpu mode='maximum'/>")
    other_qemu(bench)


@scenario(GROUP, "CPU mode host-model on like hosts")
def mode_host_model(bench: Bench) -> None:
    bench.guest(cpu="<cpu mode='host-model'/>")


@scenario(GROUP, "CPU mode host-passthrough, offline")
def host_passthrough_offline(bench: Bench) -> dict[str, Any]:
    bench.guest(cpu="<cpu mode='host-passthrough'/>", state="shut off")
    return {"kind": "offline"}


@scenario(GROUP, "no emulator for the guest's architecture (i686) at the destination", "device.paths")
def emulator_missing(bench: Bench) -> None:
    emulator = "/usr/bin/qemu-system-i386"
    bench.guest(architecture="i686", emulator=emulator, cpu="")
    bench.undo.callback(bench.restart_libvirtd, bench.there)
    bench.hide(bench.there, emulator)
    bench.restart_libvirtd(bench.there)


@scenario(GROUP, "more processors than the destination has", "cpu.headroom")
def more_processors(bench: Bench) -> None:
    bench.guest(vcpus=bench.virt(bench.destination).getInfo()[2] + 1)


@scenario(
    GROUP, "a virtual processor pinned to one that both hosts have and one that neither has", "cpu.pinning"
)
def pinned_in_part(bench: Bench) -> None:
    beyond = bench.virt(bench.destination).getInfo()[2] + 5
    bench.guest(head=f"<cputune><vcpupin vcpu='0' cpuset='0,{beyond}'/></cputune>")


@scenario(GROUP, "a shut-off guest pinned to a processor that the destination has not", "cpu.pinning")
def pinned_elsewhere_offline(bench: Bench) -> dict[str, Any]:
    beyond = bench.virt(bench.destination).getInfo()[2] + 5
    bench.guest(head=f"<cputune><vcpupin vcpu='0' cpuset='{beyond}'/></cputune>", state="shut off")
    return {"kind": "offline"}
