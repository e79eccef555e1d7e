"""The Chromium of the browser tests: the system's own, without traffic of its own."""

import os
from typing import Any

# Chromium's sandbox refuses root.
_NO_SANDBOX = ["--no-sandbox"] if os.geteuid() == 0 else []
LAUNCH: dict[str, Any] = {
    "executable_path": "/usr/bin/chromium",
    "args": [*_NO_SANDBOX, "--disable-quic", "--disable-background-networking"],
}
