"""Secrets that pools need (CHAP, Ceph). Their value is handed on to libvirt and never shown or logged."""

from __future__ import annotations

from typing import Any, Final

import libvirt
from lxml import etree

from hosts.driver.changes import proving
from hosts.driver.errors import is_code
from hosts.driver.storage_finding import asking, storing
from hosts.errors import OperationFailed, Refused
from hosts.facts.xml import outer_xml
from hosts.ports import Change
from hosts.storage_ports import SecretOrder

# usage type → libvirt's number, and the element that holds the name
_USAGES: Final = {
    "iscsi": (libvirt.VIR_SECRET_USAGE_TYPE_ISCSI, "target"),
    "ceph": (libvirt.VIR_SECRET_USAGE_TYPE_CEPH, "name"),
}


def define_secret(virt: Any, host: str, order: SecretOrder) -> Change:
    """Defined where missing; a value is set whenever one is given, because a private one cannot be compared."""
    words = f"the secret {order.usage_name} ({order.usage_type})"
    if order.usage_type not in _USAGES or not order.usage_name:
        raise Refused(
            f"Nothing was changed on {host}: a secret for a pool is of type iscsi or ceph and has a name."
        )
    secret = _find(virt, host, order)
    before = _state(secret)
    _check_uuid(host, order, before, words)
    if secret is not None and not order.value:
        return Change(False, f"{host} has {words} already.", before, before)
    with storing(host, f"define {words}"):
        secret = secret or virt.secretDefineXML(_render(order), 0)
        if order.value:
            secret.setValue(order.value, 0)
    with proving(host, f"define {words}"):
        after = _state(_find(virt, host, order))
    if after["definition"] == "missing":
        raise OperationFailed(f"{host} said that it defined {words}, but does not have it.")
    done = "has its value set anew" if before["definition"] != "missing" else "is defined"
    value = "" if order.value or before["definition"] != "missing" else ", still without a value"
    return Change(True, f"On {host} {words} {done}{value}.", before, after)


def _find(virt: Any, host: str, order: SecretOrder) -> Any:
    with asking(host, f"find the secret {order.usage_name}"):
        try:
            return virt.secretLookupByUsage(_USAGES[order.usage_type][0], order.usage_name)
        except libvirt.libvirtError as error:
            if is_code(error, "NO_SECRET"):
                return None
            raise


def _check_uuid(host: str, order: SecretOrder, before: dict[str, str], words: str) -> None:
    wanted, there = order.secret_uuid.lower(), before.get("uuid", "")
    if wanted and there and wanted != there:
        raise Refused(
            f"{host} has {words} already, with the UUID {there} and not {wanted}. It was not touched.",
            remedy=f"Name it by its usage or by this UUID in the pool, or remove it: virsh secret-undefine {there}",
        )


def _render(order: SecretOrder) -> str:
    secret = etree.Element("secret", ephemeral="no", private="yes")
    if order.secret_uuid:
        etree.SubElement(secret, "uuid").text = order.secret_uuid
    usage = etree.SubElement(secret, "usage", type=order.usage_type)
    etree.SubElement(usage, _USAGES[order.usage_type][1]).text = order.usage_name
    return outer_xml(secret)


def _state(secret: Any) -> dict[str, str]:
    if secret is None:
        return {"definition": "missing"}
    return {"definition": "there", "uuid": str(secret.UUIDString()).lower()}
