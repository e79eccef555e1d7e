"""The lab itself: what every other test takes for granted."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import Lab, LabError, LabGuest
from tests.lab.host import LabHost, Transport
from tests.lab.layout import find_instance
from tests.lab.system import wait_until

pytestmark = pytest.mark.lab

TRANSPORTS: tuple[Transport, ...] = ("tcp", "tls", "ssh", "libssh2", "libssh")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    made = Lab.up("selftest")
    yield made
    made.down()


@pytest.fixture
def empty_lab(lab: Lab) -> Iterator[Lab]:
    lab.reset()
    yield lab
    lab.reset()


def connect(uri: str, timeout_s: float = 10) -> subprocess.CompletedProcess[str]:
    """Ask for the hostname over a URI, from the root namespace."""
    command = ["timeout", str(timeout_s), "virsh", "--quiet", "-c", uri, "hostname"]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def move(guest: LabGuest, source: LabHost, destination: LabHost, uri: str, *flags: str) -> None:
    words = ["--live", "--p2p", "--persistent", "--undefinesource", *flags]
    source.virsh("migrate", *words, guest.name, uri, timeout=60)
    assert guest.where() == {destination.name: "running"}


def wait_for_progress(guest: LabGuest, host: str) -> None:
    """Wait until the guest wrote more than it had when it was asked."""
    before = guest.disk_sequence()
    wait_until(lambda: guest.disk_sequence() > before + 1, f"progress of {guest.name}", 10)
    wait_until(lambda: guest.sequence(host), f"numbers on the serial port of {host}", 10)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("name", ["mercury", "jupiter"])
def test_console_reaches_each_host_over_each_transport(lab: Lab, name: str, transport: Transport) -> None:
    assert connect(lab.hosts[name].uri(transport)).stdout.strip() == name


def test_hosts_have_their_own_identity(lab: Lab) -> None:
    uuids = [host.virsh("capabilities").split("<uuid>")[1].split("<")[0] for host in lab.hosts.values()]
    assert uuids == [host.uuid for host in lab.hosts.values()]
    assert len(set(uuids)) == 2


def test_a_hosts_hardware_address_stays_when_a_lower_one_joins_its_bridge(lab: Lab) -> None:
    """As the taps of guests do: a bridge left alone would take that address, which the other host has, too."""
    mercury = lab.hosts["mercury"]
    bridge = Path("/sys/class/net/br0/address")
    before = mercury.run(["cat", str(bridge)]).stdout
    port = ["lowest", "address", "00:00:00:00:00:0a"]
    mercury.run(["ip", "link", "add", *port, "type", "veth", "peer", "name", "lowest-end"])
    try:
        mercury.run(["ip", "link", "set", "lowest", "master", "br0", "up"])
        assert mercury.run(["cat", str(bridge)]).stdout == before
    finally:
        mercury.run(["ip", "link", "delete", "lowest"])


def test_both_pools_are_active_and_files_on_the_shared_one_are_seen_by_both(lab: Lab) -> None:
    mercury, jupiter = lab.hosts.values()
    mercury.run(["touch", "/var/lib/libvirt/images/VM/seen", "/var/lib/libvirt/images/local/unseen"])
    assert jupiter.path("/var/lib/libvirt/images/VM/seen").exists()
    assert not jupiter.path("/var/lib/libvirt/images/local/unseen").exists()
    for host in (mercury, jupiter):
        assert set(host.virsh("pool-list", "--name").split()) == {"VM", "local"}


def test_sasl_wants_user_and_password(empty_lab: Lab, tmp_path: Path) -> None:
    host, keys = empty_lab.hosts["jupiter"], empty_lab.credentials
    host.restart_libvirtd(sasl=True)
    login = tmp_path / "auth.conf"
    login.write_text(
        f"[credentials-lab]\nauthname={keys.sasl_user}\npassword={keys.sasl_password}\n"
        "[auth-libvirt-default]\ncredentials=lab\n"
    )
    assert connect(f"{host.uri('tcp')}?authfile={login}").stdout.strip() == "jupiter"
    login.write_text(login.read_text().replace(keys.sasl_password, "wrong"))
    assert "authentication failed" in connect(f"{host.uri('tcp')}?authfile={login}").stderr
    empty_lab.reset()
    assert connect(host.uri("tcp")).stdout.strip() == "jupiter"


def test_guest_keeps_counting_through_moves_over_every_peer_transport(empty_lab: Lab) -> None:
    mercury, jupiter = empty_lab.hosts.values()
    guest = empty_lab.create_guest("mercury", "traveller")
    guest.wait_until_answering()
    journeys: list[tuple[LabHost, LabHost, list[str]]] = [
        (mercury, jupiter, [jupiter.peer_uri("tcp")]),
        (jupiter, mercury, [mercury.peer_uri("ssh")]),
        (mercury, jupiter, [jupiter.peer_uri("tls"), "--tls"]),
    ]
    for source, destination, (uri, *flags) in journeys:
        with guest.ping_gap_ms() as gap:
            move(guest, source, destination, uri, *flags)
            wait_until(guest.ping, "a ping after the move", 10)
        assert 0 < gap.longest_ms < 10_000
        wait_for_progress(guest, destination.name)
    last = guest.disk_sequence()
    numbers = sorted(guest.sequence("mercury") + guest.sequence("jupiter"))
    assert [number for number in numbers if number <= last] == list(range(1, last + 1))
    on_disk = guest.disk_numbers()
    assert on_disk == list(range(on_disk[0], on_disk[-1] + 1))


def test_local_disk_moves_only_when_it_is_copied(empty_lab: Lab) -> None:
    mercury, jupiter = empty_lab.hosts.values()
    guest = empty_lab.create_guest("mercury", "homebody", pool="local", disk_format="qcow2")
    guest.wait_until_answering()
    with pytest.raises(LabError, match="Unsafe migration"):
        move(guest, mercury, jupiter, jupiter.peer_uri())
    move(guest, mercury, jupiter, jupiter.peer_uri(), "--copy-storage-all")
    wait_for_progress(guest, "jupiter")
    assert jupiter.path(str(guest.disk_path)).exists()


def test_guest_shuts_down_at_the_power_button_and_goes_on_counting(empty_lab: Lab) -> None:
    host = empty_lab.hosts["mercury"]
    guest = empty_lab.create_guest("mercury", "sleeper", memory_mib=160)
    guest.wait_until_answering()
    host.virsh("shutdown", guest.name)
    wait_until(lambda: guest.where() == {"mercury": "shut off"}, "the shutdown", 15)
    last = guest.disk_sequence()
    host.virsh("start", guest.name)
    wait_until(lambda: guest.disk_sequence() > last, "the next number", 30)
    assert guest.sequence("mercury").count(last) == 1


def test_busy_guest_dirties_at_about_the_chosen_rate(empty_lab: Lab) -> None:
    host = empty_lab.hosts["mercury"]
    guest = empty_lab.create_guest("mercury", "busy", dirty_mib=64, dirty_mib_per_s=20)
    guest.wait_until_answering()
    host.virsh("domdirtyrate-calc", guest.name, "--seconds", "3")
    measured = wait_until(lambda: dirty_rate_mib_per_s(host, guest), "a dirty rate", 10)
    assert 5 <= measured <= 60


def dirty_rate_mib_per_s(host: LabHost, guest: LabGuest) -> int | None:
    lines = host.virsh("domstats", "--dirtyrate", guest.name).splitlines()
    values = [line.split("=")[1] for line in lines if "megabytes_per_second" in line]
    return int(values[0]) if values else None


def test_faults_are_real_and_reset_undoes_them(empty_lab: Lab) -> None:
    mercury, jupiter = empty_lab.hosts.values()
    jupiter.kill_libvirtd()
    jupiter.replace_host_key()
    mercury.block_ports(16509, 16509, how="reject")
    mercury.netem(delay_ms=20, rate_mbit=100)
    assert "Connection refused" in connect(jupiter.uri("tcp")).stderr
    assert "Host key verification failed" in connect(jupiter.uri("ssh")).stderr
    assert "Connection refused" in connect(mercury.uri("tcp")).stderr
    assert connect(mercury.uri("tls")).stdout.strip() == "mercury"
    empty_lab.reset()
    assert empty_lab.problems() == {}
    for host in (mercury, jupiter):
        assert connect(host.uri("tcp")).stdout.strip() == host.name
        assert connect(host.uri("ssh")).stdout.strip() == host.name


def test_unplugged_or_stopped_host_does_not_answer(empty_lab: Lab) -> None:
    mercury, jupiter = empty_lab.hosts.values()
    jupiter.link_down()
    mercury.pause_libvirtd()
    for host in (mercury, jupiter):
        assert connect(host.uri("tcp"), timeout_s=1).returncode == 124  # timeout's word for "had to be ended"
    jupiter.link_up()
    mercury.resume_libvirtd()
    for host in (mercury, jupiter):
        assert connect(host.uri("tcp")).stdout.strip() == host.name


def test_reset_leaves_no_guest_and_no_volume(empty_lab: Lab) -> None:
    empty_lab.create_guest("mercury", "one")
    empty_lab.create_guest("jupiter", "two", pool="local")
    empty_lab.reset()
    assert empty_lab.guests == {}
    for host in empty_lab.hosts.values():
        assert host.virsh("list", "--all", "--name").split() == []
        assert [host.virsh("vol-list", pool).split() for pool in ("VM", "local")] == [[], []]


def traces(lab: Lab, pid_namespaces: set[str]) -> list[str]:
    """What the machine still has of a lab: processes of its namespaces, its link, its mounts, its folder."""
    processes = [path for path in Path("/proc").glob("[0-9]*/ns/pid") if namespace_of(path) in pid_namespaces]
    mounts = [
        line for line in Path("/proc/mounts").read_text().splitlines() if str(lab.instance.folder) in line
    ]
    files = [Path("/sys/class/net", lab.instance.console_link), lab.instance.folder]
    return [*map(str, processes), *mounts, *(str(path) for path in files if path.exists())]


def namespace_of(path: Path) -> str | None:
    try:
        return str(path.readlink())
    except (FileNotFoundError, ProcessLookupError):
        return None


def test_two_labs_made_at_once_live_side_by_side_and_leave_nothing(lab: Lab) -> None:
    names = ("neighbour", "passing")
    makers = [threading.Thread(target=Lab.up, args=(name,), kwargs={"hosts": ("mercury",)}) for name in names]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    others = [Lab.attach(name) for name in names]
    assert len({made.hosts["mercury"].address for made in (lab, *others)}) == 3
    for made in others:
        assert made.problems() == {}
        made.create_guest("mercury", "passenger")
        nodes = [made.storage, made.hosts["mercury"].node]
        namespaces = {str(Path(f"/proc/{node.init_pid}/ns/pid").readlink()) for node in nodes}
        assert len(traces(made, namespaces)) > 8
        made.down()
        assert traces(made, namespaces) == []
        assert find_instance(made.name) is None
    assert lab.problems() == {}


def test_up_repairs_a_running_lab_and_refuses_other_hosts(empty_lab: Lab) -> None:
    empty_lab.hosts["mercury"].kill_libvirtd()
    empty_lab.hosts["jupiter"].kill_sshd()
    again = Lab.up(empty_lab.name)
    assert again.instance == empty_lab.instance
    assert again.problems() == {}
    with pytest.raises(LabError, match="is up with hosts mercury, jupiter"):
        Lab.up(empty_lab.name, hosts=("saturn",))
