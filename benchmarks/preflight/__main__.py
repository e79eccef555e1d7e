"""How fast the preflight answers: python -m benchmarks.preflight [--runs 15] [--output FILE]

From stored readings, in one process with the product's own views, templates and database: a guest towards 50 hosts,
the migrate dialog when an option changes, all 100 guests of a host towards 50 hosts, and the hosts among each other.
The facts are those of a real host of the lab, 50 times under other names. Then, with both real hosts asked anew over
SSH: everything that is read of them and of one guest, until the verdict.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

TARGETS_MS = {"guest": 300, "dialog": 200, "anew": 1500}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "VM_MIGRATE_STATE_DIR": folder,
            "DJANGO_SETTINGS_MODULE": "vmmigrate.settings",
            "REDIS_URL": "",
        }
        os.environ.pop("DATABASE_URL", None)
        import django

        django.setup()
        from benchmarks.preflight.measure import measure  # models only exist from here on

        text = "\n".join(measure(arguments.runs, TARGETS_MS))
    print(text)
    if arguments.output:
        arguments.output.write_text(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
