"""Where things are on the screen, by the names people know them by."""

from __future__ import annotations

import json
import re
from typing import Any

from playwright.sync_api import Locator, Page, expect

SLOW_MIB_PER_S = 16  # a quiet 256 MiB guest then takes about six seconds: long enough to watch
MOVE_WITHIN_MS = 60_000
ENDED = re.compile(r"\bis-ended\b")


def sign_in(page: Page, name: str, password: str) -> None:
    page.goto("/")
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#live")).to_have_attribute("data-state", "live")


def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


def tree_host(page: Page, name: str) -> Locator:
    return page.locator(f"#tree [data-kind=host][data-name={_quoted(name)}]")


def tree_guest(page: Page, name: str, host: str | None = None) -> Locator:
    within = tree_host(page, host) if host else page.locator("#tree")
    return within.locator(f"[data-kind=guest][data-name={_quoted(name)}]")


def dock_row(page: Page, guest: str) -> Locator:
    """The newest row of this guest in the task dock."""
    return page.locator("#dock-rows > li").filter(has=page.get_by_role("link", name=guest, exact=True)).first


def open_dialog(page: Page, guest: str, target: str = "jupiter") -> Locator:
    """Right click on the guest of the other host, "Migrate…", the target; returns the dialog once it has asked."""
    source = {"jupiter": "mercury", "mercury": "jupiter"}[target]
    tree_guest(page, guest, source).click(button="right")
    page.locator("#item-menu").get_by_role("menuitem", name="Migrate…").click()
    return choose_target(page, target)


def choose_target(page: Page, target: str) -> Locator:
    form = page.locator("#migrate-form")
    expect(form).to_be_visible()
    form.get_by_role("radio", name=re.compile(rf"^{re.escape(target)}\b")).check()
    expect(form.locator(".target", has_text=target)).not_to_have_attribute("data-state", "checking")
    return form


def set_bandwidth(form: Locator, mib_per_s: int = SLOW_MIB_PER_S) -> None:
    form.locator("#migrate-advanced > summary").click()
    form.get_by_label("Bandwidth limit", exact=True).fill(str(mib_per_s))
    expect(form.locator("#virsh-line")).to_contain_text(f"--bandwidth {mib_per_s}")
    form.locator("#migrate-advanced > summary").click()


def start_move(
    page: Page, guest: str, target: str = "jupiter", mib_per_s: int | None = SLOW_MIB_PER_S
) -> Locator:
    """Through the dialog; returns its row in the task dock."""
    form = open_dialog(page, guest, target)
    if mib_per_s:
        set_bandwidth(form, mib_per_s)
    form.get_by_role("button", name="Migrate", exact=True).click()
    row = dock_row(page, guest)
    expect(row).to_be_visible()
    return row


def expect_moving(row: Locator) -> None:
    """The transfer runs: the bar has a figure."""
    expect(row.locator(".dock-percent")).to_have_text(re.compile(r"^[1-9]\d? %$"), timeout=MOVE_WITHIN_MS)


def expect_ended(row: Locator, word: str) -> None:
    expect(row).to_have_class(ENDED, timeout=MOVE_WITHIN_MS)
    expect(row.locator(".dock-outcome b")).to_have_text(word)


RECORD = """
(guest) => {
    const seen = (window.seenOfMoves ??= {});
    const record = (seen[guest] = { percents: [], steps: [] });
    const add = (list, value) => { if (value && list.at(-1) !== value) list.push(value); };
    const look = () => {
        const row = [...document.querySelectorAll("#dock-rows > li")]
            .find((item) => item.querySelector(".dock-name").textContent === guest);
        if (!row) return;
        add(record.percents, row.querySelector(".dock-percent")?.textContent.trim());
        add(record.steps, row.dataset.step);
    };
    const everything = { subtree: true, childList: true, characterData: true, attributes: true };
    new MutationObserver(look).observe(document.getElementById("dock"), everything);
    look();
}
"""


def record_progress(page: Page, guest: str) -> None:
    """From now on keep every percentage and every step that the dock shows of this guest."""
    page.evaluate(RECORD, guest)


def recorded_percents(page: Page, guest: str) -> list[int]:
    seen: dict[str, Any] = page.evaluate("(guest) => window.seenOfMoves[guest]", guest)
    return [int(text.removesuffix(" %")) for text in seen["percents"]]


def recorded_steps(page: Page, guest: str) -> list[str]:
    """Steps in the order they were shown, such as "transferring:memory"."""
    return list(page.evaluate("(guest) => window.seenOfMoves[guest].steps", guest))
