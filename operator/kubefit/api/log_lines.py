"""Lines of logs: text for people, or one JSON object each, with the same fields everywhere.

Pure functions.
"""

import datetime
import json
from enum import StrEnum


class LogFormat(StrEnum):
    """What lines look like."""

    TEXT = "text"
    JSON = "json"


class Source(StrEnum):
    """Whose line it is, in the log of a worker."""

    AGENT = "agent"
    TRAINER = "trainer"
    """Output of the program, and of TensorFlow."""


AGENT_PREFIX = "kubefit: "
"""Of what an agent says, as text."""


def json_line(time: datetime.datetime, level: str, message: str, **fields: str | int | None) -> str:
    """One JSON object without a line break: `time`, `level`, `message`, then those that are known.

    The fields are `namespace`, `job`, `rank`, `attempt`, `step`, `source`, and `logger` and `error`
    of the operator.
    """
    known = {name: value for name, value in fields.items() if value is not None}
    stamp = time.astimezone(datetime.UTC).isoformat(timespec="milliseconds")
    first = {"time": stamp.replace("+00:00", "Z"), "level": level, "message": message}
    return json.dumps({**first, **known}, ensure_ascii=False)


def as_text(line: str) -> str:
    """The line of a worker's log as text; one that is text already stays."""
    if not line.startswith('{"time": '):
        return line
    try:
        found = json.loads(line)
        source, message = Source(found["source"]), str(found["message"])
    except (ValueError, KeyError):
        return line
    return f"{AGENT_PREFIX}{message}" if source is Source.AGENT else message
