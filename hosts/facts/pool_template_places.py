"""Where a pool's XML holds the fields of its form, and how one is read and changed with the rest left alone. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from lxml import etree

from hosts.facts.pool_template_shape import join_host, split_host

FS_NAMESPACE: Final = "http://libvirt.org/schemas/storagepool/fs/1.0"
RBD_NAMESPACE: Final = "http://libvirt.org/schemas/storagepool/rbd/1.0"
PREFIXES: Final = {FS_NAMESPACE: "fs", RBD_NAMESPACE: "rbd"}
MOUNT_OPTIONS: Final = f"{{{FS_NAMESPACE}}}mount_opts"
CONFIG_OPTIONS: Final = f"{{{RBD_NAMESPACE}}}config_opts"

# As libvirt writes them. Its schema wants the mount options of an fs pool at the very end.
_ORDER: Final = {
    "pool": (
        "name", "uuid", "capacity", "allocation", "available", "features", "source", "target", "refresh",
        MOUNT_OPTIONS, CONFIG_OPTIONS,
    ),
    "source": (
        "host", "device", "dir", "adapter", "name", "initiator", "format", "protocol", "auth", "vendor", "product",
    ),
    "target": ("path", "permissions"),
    "permissions": ("mode", "owner", "group", "label"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """One value: the text of the element at `path`, or its `attribute`."""

    path: tuple[str, ...]
    attribute: str = ""


@dataclass(frozen=True, slots=True)
class ListPlace:
    """Elements of one name, one for each item. `read` gives an item's attributes as text, `write` the way back."""

    path: tuple[str, ...]
    read: Callable[[etree._Element], str]
    write: Callable[[str], dict[str, str]]


def _reader(attribute: str) -> Callable[[etree._Element], str]:
    return lambda element: str(element.get(attribute) or "").strip()


def _writer(attribute: str) -> Callable[[str], dict[str, str]]:
    return lambda text: {attribute: text}


def _read_host(element: etree._Element) -> str:
    return join_host(_reader("name")(element), _reader("port")(element))


def _write_host(text: str) -> dict[str, str]:
    return dict(zip(("name", "port"), split_host(text), strict=True))


def _read_config(element: etree._Element) -> str:
    name, value = _reader("name")(element), element.get("value")
    return name if value is None else f"{name}={value.strip()}"


def _write_config(text: str) -> dict[str, str]:
    name, _, value = text.partition("=")
    return {"name": name.strip(), "value": value.strip()}


PLACES: Final[dict[str, Place]] = {
    "name": Place(("name",)),
    "target_path": Place(("target", "path")),
    "mode": Place(("target", "permissions", "mode")),
    "owner": Place(("target", "permissions", "owner")),
    "group": Place(("target", "permissions", "group")),
    "source_dir": Place(("source", "dir"), "path"),
    "source_name": Place(("source", "name")),
    "source_format": Place(("source", "format"), "type"),
    "target_iqn": Place(("source", "device"), "path"),
    "initiator_iqn": Place(("source", "initiator", "iqn"), "name"),
    "protocol_version": Place(("source", "protocol"), "ver"),
    "auth_username": Place(("source", "auth"), "username"),
    "secret_usage": Place(("source", "auth", "secret"), "usage"),
    "secret_uuid": Place(("source", "auth", "secret"), "uuid"),
    "cow": Place(("features", "cow"), "state"),
}
LIST_PLACES: Final[dict[str, ListPlace]] = {
    "hosts": ListPlace(("source", "host"), _read_host, _write_host),
    "devices": ListPlace(("source", "device"), _reader("path"), _writer("path")),
    "mount_options": ListPlace(
        (MOUNT_OPTIONS, f"{{{FS_NAMESPACE}}}option"), _reader("name"), _writer("name")
    ),
    "config_options": ListPlace((CONFIG_OPTIONS, f"{{{RBD_NAMESPACE}}}option"), _read_config, _write_config),
}


def read_text(root: etree._Element, place: Place) -> str:
    """What the first element there says, stripped; "" when there is none."""
    element = root.find("/".join(place.path))
    if element is None:
        return ""
    return str((element.get(place.attribute) if place.attribute else element.text) or "").strip()


def read_items(root: etree._Element, place: ListPlace) -> tuple[str, ...]:
    items = (place.read(element) for element in root.iterfind("/".join(place.path)))
    return tuple(filter(None, items))


def write_text(root: etree._Element, place: Place, value: str) -> None:
    """Set it; "" removes it, and what is empty without it."""
    if not value:
        _remove_text(root, place)
        return
    element = _ensure(root, place.path)
    if place.attribute:
        element.set(place.attribute, value)
    else:
        element.text = value


def _remove_text(root: etree._Element, place: Place) -> None:
    element = root.find("/".join(place.path))
    if element is None:
        return
    if place.attribute:
        element.attrib.pop(place.attribute, "")
    else:
        element.text = None
    prune(root, element)


def write_items(root: etree._Element, place: ListPlace, items: tuple[str, ...]) -> None:
    """These items in this order. The element of an item that stays is moved, not made anew."""
    path = "/".join(place.path)
    kept: dict[str, list[etree._Element]] = {}
    parent = root.find("/".join(place.path[:-1]))
    for element in root.findall(path):
        kept.setdefault(place.read(element), []).append(element)
        element.getparent().remove(element)  # type: ignore[union-attr]
    if not items:
        if parent is not None:
            prune(root, parent)
        return
    if len(items) == len(kept) == 1 and items[0] not in kept:
        # The only one has another value: what else it says stays.
        kept = {items[0]: [_change_item(elements[0], place, items[0]) for elements in kept.values()]}
    parent = _ensure(root, place.path[:-1])
    for item in items:
        same = kept.get(item)
        _insert(parent, same.pop(0) if same else make_item(place, item))


def make_item(place: ListPlace, item: str) -> etree._Element:
    return _change_item(_make(place.path[-1]), place, item)


def _change_item(element: etree._Element, place: ListPlace, item: str) -> etree._Element:
    for name, value in place.write(item).items():
        if value:
            element.set(name, value)
        else:
            element.attrib.pop(name, "")
    return element


def _ensure(root: etree._Element, path: tuple[str, ...]) -> etree._Element:
    current = root
    for tag in path:
        found = current.find(tag)
        if found is None:
            found = _make(tag)
            _insert(current, found)
        current = found
    return current


def _make(tag: str) -> etree._Element:
    namespace = tag[1:].partition("}")[0] if tag.startswith("{") else ""
    return etree.Element(tag, nsmap={PREFIXES[namespace]: namespace} if namespace else None)


def _insert(parent: etree._Element, element: etree._Element) -> None:
    """Where libvirt would write it among what is there."""
    order = _ORDER.get(str(parent.tag), ())
    rank = _rank(order, element)
    for position, sibling in enumerate(parent):
        if isinstance(sibling.tag, str) and _rank(order, sibling) > rank:
            parent.insert(position, element)
            return
    parent.append(element)


def _rank(order: tuple[str, ...], element: etree._Element) -> int:
    """What libvirt's order does not name, stays behind what it names, but before the mount options."""
    tag = str(element.tag)
    if tag in order:
        return order.index(tag)
    return order.index(MOUNT_OPTIONS) if MOUNT_OPTIONS in order else len(order)


def prune(root: etree._Element, element: etree._Element) -> None:
    """Remove an element that says nothing, and its parents that then say nothing."""
    while (
        element is not root and not len(element) and not element.attrib and not (element.text or "").strip()
    ):
        parent = element.getparent()
        if parent is None:
            return
        parent.remove(element)
        element = parent
