"""Variables of pool templates: a closed set, filled in as text and never as XML."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from hosts.facts.pool_variables import VARIABLES, fill, fill_samples, variables_in

TEMPLATE = """<pool type='iscsi'>
  <!-- {{ host.uuid }} -->
  <name>VM</name>
  <source>
    <host name='{{host.address}}'/>
    <initiator><iqn name='iqn.2013-06.com.example:{{ host.name }}-{{  host.name  }}'/></initiator>
  </source>
  <target><path>/dev/{{ host.path }}</path></target>
</pool>"""
VALUES = {"host.address": "192.0.2.1", "host.name": "mercury", "host.path": "disk"}


def test_variables_of_texts_and_attributes_are_found() -> None:
    assert variables_in(TEMPLATE) == VALUES.keys()


def test_variables_are_filled_in_and_the_rest_stays() -> None:
    filled = fill(TEMPLATE, VALUES)
    expected = (
        TEMPLATE.replace("{{host.address}}", "192.0.2.1")
        .replace("{{ host.name }}-{{  host.name  }}", "mercury-mercury")
        .replace("{{ host.path }}", "disk")
    )
    assert etree.canonicalize(filled, with_comments=True) == etree.canonicalize(expected, with_comments=True)


def test_all_that_is_missing_is_named() -> None:
    with pytest.raises(ValueError, match=r"no value for host\.address, host\.path"):
        fill(TEMPLATE, {"host.name": "mercury", "host.path": " "})


def test_unknown_variables_are_named() -> None:
    with pytest.raises(ValueError, match=r"host\.colour.*host\.device"):
        fill("<pool><name>{{ host.colour }}</name></pool>", {"host.colour": "blue"})


@pytest.mark.parametrize("value", ["</path><shiny/>", "'\"/><x a='", "&amp;<!--", "{{ host.name }}", "]]>"])
def test_a_value_is_text_whatever_is_in_it(value: str) -> None:
    root = etree.fromstring(fill(TEMPLATE, VALUES | {"host.path": value, "host.name": value}))
    assert root.findtext("target/path") == f"/dev/{value}"
    assert root.find("source/initiator/iqn").get("name") == f"iqn.2013-06.com.example:{value}-{value}"
    assert len(root.find("target")) == 1


@given(
    st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn")), min_size=1).filter(
        lambda text: text.strip()
    )
)
def test_any_value_arrives_as_it_is(value: str) -> None:
    assert (
        etree.fromstring(fill(TEMPLATE, VALUES | {"host.path": value})).findtext("target/path")
        == f"/dev/{value}"
    )


def test_a_value_that_xml_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="<path>"):
        fill(TEMPLATE, VALUES | {"host.path": "a\x00b"})


def test_every_variable_has_a_sample() -> None:
    for name in VARIABLES:
        assert "{" not in fill_samples(f"{{{{ {name} }}}}")


def test_no_template_without_being_a_pool() -> None:
    with pytest.raises(ValueError, match="pool"):
        variables_in("<domain>{{ host.name }}</domain>")
