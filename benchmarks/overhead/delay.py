"""From libvirt's figures to the browser: how long after they were read has Chromium drawn them?"""

from __future__ import annotations

import statistics

from playwright.sync_api import Page, sync_playwright

from benchmarks.overhead.__main__ import by_product
from tests.lab import Lab, LabGuest
from tests.product import Product

MOVES = 4
# The bench's own page notes each live message and, one frame later, that it was drawn. Same machine, same clock.
NOTE_DRAWN = """
() => {
  window.delays = [];
  const Native = window.WebSocket;
  window.WebSocket = class extends Native {
    constructor(...words) {
      super(...words);
      this.addEventListener("message", (event) => {
        const message = JSON.parse(event.data);
        const read = message.read_at_ms;
        if (read) requestAnimationFrame(() => window.delays.push(Date.now() - read));
      });
    }
  };
}
"""


def delay_lines(lab: Lab, product: Product, guest: LabGuest) -> list[str]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page()
        page.add_init_script(f"({NOTE_DRAWN})()")
        _log_in(page, product)
        page.wait_for_selector("#live[data-state=live], #live", timeout=20_000)
        for _ in range(MOVES):
            by_product(lab, product, guest)
        delays = sorted(page.evaluate("window.delays"))
        browser.close()
    high = delays[int(len(delays) * 0.95)]
    return [
        f"delay from reading libvirt's figures to drawn in Chromium, {len(delays)} updates of {MOVES} moves",
        f"  median {statistics.median(delays):.0f} ms   95th percentile {high:.0f} ms   max {delays[-1]:.0f} ms",
        "  (libvirt is read every 250 ms, which adds at most that)",
    ]


def _log_in(page: Page, product: Product) -> None:
    name, password = next(iter(product.accounts.items()))
    page.goto(f"{product.url}/login/")
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(password)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/login" not in url)
