"""Reading libvirt's XML safely: no entities, no network, no DTD, bounded size. Pure.

A domain description is written by whoever may define guests on a host; it must never be able to fill the
console's memory. Every parser here raises ValueError, and only ValueError, for text it cannot use.
"""

from __future__ import annotations

import re

from lxml import etree

# libvirt itself refuses descriptions above 16 MiB (VIR_NET_MESSAGE_STRING_MAX is 4 MiB on the wire).
MAX_XML_CHARACTERS = 4 * 1024 * 1024
# int() of a very long digit string is quadratic; 2**64 has 20 digits.
_MAX_DIGITS = 20

# libvirt's virScaleInteger: one letter or …iB is binary, …B is decimal.
_PREFIXES = "kmgtpe"
_WHITESPACE = re.compile(r"\s+")


def parse_xml(text: str, *, root: str, keep_comments: bool = False) -> etree._Element:
    """The root element of `text`. ValueError unless well-formed, small, without DTD and named `root`. Whoever walks
    over all children sees comments too where they are kept."""
    if len(text) > MAX_XML_CHARACTERS:
        raise ValueError(f"The <{root}> description is longer than {MAX_XML_CHARACTERS} characters.")
    # Before the parser sees it: entities in attributes would be expanded even with resolve_entities=False.
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError(
            f"The <{root}> description contains a document type definition; libvirt never writes one."
        )
    element = _parse(text, root, keep_comments)
    if element.tag != root:
        raise ValueError(f"Expected a <{root}> description, got <{element.tag}>.")
    return element


def _parse(text: str, root: str, keep_comments: bool) -> etree._Element:
    # encoding= overrides what a declaration claims, so that no other encoding can smuggle in a DTD.
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        huge_tree=False,
        remove_comments=not keep_comments,
        remove_pis=True,
    )
    try:
        return etree.fromstring(text.encode(), parser)
    except (etree.XMLSyntaxError, UnicodeError) as error:
        raise ValueError(f"The <{root}> description is not well-formed XML: {error}") from error


def text_of(element: etree._Element, path: str) -> str:
    """The stripped text at `path`, "" when there is none."""
    return (element.findtext(path) or "").strip()


def attribute_of(element: etree._Element, path: str, name: str) -> str:
    """The attribute `name` of the first element at `path`, "" when either is missing."""
    found = element.find(path)
    return "" if found is None else str(found.get(name) or "")


def flag_of(element: etree._Element, path: str, name: str) -> bool:
    return attribute_of(element, path, name) == "yes"


def parse_count(text: str, what: str, default: int = 0) -> int:
    """A whole number of zero or more; `default` for "". Raises ValueError naming `what`."""
    cleaned = text.strip()
    if not cleaned:
        return default
    if len(cleaned) > _MAX_DIGITS or not (cleaned.isascii() and cleaned.isdigit()):
        raise ValueError(f"{what} is not a whole number: {cleaned[:40]!r}.")
    return int(cleaned)


def optional_count(text: str, what: str) -> int | None:
    return parse_count(text, what) if text.strip() else None


def bytes_of(element: etree._Element, path: str, *, default_unit: str) -> int:
    """The size at `path` in bytes; 0 when missing. Source: libvirt's virScaleInteger."""
    found = element.find(path)
    if found is None:
        return 0
    return parse_count(found.text or "", path) * unit_bytes(str(found.get("unit") or default_unit))


def unit_bytes(unit: str) -> int:
    """Bytes of one libvirt unit: "KiB" or "k" → 1024, "KB" → 1000, "bytes" → 1. Raises ValueError."""
    name = unit.strip().lower()
    if name in {"b", "byte", "bytes"}:
        return 1
    exponent = _PREFIXES.find(name[:1]) + 1
    base = {"": 1024, "ib": 1024, "b": 1000}.get(name[1:])
    if not name or not exponent or base is None:
        raise ValueError(f"Unknown unit of size: {unit[:20]!r}.")
    return int(base**exponent)


def outer_xml(element: etree._Element) -> str:
    """The element as text, without what follows it."""
    return etree.tostring(element, encoding="unicode", with_tail=False)


def squeeze(text: str) -> str:
    """Runs of white space as one blank, for texts that are compared."""
    return _WHITESPACE.sub(" ", text).strip()
