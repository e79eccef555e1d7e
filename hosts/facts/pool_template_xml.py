"""A pool's XML → the fields people fill in, and back; what the form does not know stays as it is. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from lxml import etree

from hosts.facts.pool_normal import normal_mode, sanitize_path
from hosts.facts.pool_template_places import (
    LIST_PLACES,
    PLACES,
    ListPlace,
    make_item,
    prune,
    read_items,
    read_text,
    write_items,
    write_text,
)
from hosts.facts.pool_template_shape import MAX_ITEMS, PoolForm
from hosts.facts.pool_template_table import NAME, TARGET, find_type
from hosts.facts.xml import outer_xml, parse_xml

# What a host says of its own pool: no other host can take it over.
_OF_ONE_HOST: Final = ("uuid", "capacity", "allocation", "available")
_AUTH_TYPES: Final = {"iscsi": "chap", "iscsi-direct": "chap", "rbd": "ceph"}
_NORMAL: Final = {"target_path": sanitize_path, "source_dir": sanitize_path, "mode": normal_mode}


def read_form(xml: str) -> PoolForm:
    """The fields that the pool's type has, written as libvirt writes them. Raises ValueError."""
    return _read(parse_xml(xml, root="pool"))


def render_form(form: PoolForm, base_xml: str = "") -> str:
    """`base_xml` with these fields; what differs is changed, the rest stays. "": a new definition.

    Raises ValueError for a base that is no pool, for more than MAX_ITEMS items of a list, and for characters that
    XML cannot hold.
    """
    form = _cleaned(form)
    root = parse_xml(base_xml, root="pool", keep_comments=True) if base_xml.strip() else etree.Element("pool")
    before = _read(root)
    if before == form:
        return base_xml
    names = _field_names(form.type)
    if form.type != before.type:
        _take_out(root, before.type, names)
    root.set("type", form.type)
    _write(root, form, _read(root), names)
    etree.indent(root, "  ")
    return outer_xml(root) + "\n"


def import_xml(xml: str) -> str:
    """A host's pool as a template: without its UUID and figures, all else stays. Raises ValueError."""
    root = parse_xml(xml, root="pool", keep_comments=True)
    for name in _OF_ONE_HOST:
        for element in root.findall(name):
            root.remove(element)
    # What libvirt reads from the disk itself: free space between partitions, the folder's SELinux label.
    for element in root.findall("source/device/freeExtent") + root.findall("target/permissions/label"):
        parent = element.getparent()
        if parent is not None:
            parent.remove(element)
            prune(root, parent)
    source = root.find("source")
    if source is not None:
        prune(root, source)
    _complete(root, _read(root))
    etree.indent(root, "  ")
    return outer_xml(root) + "\n"


def _field_names(type_name: str) -> tuple[str, ...]:
    kind = find_type(type_name)
    return tuple(item.field for item in (kind.fields if kind else (NAME, TARGET)))


def _read(root: etree._Element) -> PoolForm:
    kind = str(root.get("type") or "").strip()
    values = {name: _read_field(root, name) for name in _field_names(kind)}
    return _normal(PoolForm(type=kind, **{name: value for name, value in values.items() if value}))


def _read_field(root: etree._Element, name: str) -> Any:
    if name in LIST_PLACES:
        return read_items(root, LIST_PLACES[name])
    text = read_text(root, PLACES[name])
    return _NORMAL[name](text) if text and name in _NORMAL else text


def _cleaned(form: PoolForm) -> PoolForm:
    """Only what the type has; no white space around values, no empty lines."""
    names = _field_names(form.type)
    values = {name: _clean(name, getattr(form, name)) for name in names}
    return _normal(
        PoolForm(type=form.type.strip(), **{name: value for name, value in values.items() if value})
    )


def _clean(name: str, value: Any) -> Any:
    if name in LIST_PLACES:
        place = LIST_PLACES[name]
        texts = [text for item in value if (text := str(item).strip())]
        if len(texts) > MAX_ITEMS:
            raise ValueError(
                f"There are {len(texts)} {name.replace('_', ' ')}; at most {MAX_ITEMS} are taken."
            )
        return tuple(place.read(_as_element(place, text)) for text in texts)
    text = str(value).strip()
    return _NORMAL[name](text) if text and name in _NORMAL else text


def _as_element(place: ListPlace, text: str) -> etree._Element:
    try:
        return make_item(place, text)
    except ValueError as error:
        raise ValueError(f"{text!r} has a character that XML cannot hold.") from error


def _normal(form: PoolForm) -> PoolForm:
    """With what libvirt writes where nothing is said."""
    kind = find_type(form.type)
    if kind is None:
        return form
    if kind.default_format and not form.source_format:
        form = replace(form, source_format=kind.default_format)
    if form.type == "gluster" and not form.source_dir:
        form = replace(form, source_dir="/")
    if form.type == "logical" and not form.source_name:
        form = replace(form, source_name=form.name)
    return form


def _take_out(root: etree._Element, old_type: str, names: tuple[str, ...]) -> None:
    """What only the old type has. A device is one element, whether it is a disk or an iSCSI target."""
    for name in _field_names(old_type):
        if name not in names:
            _write_field(root, name, () if name in LIST_PLACES else "")
    auth = root.find("source/auth")
    if auth is not None:
        auth.attrib.pop("type", "")


def _write(root: etree._Element, form: PoolForm, before: PoolForm, names: tuple[str, ...]) -> None:
    for name in names:
        value = getattr(form, name)
        if value != getattr(before, name):
            _write_field(root, name, value)
    _complete(root, form)


def _write_field(root: etree._Element, name: str, value: Any) -> None:
    if name in {"owner", "group"} and value == "-1":
        value = ""
    try:
        if name in LIST_PLACES:
            write_items(root, LIST_PLACES[name], value)
        else:
            write_text(root, PLACES[name], value)
    except ValueError as error:
        raise ValueError(f"The {name.replace('_', ' ')} has a character that XML cannot hold.") from error


def _complete(root: etree._Element, form: PoolForm) -> None:
    """What libvirt wants said although it follows from the rest."""
    _complete_auth(root, form.type)
    if form.type == "logical" and form.source_name:
        # Otherwise it would change with the pool's name.
        write_text(root, PLACES["source_name"], form.source_name)
        # libvirt's schema wants a target; its path is always this one, whatever is written.
        write_text(root, PLACES["target_path"], f"/dev/{form.source_name}")


def _complete_auth(root: etree._Element, kind: str) -> None:
    for path in ("source/auth/secret", "source/auth"):
        element = root.find(path)
        if element is not None and not len(element) and set(element.attrib) <= {"type"}:
            element.attrib.clear()
            prune(root, element)
    auth = root.find("source/auth")
    if auth is not None and not auth.get("type") and kind in _AUTH_TYPES:
        auth.set("type", _AUTH_TYPES[kind])
