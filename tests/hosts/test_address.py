"""Connection addresses: what people may type, and what must never get through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hosts.facts.address import TRANSPORTS, ConnectionAddress, parse_address, render_address

GOOD = {
    "qemu:///system": ConnectionAddress("qemu"),
    "qemu:///session": ConnectionAddress("qemu", path="/session"),
    "qemu+unix:///system?socket=/run/libvirt/libvirt-sock": ConnectionAddress(
        "qemu", "unix", parameters=(("socket", "/run/libvirt/libvirt-sock"),)
    ),
    "qemu+ssh://root@mercury/system": ConnectionAddress("qemu", "ssh", "root", "mercury"),
    "qemu+ssh://mercury:2222/system?mode=legacy": ConnectionAddress(
        "qemu", "ssh", "", "mercury", 2222, parameters=(("mode", "legacy"),)
    ),
    "qemu+tcp://[2001:db8::1]:16510/system": ConnectionAddress("qemu", "tcp", "", "2001:db8::1", 16510),
    "qemu+tls://[fe80::1%25eth0]/system": ConnectionAddress("qemu", "tls", "", "fe80::1%eth0"),
    "qemu://mercury.example.org/system": ConnectionAddress("qemu", "", "", "mercury.example.org"),
    "qemu+libssh2://root@10.0.0.1/system": ConnectionAddress("qemu", "libssh2", "root", "10.0.0.1"),
    "xen+ssh://root@mercury/": ConnectionAddress("xen", "ssh", "root", "mercury", path="/"),
    "xen:///system": ConnectionAddress("xen"),
}

# Address → a word its refusal must contain.
REFUSED = {
    "": "empty",
    "mercury": "not a connection address",
    "http://mercury/system": "driver",
    "qemu+ext:///system": "run a program",
    "qemu+ext:///system?command=/bin/sh": "run a program",
    "qemu+ssh://root@mercury/system?command=/tmp/evil": "run a program",
    "qemu+ssh://root@mercury/system?netcat=/tmp/evil": "run a program",
    "qemu+ssh://root@mercury/system?keyfile=/etc/shadow": "credentials",
    "qemu+tls://mercury/system?pkipath=/tmp": "credentials",
    "qemu+ssh://root@mercury/system?no_verify=1": "always verified",
    "qemu+libssh2://root@mercury/system?known_hosts_verify=ignore": "always verified",
    "qemu+ssh://root@mercury/system?surprise=1": "not known",
    "qemu+ssh://root@mercury/system?socket=/a&socket=/b": "twice",
    "qemu+ssh://root@mercury/system?socket=$(reboot)": "not allowed",
    "qemu+ssh://root@mercury/system?socket=/run/../etc/x": "not allowed",
    "qemu+ssh://root:secret@mercury/system": "password",
    "qemu+ssh://-oProxyCommand=reboot/system": "not allowed",
    "qemu+ssh://-l@mercury/system": "not allowed",
    "qemu+ssh://mercury;reboot/system": "not allowed",
    "qemu+ssh://mercury/system#x": "#",
    "qemu+ssh://mercury/elsewhere": "/system",
    "qemu+ssh:///system": "needs a host",
    "qemu+unix://mercury/system": "stays on this machine",
    "qemu+tcp://root@mercury/system": "SASL",
    "qemu+tcp://mercury:0/system": "Port 0",
    "qemu+tcp://mercury:99999/system": "port",
    "qemu+tcp://[::g]/system": "",
    "qemu+tcp://mercury/sys tem": "blanks",
    "qemu+tcp://mercury/system\n": "",
    "test:///etc/passwd": "/default",
}


@pytest.mark.parametrize(("text", "address"), GOOD.items())
def test_good_address_is_read_and_written_back(text: str, address: ConnectionAddress) -> None:
    assert parse_address(text) == address
    assert parse_address(render_address(address)) == address


@pytest.mark.parametrize(("text", "word"), [pair for pair in REFUSED.items() if not pair[0].endswith("\n")])
def test_dangerous_or_wrong_address_is_refused_with_a_reason(text: str, word: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as refusal:
        parse_address(text)
    assert word in str(refusal.value)
    assert "secret" not in str(refusal.value)


@given(st.text(max_size=200))
def test_no_text_raises_anything_but_value_error(text: str) -> None:
    try:
        parse_address(text)
    except ValueError:
        return


@given(
    transport=st.sampled_from([name for name in TRANSPORTS if name not in {"", "unix"}]),
    host=st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?", fullmatch=True),
    port=st.none() | st.integers(1, 65535),
    query=st.text("abckeyfilmndosct=&?/.%_-1 ", max_size=30),
)
def test_accepted_address_survives_a_round_trip(
    transport: str, host: str, port: int | None, query: str
) -> None:
    text = f"qemu+{transport}://{host}{':' + str(port) if port else ''}/system{'?' + query if query else ''}"
    try:
        address = parse_address(text)
    except ValueError:
        return
    assert parse_address(render_address(address)) == address
    assert {name for name, _ in address.parameters} <= {"socket", "mode", "proxy", "no_tty"}
