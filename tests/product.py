"""The whole product as a test sees it: really running processes, asked over HTTP and by its own commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.lab import Lab
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parent.parent
READY_WITHIN_S = 60.0


@dataclass
class Product:
    """One installation with its own state directory. `accounts` are name → password."""

    state_dir: Path
    url: str = ""
    accounts: dict[str, str] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def running(cls, state_dir: Path) -> Iterator[Product]:
        product = cls(state_dir)
        log = (state_dir / "log").open("w")
        command = [sys.executable, "-m", "vmmigrate.supervisor", "--port", "0"]
        process = subprocess.Popen(command, cwd=ROOT, env=product.env, stdout=log, stderr=subprocess.STDOUT)
        try:
            runtime = wait_until(product._runtime, READY_WITHIN_S, f"the product runs; its log: {log.name}")
            product.url = runtime["url"]
            yield product
        finally:
            process.terminate()
            process.wait(timeout=30)
            log.close()

    @property
    def env(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("VM_MIGRATE_", "DJANGO_"))
        }
        return kept | {"VM_MIGRATE_STATE_DIR": str(self.state_dir), "REDIS_URL": ""}

    def manage(
        self, *words: str, check: bool = True, timeout_s: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run `manage.py` on this installation."""
        command = [sys.executable, "manage.py", *words]
        return subprocess.run(
            command, cwd=ROOT, env=self.env, capture_output=True, text=True, check=check, timeout=timeout_s
        )

    def run_python(self, text: str, *words: str, timeout_s: float = 300) -> str:
        """Run a piece of Python within the product's settings; what it prints."""
        setup = "import django; django.setup()\n"
        env = self.env | {"DJANGO_SETTINGS_MODULE": "vmmigrate.settings"}
        done = subprocess.run(
            [sys.executable, "-c", setup + text, *words],
            check=False,
            cwd=ROOT, env=env, capture_output=True, text=True, timeout=timeout_s,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def pids(self) -> dict[str, int]:
        """Role → process id of the running parts."""
        return {role: int(pid) for role, pid in (self._runtime() or {})["pids"].items()}

    def connect_lab(self, lab: Lab, transport: str = "tcp") -> None:
        """Demo accounts and the lab's hosts, as bin/demo connects them."""
        description = self.state_dir / "lab.json"
        hosts = [{"name": host.name, "address": host.address} for host in lab.hosts.values()]
        folder = lab.credentials.ssh_private_key_path.parent.parent
        description.write_text(json.dumps({"folder": str(folder), "hosts": hosts}))
        self.manage("demo_setup", "--lab", str(description), "--transport", transport)
        self.accounts = json.loads((self.state_dir / "secrets" / "demo_accounts.json").read_text())

    def log_text(self) -> str:
        return (self.state_dir / "log").read_text()

    def _runtime(self) -> dict[str, Any]:
        path = self.state_dir / "runtime.json"
        runtime = json.loads(path.read_text()) if path.exists() else {}
        return runtime if runtime.get("ready") else {}
