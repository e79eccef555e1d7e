"""One readable line per log record: time, level, process role, message. Never a password."""

import logging
import re
import time

URL_PASSWORD = re.compile(r"(?P<start>[a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s@/]+@", re.IGNORECASE)


def hide_url_passwords(text: str) -> str:
    """Return `text` with the password of every URL in it replaced."""
    return URL_PASSWORD.sub(r"\g<start>:********@", text)


class OneLineFormatter(logging.Formatter):
    """`2026-11-23T10:00:00.000Z INFO    web       message`; a traceback, if any, follows on its own lines."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self, role: str) -> None:
        super().__init__(f"%(asctime)s %(levelname)-7s {role:<9} %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (name given by logging)
        # A line break inside a message would let whoever supplied it forge log lines.
        record.message = record.message.replace("\r", "\\r").replace("\n", "\\n")
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        return hide_url_passwords(super().format(record))
