"""The tables that need no host: flags, parameters, the meaning of errors, states."""

from __future__ import annotations

import libvirt
import pytest

from hosts.driver.error_rules import CONNECT_RULES, OPERATION_RULES
from hosts.driver.errors import classify_text
from hosts.driver.flags import PARAMETER_TYPES, flag_bits, typed_parameters
from hosts.driver.host_keys import accepted_keys, fingerprint
from hosts.driver.states import domain_state, state_reason
from hosts.errors import ConnectStep, HostKeyUnknown, Refused
from hosts.facts.domain import DomainState
from hosts.ports import ConnectionSpec, MigrateFlag, TransferOrder


def test_every_flag_of_libvirt_has_a_word_and_the_other_way_round() -> None:
    ours = {f"VIR_MIGRATE_{flag.value}" for flag in MigrateFlag}
    theirs = {name for name in dir(libvirt) if name.startswith("VIR_MIGRATE_") and "_PARAM_" not in name}
    assert ours == theirs
    assert flag_bits([MigrateFlag.LIVE, MigrateFlag.PEER2PEER]) == 3
    assert flag_bits([]) == 0


def test_every_parameter_of_libvirt_is_known() -> None:
    theirs = {getattr(libvirt, name) for name in dir(libvirt) if name.startswith("VIR_MIGRATE_PARAM_")}
    assert theirs <= set(PARAMETER_TYPES)


def test_parameters_are_handed_on_with_lists_for_tuples() -> None:
    order = TransferOrder(
        "u", frozenset(), {"bandwidth": 10, "migrate_disks": ("vda", "vdb"), "migrate_uri": "tcp://b"}
    )
    assert typed_parameters(order) == {
        "bandwidth": 10,
        "migrate_disks": ["vda", "vdb"],
        "migrate_uri": "tcp://b",
    }


@pytest.mark.parametrize(
    "parameters",
    [
        {"surprise": 1},
        {"bandwidth": "10"},
        {"bandwidth": -1},
        {"bandwidth": 2**62},
        {"disks_port": 2**40},
        {"migrate_disks": "vda"},
        {"parallel.connections": True},
    ],
)
def test_wrong_parameters_are_refused_before_libvirt_sees_them(parameters: dict[str, int | str]) -> None:
    with pytest.raises(Refused):
        typed_parameters(TransferOrder("u", frozenset(), parameters))


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("ssh: Could not resolve hostname nowhere: Name or service not known", ConnectStep.NAME),
        (
            "Cannot recv data: libvirt:  error : cannot execute binary /tmp/vmm-1/ssh: Permission denied",
            ConnectStep.ADDRESS,
        ),
        ("Host key verification failed.", ConnectStep.HOST_KEY),
        ("@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @", ConnectStep.HOST_KEY),
        ("root@mercury: Permission denied (publickey).", ConnectStep.LOGIN),
        ('Load key "/k": error in libcrypto', ConnectStep.LOGIN),
        ("authentication failed: authentication failed", ConnectStep.LOGIN),
        (
            "Certificate failed validation: The certificate hasn't got a known issuer.",
            ConnectStep.CERTIFICATE,
        ),
        (
            "Failed to connect socket to '/run/libvirt/libvirt-sock': No such file or directory",
            ConnectStep.DAEMON,
        ),
        (
            "Failed to connect socket to '/run/libvirt/libvirt-sock': Permission denied",
            ConnectStep.PERMISSION,
        ),
        ("authentication unavailable: no polkit agent available", ConnectStep.PERMISSION),
        ("connect to host mercury port 22: Connection refused", ConnectStep.PORT),
        ("unable to connect to server at 'mercury:16509': No route to host", ConnectStep.PORT),
    ],
)
def test_the_words_of_a_failed_connection_name_its_step(text: str, step: ConnectStep) -> None:
    error = classify_text(text, "mercury", otherwise=ConnectStep.VERSION)
    assert error.step is step
    assert isinstance(error, HostKeyUnknown) == (step is ConnectStep.HOST_KEY)
    assert "mercury" in error.message
    assert error.remedy


@pytest.mark.parametrize(
    ("code", "text", "words"),
    [
        ("INTERNAL_ERROR", "internal error: qemu unexpectedly closed the monitor", "ended by itself"),
        ("OPERATION_FAILED", "operation failed: domain is not running", "stopped while it was moved"),
        ("OPERATION_INVALID", "Requested operation is not valid: domain is not running", "not in a state"),
        (
            "OPERATION_FAILED",
            "operation failed: job 'migration out' failed: Unable to write to socket: Connection reset by peer",
            "stream of data",
        ),
        ("OPERATION_FAILED", "Source and target image have different sizes", "another size"),
        ("INTERNAL_ERROR", "qemu: -vnc 10.0.0.9:0: Cannot assign requested address", "listens on"),
        ("SYSTEM_ERROR", "cannot extend file '/vm/web01': No space left on device", "full"),
    ],
)
def test_the_words_of_a_failed_move_say_what_it_means_and_what_to_do(
    code: str, text: str, words: str
) -> None:
    number = getattr(libvirt, f"VIR_ERR_{code}")
    rule = next(rule for rule in OPERATION_RULES if rule.matches(number, text))
    assert words in rule.meaning
    assert rule.remedy


def test_rules_name_only_codes_that_libvirt_has() -> None:
    names = {code for rule in (*OPERATION_RULES, *CONNECT_RULES) for code in rule.codes}
    assert not {name for name in names if not hasattr(libvirt, f"VIR_ERR_{name}")}


@pytest.mark.parametrize("rule", [*OPERATION_RULES, *CONNECT_RULES], ids=lambda rule: rule.meaning[:40])
def test_every_rule_can_be_said(rule: object) -> None:
    meaning = rule.meaning.format(host="mercury", doing="move web-1")  # type: ignore[attr-defined]
    assert meaning.endswith(".")


def test_states_and_reasons_are_words() -> None:
    assert domain_state(libvirt.VIR_DOMAIN_PAUSED) is DomainState.PAUSED
    assert (
        state_reason(libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_POSTCOPY_FAILED)
        == "postcopy-failed"
    )
    assert state_reason(libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_RUNNING_MIGRATED) == "migrated"
    assert state_reason(libvirt.VIR_DOMAIN_SHUTOFF, 0) == ""
    assert state_reason(libvirt.VIR_DOMAIN_RUNNING, 99) == "reason 99"
    assert domain_state(99) is DomainState.NO_STATE


def test_accepted_keys_are_found_by_name_port_and_hash() -> None:
    known = "mercury,10.0.0.1 ssh-ed25519 AAAA\n[venus]:2222 ssh-rsa BBBB\n"
    assert accepted_keys("mercury", 22, known) == {("ssh-ed25519", "AAAA")}
    assert accepted_keys("10.0.0.1", 22, known.strip()) == {("ssh-ed25519", "AAAA")}
    assert accepted_keys("venus", 2222, known) == {("ssh-rsa", "BBBB")}
    assert accepted_keys("venus", 22, known) == set()
    assert accepted_keys("mercury", 22, "") == set()


def test_fingerprint_of_what_is_no_key_is_refused() -> None:
    assert fingerprint("AAAA").startswith("SHA256:")
    with pytest.raises(ValueError, match="base64"):
        fingerprint("not base64!")


def test_secrets_do_not_show_in_a_spec() -> None:
    spec = ConnectionSpec("mercury", "qemu+tcp://mercury/system", ssh_private_key="KEY", sasl_password="WORD")
    assert "KEY" not in repr(spec)
    assert "WORD" not in str(spec)
