"""How a pool on a host differs from what its template wants, element by element. Pure.

What libvirt adds by itself or writes in its own way is no difference; what the wanted definition leaves to the host
(mode, owner, group) is none either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lxml import etree

from hosts.facts.pool_normal import normal_mode, sanitize_path
from hosts.facts.pool_template_places import PREFIXES
from hosts.facts.pool_template_table import NFS_PORT, find_type
from hosts.facts.xml import parse_xml

_FIGURES: Final = ("uuid", "capacity", "allocation", "available")
# libvirt drops or makes up the target of these.
_WITHOUT_TARGET_PATH: Final = frozenset({"logical", "zfs", "rbd", "gluster", "iscsi-direct"})
_WITHOUT_TARGET: Final = frozenset({"rbd", "gluster", "iscsi-direct"})
# What libvirt's own code connects to when a definition names no port.
_DEFAULT_PORTS: Final = {"iscsi": "3260", "iscsi-direct": "3260", "gluster": "24007", "netfs": NFS_PORT}
# Elements that may come several times, and the attribute that tells one from another.
_REPEATED: Final = {"host": "name", "device": "path", "option": "name"}


@dataclass(frozen=True, slots=True)
class Difference:
    """`element` as "source/host name" or "target/permissions/mode"; "" where a side has no such thing."""

    element: str
    wanted: str
    actual: str


def compare_definitions(wanted_xml: str, actual_xml: str) -> tuple[Difference, ...]:
    """All differences, in the order of the wanted definition. Raises ValueError when either is no pool."""
    wanted, actual = _flatten(wanted_xml), _flatten(actual_xml)
    return tuple(
        Difference(path, wanted.get(path, ""), actual.get(path, ""))
        for path in dict.fromkeys((*wanted, *actual))
        if wanted.get(path, "") != actual.get(path, "") and not _left_to_the_host(path, wanted)
    )


def _left_to_the_host(path: str, wanted: dict[str, str]) -> bool:
    """A running pool tells the permissions its folder has; only those that are asked for must be right."""
    return path.startswith("target/permissions") and path not in wanted


def _flatten(xml: str) -> dict[str, str]:
    """Path → value of everything a definition says."""
    root = parse_xml(xml, root="pool")
    _normalise(root)
    found = {"type": str(root.get("type") or "")}
    for child in root.iterchildren("*"):
        _add(child, "", found)
    return {path: value for path, value in found.items() if value}


def _add(element: etree._Element, above: str, found: dict[str, str]) -> None:
    path = f"{above}{_name(element)}"
    identity = _REPEATED.get(str(etree.QName(element).localname))
    if identity:
        _add_repeated(element, identity, path, found)
        return
    _put(found, path, (element.text or "").strip())
    for name, value in element.attrib.items():
        _put(found, f"{path} {name!s}", str(value).strip())
    for child in element.iterchildren("*"):
        _add(child, f"{path}/", found)


def _add_repeated(element: etree._Element, identity: str, path: str, found: dict[str, str]) -> None:
    """All of them as one sorted value for each attribute: their order says nothing."""
    if f"{path} {identity}" in found:
        return
    parent = element.getparent()
    siblings = [element] if parent is None else parent.findall(str(element.tag))
    found[f"{path} {identity}"] = ", ".join(sorted(str(item.get(identity) or "") for item in siblings))
    for name in sorted({str(name) for item in siblings for name in item.attrib} - {identity}):
        texts = [(str(item.get(identity) or ""), str(item.get(name) or "")) for item in siblings]
        alone = len(texts) == 1
        found[f"{path} {name}"] = ", ".join(
            sorted(value if alone else f"{who}: {value}" for who, value in texts if value)
        )


def _put(found: dict[str, str], path: str, value: str) -> None:
    """An element that comes twice although it should not is not lost."""
    if value:
        found[path] = f"{found[path]}, {value}" if path in found else value


def _name(element: etree._Element) -> str:
    name = etree.QName(element)
    prefix, local = PREFIXES.get(str(name.namespace or "")), str(name.localname)
    return f"{prefix}:{local}" if prefix else local


def _normalise(root: etree._Element) -> None:
    kind = str(root.get("type") or "")
    _remove(root, *_FIGURES, "source/device/freeExtent")
    if kind in _WITHOUT_TARGET:
        _remove(root, "target")
    if kind in _WITHOUT_TARGET_PATH:
        _remove(root, "target/path")
    _add_defaults(root, kind)
    _normalise_hosts(root, kind)
    _normalise_values(root)
    _normalise_secret(root)


def _remove(root: etree._Element, *paths: str) -> None:
    for path in paths:
        for element in root.findall(path):
            parent = element.getparent()
            if parent is not None:
                parent.remove(element)


def _add_defaults(root: etree._Element, kind: str) -> None:
    found = find_type(kind)
    source = root.find("source")
    if source is None:
        source = etree.SubElement(root, "source")
    if found and found.default_format and source.find("format") is None:
        etree.SubElement(source, "format", type=found.default_format)
    if kind == "logical" and source.find("name") is None:
        etree.SubElement(source, "name").text = root.findtext("name")
    if kind == "gluster" and source.find("dir") is None:
        etree.SubElement(source, "dir", path="/")


def _normalise_hosts(root: etree._Element, kind: str) -> None:
    for host in root.iterfind("source/host"):
        host.set("name", str(host.get("name") or "").strip().lower())
        if host.get("port") in {_DEFAULT_PORTS.get(kind), "0", ""}:
            host.attrib.pop("port", "")


def _normalise_values(root: etree._Element) -> None:
    for path in root.iterfind("target/path"):
        path.text = sanitize_path((path.text or "").strip())
    for folder in root.iterfind("source/dir"):
        folder.set("path", sanitize_path(str(folder.get("path") or "").strip()))
    for mode in root.iterfind("target/permissions/mode"):
        mode.text = normal_mode((mode.text or "").strip())
    for number in root.findall("target/permissions/owner") + root.findall("target/permissions/group"):
        if (number.text or "").strip() == "-1":
            number.text = None  # whoever it is


def _normalise_secret(root: etree._Element) -> None:
    for secret in root.iterfind("source/auth/secret"):
        secret.attrib.pop("type", "")  # libvirt drops it: the pool's type says the same
        if secret.get("uuid"):
            secret.set("uuid", str(secret.get("uuid")).strip().lower())
