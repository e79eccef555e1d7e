"""What a pool template may leave open for each host: a closed set of variables, written `{{ host.name }}`. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from lxml import etree

from hosts.facts.xml import outer_xml, parse_xml

VARIABLES: Final[dict[str, str]] = {
    "host.name": "The host's name here.",
    "host.hostname": "The name the host gives itself.",
    "host.address": "The name or address by which the host is reached.",
    "host.migration_address": "The address at which the host takes guests.",
    "host.uuid": "The host's UUID as libvirt tells it.",
    "host.path": "A path of its own, given for each host of the template.",
    "host.device": "A device of its own, given for each host of the template.",
}
# What stands for a variable while a template is checked without a host.
_SAMPLES: Final[dict[str, str]] = {
    "host.name": "sample",
    "host.hostname": "sample.example",
    "host.address": "192.0.2.1",
    "host.migration_address": "192.0.2.1",
    "host.uuid": "00000000-0000-4000-8000-000000000000",
    "host.path": "/sample",
    "host.device": "/dev/sample",
}
_VARIABLE: Final = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")


def variables_in(xml: str) -> frozenset[str]:
    """The names of all variables in texts and attributes, known ones and others. Raises ValueError."""
    root = parse_xml(xml, root="pool", keep_comments=True)
    return frozenset(name for text in _texts(root) for name in _VARIABLE.findall(text))


def broken_variables(xml: str) -> tuple[str, ...]:
    """Texts with braces that open or close no variable. Raises ValueError."""
    root = parse_xml(xml, root="pool", keep_comments=True)
    return tuple(text.strip() for text in _texts(root) if _is_broken(text))


def fill(xml: str, values: Mapping[str, str]) -> str:
    """The definition for one host. Raises ValueError that names every variable unknown or without a value.

    A value becomes text or a part of an attribute, never an element, and is not searched for variables itself.
    """
    names = variables_in(xml)
    unknown = sorted(names - VARIABLES.keys())
    if unknown:
        raise ValueError(f"Unknown variables: {', '.join(unknown)}. There are {', '.join(VARIABLES)}.")
    missing = sorted(name for name in names if not values.get(name, "").strip())
    if missing:
        raise ValueError(f"There is no value for {', '.join(missing)}.")
    root = parse_xml(xml, root="pool", keep_comments=True)
    _replace(root, lambda text: _VARIABLE.sub(lambda match: values[match[1]], text))
    return outer_xml(root)


def fill_samples(text: str) -> str:
    """One text with made-up values in place of its variables: for checks that need no host."""
    return _VARIABLE.sub(lambda match: _SAMPLES.get(match[1], "sample"), text)


def has_variables(text: str) -> bool:
    return bool(_VARIABLE.search(text))


def _is_broken(text: str) -> bool:
    rest = _VARIABLE.sub("", text)
    return "{{" in rest or "}}" in rest


def _texts(root: etree._Element) -> Iterator[str]:
    for element in root.iter("*"):
        yield element.text or ""
        yield element.tail or ""
        yield from (str(value) for value in element.attrib.values())


def _replace(root: etree._Element, change: Callable[[str], str]) -> None:
    for element in root.iter("*"):
        try:
            if element.text:
                element.text = change(element.text)
            for name, value in element.attrib.items():
                element.set(name, change(str(value)))
        except ValueError as error:
            raise ValueError(f"A value for <{element.tag}> has a character that XML cannot hold.") from error
