"""What the Content-Security-Policy means to a real browser."""

import pytest

from tests.chromium import LAUNCH
from tests.platform.installation import Installation

pytestmark = pytest.mark.browser

VIOLATIONS_OF = """
async (address) => {
    const violations = [];
    const note = (event) => violations.push(event.effectiveDirective);
    document.addEventListener("securitypolicyviolation", note);
    try {
        const socket = new WebSocket(address);
        await new Promise((resolve) => { socket.onerror = socket.onopen = socket.onclose = resolve; });
        socket.close();
    } catch (error) { violations.push(error.name); }
    return violations;
}
"""
RUN_INLINE_SCRIPT = """
() => {
    const script = document.createElement("script");
    script.textContent = "window.wasRun = true";
    document.documentElement.append(script);
    return window.wasRun === true;
}
"""


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    return {**browser_type_launch_args, **LAUNCH}


@pytest.fixture
def open_page(page, tmp_path):
    installation = Installation(tmp_path / "state").start()
    page.goto(f"{installation.url}/healthz")
    yield page
    installation.stop()


def test_policy_lets_only_own_scripts_and_websockets_through(open_page):
    own = open_page.url.replace("http://", "ws://").replace("/healthz", "/ws/nothing-here/")
    assert open_page.evaluate(VIOLATIONS_OF, own) == []
    assert open_page.evaluate(VIOLATIONS_OF, "ws://127.0.0.2:9/") == ["connect-src"]
    assert open_page.evaluate(RUN_INLINE_SCRIPT) is False
