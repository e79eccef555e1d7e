"""Pool templates on three real hosts: applied, drifted, refused, brought in line, with a host that is dead."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from hosts.models import AuditEntry, Host, OperationOutcome, StorageOperation
from hosts.services import contents, inventory, storage_work, templates
from hosts.services.drift import find_drift
from hosts.services.pool_compare import compare_pool
from hosts.services.storage_orders import OperationKind, StorageRefused
from tests.hosts.services.storage import FOLDER, apply, do, make_template, states, work
from tests.jobs.console import Console
from tests.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.storage]

NAME = "tidy"
O = OperationOutcome  # noqa: E741
NETFS = """<pool type='netfs'><name>{name}</name><source><host name='{address}'/><dir path='VM'/>
<format type='glusterfs'/></source><target><path>/var/lib/libvirt/{{{{ host.name }}}}</path></target></pool>"""


@pytest.fixture(scope="module")
def three() -> Iterator[Lab]:
    instance = Lab.up(name=f"three-{os.getpid()}", hosts=("mercury", "jupiter", "saturn"))
    yield instance
    instance.down()


@pytest.fixture
def console(three: Lab, bells: None, transactional_db: None) -> Iterator[Console]:
    three.reset()
    instance = Console(three).connect()
    read(instance)
    yield instance
    instance.close()  # what is left goes before the next test, or with the lab


def read(console: Console, *pools: str) -> None:
    """What the control workers do: every host, and the volumes of these pools."""
    for host in console.hosts.values():
        if inventory.refresh_host(host):
            for pool in pools:
                contents.read_contents(host, pool)


def outcomes(operations: dict[str, StorageOperation]) -> dict[str, str]:
    return {name: operation.outcome for name, operation in operations.items()}


def drift(console: Console, template: templates.PoolTemplate) -> dict[str, str]:
    return {item.host.name: item.state for item in find_drift(template)}


def test_template_reaches_every_host_but_the_dead_one_which_is_retried_alone(console: Console) -> None:
    template = make_template(NAME, *console.hosts.values())
    console.lab.hosts["saturn"].kill_libvirtd()
    done = apply(template, *templates.hosts_of(template))
    assert outcomes(done) == {"mercury": O.DONE, "jupiter": O.DONE, "saturn": O.FAILED}
    assert done["saturn"].sentence.endswith("Nothing was changed.")
    assert done["saturn"].advice
    assert states(done["mercury"]) == {
        "secret": "not-needed", "define": "ok", "stop": "not-needed", "build": "ok", "start": "ok",
        "autostart": "ok", "refresh": "not-needed",
    }  # fmt: skip
    for name in ("mercury", "jupiter"):
        facts = console.lab.hosts[name].virsh("pool-info", NAME)
        assert [line.split()[-1] for line in facts.splitlines()[2:5]] == ["running", "yes", "yes"]

    console.lab.hosts["saturn"].start_libvirtd()
    again = templates.retry(Console.person("anna"), done["saturn"])
    assert again.run_id == done["saturn"].run_id
    storage_work.run(again.pk)
    again.refresh_from_db()
    assert again.outcome == O.DONE
    assert drift(console, template) == dict.fromkeys(("jupiter", "mercury", "saturn"), "same")
    assert AuditEntry.objects.filter(action="storage.apply", outcome="done").count() == 3


def test_applying_twice_changes_nothing(console: Console) -> None:
    template = make_template(NAME, *console.hosts.values())
    first = apply(template, *console.hosts.values())
    assert set(outcomes(first).values()) == {O.DONE}
    before = {name: host.virsh("pool-dumpxml", NAME) for name, host in console.lab.hosts.items()}
    second = apply(template, *console.hosts.values())
    assert set(outcomes(second).values()) == {O.NOT_NEEDED}
    assert {state for operation in second.values() for state in states(operation).values()} == {"not-needed"}
    assert {name: host.virsh("pool-dumpxml", NAME) for name, host in console.lab.hosts.items()} == before


def test_dry_run_says_what_it_would_do_and_does_nothing(console: Console) -> None:
    mercury = console.hosts["mercury"]
    template = make_template(NAME, mercury)
    looked = apply(template, mercury, dry=True)["mercury"]
    assert looked.outcome == O.DONE
    assert states(looked)["define"] == states(looked)["start"] == states(looked)["autostart"] == "would"
    assert "Nothing was changed" in looked.sentence
    assert NAME not in console.lab.hosts["mercury"].virsh("pool-list", "--all", "--name").split()
    assert not AuditEntry.objects.filter(action="storage.apply").exists()


def test_drift_made_with_virsh_is_found_and_brought_in_line(console: Console) -> None:
    template = make_template(NAME, *console.hosts.values())
    apply(template, *console.hosts.values())
    mercury, jupiter, saturn = (console.lab.hosts[name] for name in ("mercury", "jupiter", "saturn"))
    other = f"<pool type='dir'><name>{NAME}</name><target><path>/var/lib/libvirt/other</path></target></pool>"
    mercury.virsh("pool-destroy", NAME)
    mercury.virsh("pool-undefine", NAME)
    mercury.run(["sh", "-c", f"cat >/tmp/other.xml <<'END'\n{other}\nEND\n"])
    mercury.virsh("pool-define", "/tmp/other.xml")
    mercury.virsh(f"pool-build {NAME}; pool-start {NAME}; pool-autostart {NAME}")
    jupiter.virsh("pool-autostart", NAME, "--disable")
    saturn.virsh("pool-destroy", NAME)
    read(console, NAME)

    found = {item.host.name: item for item in find_drift(template)}
    assert {name: item.state for name, item in found.items()} == {
        "mercury": "differs", "jupiter": "differs", "saturn": "inactive",
    }  # fmt: skip
    changes = {item.element: (item.wanted, item.actual) for item in found["mercury"].differences}
    assert changes["target/path"] == (FOLDER.format(name=NAME), "/var/lib/libvirt/other")
    assert found["mercury"].needs_stop
    assert not found["mercury"].needs_confirmation
    assert [item.element for item in found["jupiter"].differences] == ["autostart"]
    assert found["saturn"].words == "Make its folder where it is missing, start it."

    done = apply(template, *console.hosts.values())
    assert set(outcomes(done).values()) == {O.DONE}
    assert states(done["mercury"])["stop"] == "ok"
    assert set(drift(console, template).values()) == {"same"}
    assert set(outcomes(apply(template, *console.hosts.values())).values()) == {O.NOT_NEEDED}


def test_definition_that_libvirt_refuses_is_told_in_its_words(console: Console) -> None:
    xml = f"<pool type='dir'><name>{NAME}</name><target><path>/p</path><perms/></target></pool>"
    template = make_template(NAME, console.hosts["mercury"], xml=xml)
    done = apply(template, console.hosts["mercury"])["mercury"]
    assert done.outcome in {O.REFUSED, O.FAILED}
    assert states(done)["define"] == "failed"
    assert done.libvirt_text
    assert done.advice
    assert NAME not in console.lab.hosts["mercury"].virsh("pool-list", "--all", "--name").split()


def test_source_that_does_not_exist_fails_at_the_start_and_says_how_far_it_came(console: Console) -> None:
    xml = NETFS.replace("<dir path='VM'/>", "<dir path='nowhere'/>").format(name=NAME, address="127.0.0.1")
    template = make_template(NAME, console.hosts["mercury"], xml=xml)
    done = apply(template, console.hosts["mercury"])["mercury"]
    assert done.outcome == O.FAILED
    assert states(done)["start"] == "failed"
    assert "Done before that: define" in done.sentence
    assert done.libvirt_text


def test_network_storage_is_the_same_everywhere(console: Console) -> None:
    """A second mount of the shared volume, at a path that differs from host to host."""
    from tests.lab.layout import STORAGE_OCTET

    xml = NETFS.format(name=NAME, address=console.lab.instance.address(STORAGE_OCTET))
    template = make_template(NAME, *console.hosts.values(), xml=xml)
    assert set(outcomes(apply(template, *console.hosts.values())).values()) == {O.DONE}
    assert set(outcomes(apply(template, *console.hosts.values())).values()) == {O.NOT_NEEDED}
    mercury = console.hosts["mercury"]
    do(mercury, OperationKind.VOLUME_CREATE, NAME, "seen.qcow2", format="qcow2", capacity_bytes=8 * 1024**2)
    for host in console.hosts.values():
        do(host, OperationKind.REFRESH, NAME)
    compared = compare_pool(NAME)
    assert compared.volumes_compared
    assert compared.volume_differences == ()
    assert [row.label for row in compared.differing] == ["Path"]
    assert {place.volume_count for place in compared.places} == {1}


def test_pool_of_a_running_guest_is_stopped_only_when_confirmed_by_name(console: Console) -> None:
    mercury = console.hosts["mercury"]
    template = make_template("local", mercury, xml=_local_elsewhere(console))
    console.lab.create_guest("mercury", "busy", pool="local", cache="writeback")
    read(console, "local")
    drifted = next(item for item in find_drift(template) if item.host.name == "mercury")
    assert drifted.needs_confirmation
    assert "busy" in drifted.words

    refused = apply(template, mercury)["mercury"]
    assert refused.outcome == O.REFUSED
    assert "busy" in refused.sentence
    looked = apply(template, mercury, dry=True)["mercury"]
    stop = next(row for row in looked.steps_data if row["step"] == "stop")
    assert (stop["state"], "busy" in stop["words"]) == ("would", True)
    wrong = apply(template, mercury, confirmed={mercury.pk: "Local"})["mercury"]
    assert wrong.outcome == O.REFUSED
    xml = console.lab.hosts["mercury"].virsh("pool-dumpxml", "local")
    assert "elsewhere" not in xml

    done = apply(template, mercury, confirmed={mercury.pk: "local"})["mercury"]
    assert done.outcome == O.DONE
    assert "elsewhere" in console.lab.hosts["mercury"].virsh("pool-dumpxml", "local")
    assert console.lab.hosts["mercury"].virsh("domstate", "busy").strip() == "running"


def _local_elsewhere(console: Console) -> str:
    return (
        "<pool type='dir'><name>local</name><target><path>/var/lib/libvirt/elsewhere</path></target></pool>"
    )


def test_missing_value_is_said_for_that_host_alone(console: Console) -> None:
    xml = f"<pool type='dir'><name>{NAME}</name><target><path>{{{{ host.path }}}}</path></target></pool>"
    template = make_template(NAME, *console.hosts.values(), xml=xml)
    template.placements.filter(host=console.hosts["jupiter"]).update(path="/var/lib/libvirt/by-hand")
    done = work(templates.apply(None, template, templates.hosts_of(template)))
    assert outcomes(done) == {"mercury": O.REFUSED, "jupiter": O.DONE, "saturn": O.REFUSED}
    assert "host.path" in done["mercury"].sentence
    assert AuditEntry.objects.filter(outcome="refused", action="storage.apply").count() == 2


def test_disabled_host_is_refused_at_once(console: Console) -> None:
    console.set_host("jupiter", enabled=False)
    template = make_template(NAME, console.hosts["jupiter"])
    done = apply(template, Host.objects.get(name="jupiter"))["jupiter"]
    assert (done.outcome, "disabled" in done.sentence) == (O.REFUSED, True)


def test_secret_goes_to_the_host_before_the_pool_and_nowhere_else(console: Console) -> None:
    xml = (
        f"<pool type='iscsi'><name>{NAME}</name><source><host name='127.0.0.1'/><device path='iqn.2026-01.example:t'/>"
        "<auth type='chap' username='anna'><secret usage='lun of anna'/></auth></source>"
        "<target><path>/dev/disk/by-path</path></target></pool>"
    )
    mercury, host = console.hosts["mercury"], console.lab.hosts["mercury"]
    template = make_template(NAME, mercury, xml=xml, secrets={"chap_password": "pass-word-16-long"})
    done = apply(template, mercury)["mercury"]
    assert (states(done)["secret"], states(done)["define"]) == ("ok", "ok"), done.sentence
    listed = next(line.split() for line in host.virsh("secret-list").splitlines() if "lun of anna" in line)
    assert "pass-word" not in host.virsh(
        "secret-get-value", "--plain", listed[0], check=False
    )  # it is private
    again = apply(template, mercury)["mercury"]
    # The pool does not run, so the value may be a wrong one: it is set again.
    assert (states(again)["secret"], states(again)["define"]) == ("ok", "not-needed")
    rows = [*AuditEntry.objects.values(), *StorageOperation.objects.values()]
    assert "pass-word-16-long" not in str(rows)
    host.virsh("secret-undefine", listed[0])


def test_retry_pressed_twice_is_one_retry(console: Console) -> None:
    template = make_template(NAME, console.hosts["mercury"])
    console.lab.hosts["mercury"].kill_libvirtd()
    failed = apply(template, console.hosts["mercury"])["mercury"]
    console.lab.hosts["mercury"].start_libvirtd()
    first = templates.retry(None, failed)
    with pytest.raises(StorageRefused, match="under way") as refused:
        templates.retry(None, failed)
    assert refused.value.under_way == first
    storage_work.run(first.pk)
    storage_work.run(first.pk)
    first.refresh_from_db()
    assert first.outcome == O.DONE
    assert StorageOperation.objects.count() == 2
