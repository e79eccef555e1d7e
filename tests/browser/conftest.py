"""A person before a real browser: Chromium on the running product, signed in, with an eye on the console."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, WebError, expect

from tests.browser.screens import sign_in
from tests.chromium import LAUNCH
from tests.lab import Lab
from tests.product import Product

PATIENCE_MS = 20_000  # a deadline, not a pause: the machine may be busy

OpenPage = Callable[..., Page]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser" in str(item.path):
            item.add_marker(pytest.mark.browser)


class Troubles:
    """What a browser complained about: console errors, uncaught errors, the policy, answers of 500 and more."""

    def __init__(self) -> None:
        self._seen: list[str] = []
        self._expected: list[str] = []

    def expect(self, pattern: str) -> None:
        """A test that breaks something on purpose says which complaints belong to it."""
        self._expected.append(pattern)

    def watch(self, context: BrowserContext) -> None:
        context.on("console", self._hear_console)
        context.on("weberror", self._hear_error)

    def unexpected(self) -> list[str]:
        return [text for text in self._seen if not any(re.search(p, text) for p in self._expected)]

    def _hear_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._seen.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    def _hear_error(self, error: WebError) -> None:
        self._seen.append(f"uncaught: {error.error}")


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_type_launch_args, **LAUNCH}


@pytest.fixture(scope="session")
def product(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product as bin/demo runs it: the lab's hosts over SSH, so that everything can be checked."""
    with Product.running(tmp_path_factory.mktemp("product")) as instance:
        instance.connect_lab(lab, transport="ssh")
        yield instance


@pytest.fixture
def clean_lab(lab: Lab) -> Lab:
    """The lab without guests and faults. The next test cleans up before itself; doing it twice takes a minute."""
    lab.reset()
    return lab


@pytest.fixture(scope="module")
def still_lab(lab: Lab) -> Lab:
    """For tests that only look: two guests that are shut off on mercury, one on jupiter."""
    lab.reset()
    for host, name in (("mercury", "alpha01"), ("mercury", "beta01"), ("jupiter", "gamma01")):
        lab.create_guest(host, name, start=False)
    return lab


@pytest.fixture(scope="session")
def signed_in(browser: Browser, product: Product) -> dict[str, Any]:
    """Account → the cookies of somebody who has logged in through the page."""
    expect.set_options(timeout=PATIENCE_MS)
    states = {}
    for name, password in product.accounts.items():
        with browser.new_context(base_url=product.url) as context:
            sign_in(context.new_page(), name, password)
            states[name] = context.storage_state()
    return states


@pytest.fixture
def troubles() -> Iterator[Troubles]:
    troubles = Troubles()
    yield troubles
    assert troubles.unexpected() == []


@pytest.fixture
def open_page(
    browser: Browser, product: Product, signed_in: dict[str, Any], troubles: Troubles
) -> Iterator[OpenPage]:
    """Open a browser of one's own: `open_page("/hosts/", user="admin")`. None: nobody has logged in."""
    contexts: list[BrowserContext] = []

    def open_one(
        path: str = "/", *, user: str | None = "operator", live: bool = True, **options: Any
    ) -> Page:
        settings = {"base_url": product.url, "viewport": {"width": 1280, "height": 800}, **options}
        context = browser.new_context(storage_state=signed_in[user] if user else None, **settings)
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        troubles.watch(context)
        page = context.new_page()
        page.goto(path)
        if user and live:
            expect(page.locator("#live")).to_have_attribute("data-state", "live")
        return page

    yield open_one
    for context in contexts:
        context.close()


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    return open_page()
