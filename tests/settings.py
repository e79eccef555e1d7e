"""The product's own settings, in a state directory of the test run's own: no test touches real state."""

import atexit
import os
import shutil
import tempfile

if "VM_MIGRATE_STATE_DIR" not in os.environ:
    state_dir = tempfile.mkdtemp(prefix="vm-migrate-test-")
    atexit.register(shutil.rmtree, state_dir, ignore_errors=True)
    os.environ["VM_MIGRATE_STATE_DIR"] = state_dir

from vmmigrate.settings import *  # noqa: F403
from vmmigrate.settings import DATABASES, STATE_DIR

# Slow on purpose in the product; a test that logs in a person does not test the hash.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# A file, as in the product: in memory, threads would share one cache with locks of its own, and a worker in a
# process of its own would see nothing.
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["TEST"] = {"NAME": str(STATE_DIR / "test.sqlite3")}
