"""Guests for the browser tests: quiet ones in the tree, and others that take their names."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.screens import tree_guest
from tests.lab import Lab, LabGuest


def create_shown(lab: Lab, page: Page, host: str, name: str, *, start: bool = True, **how: Any) -> LabGuest:
    """A guest that the open page already shows on that host. `how` goes to Lab.create_guest."""
    guest = lab.create_guest(host, name, start=start, **how)
    state = "running" if start else "shut off"
    expect(tree_guest(page, name, host)).to_have_attribute("aria-label", f"{name}, {state}")
    return guest


def take_name(lab: Lab, host: str, name: str) -> None:
    """Let a running guest with this name, and a UUID of its own, be on the host."""
    lab.create_guest(
        host, f"{name}-twin", pool=None, start=False,
        xml_edit=lambda xml: xml.replace(f"<name>{name}-twin</name>", f"<name>{name}</name>"),
    )  # fmt: skip
    lab.hosts[host].virsh("start", name)


def definitions(lab: Lab) -> dict[str, set[str]]:
    """Host → "UUID state" of every guest, to see that nothing was changed."""
    found = {}
    for name, host in lab.hosts.items():
        uuids = host.virsh("list", "--all", "--uuid").split()
        found[name] = {f"{uuid} {host.virsh('domstate', uuid).strip()}" for uuid in uuids}
    return found
