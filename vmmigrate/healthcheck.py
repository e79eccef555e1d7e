"""`python -m vmmigrate.healthcheck web|migrate|control|storage|scheduler FILE`: exit code 0 if this part is well.

FILE is what the scheduler was given as --schedule.

For container health checks, which run inside the part's own container.
"""

import http.client
import socket
import sys
import time
from contextlib import suppress

TIMEOUT_S = 5
# The scheduler has something to do every 15 s.
TICK_WITHIN_S = 60


def is_web_well(port: int = 8000) -> bool:
    """Return whether the web server of this container answers, with its database and Redis."""
    # The proxy's header: without it the answer may be a redirect to TLS.
    headers = {"Host": "localhost", "X-Forwarded-Proto": "https"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/healthz", headers=headers)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def is_worker_well(queue: str) -> bool:
    """Return whether the worker of this very container answers a Celery ping."""
    from vmmigrate.celery import app

    name = f"{queue}@{socket.gethostname()}"
    return bool(app.control.inspect(destination=[name], timeout=TIMEOUT_S).ping())


def is_scheduler_well(schedule: str) -> bool:
    """Return whether the scheduler of this container has looked lately what is due."""
    from vmmigrate.beat import sign_of_life

    with suppress(FileNotFoundError):
        return time.time() - sign_of_life(schedule).stat().st_mtime < TICK_WITHIN_S
    return False


def main(arguments: list[str]) -> int:
    """Exit codes: 0 well, 1 not well, 2 wrongly called."""
    match arguments:
        case ["web"]:
            return 0 if is_web_well() else 1
        case ["migrate" | "control" | "storage" as queue]:
            return 0 if is_worker_well(queue) else 1
        case ["scheduler", schedule]:
            return 0 if is_scheduler_well(schedule) else 1
    print("which part? web, migrate, control, storage, or scheduler and its file", file=sys.stderr)  # noqa: T201
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
