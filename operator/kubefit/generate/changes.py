"""What the changelog tells of a version, for the index of charts."""

import re
from pathlib import Path

CHANGELOG = Path(__file__).parents[3] / "CHANGELOG.md"
_SECTION = re.compile(r"^## (.*)$", re.MULTILINE)
_KIND = re.compile(r"^### (\w+)$", re.MULTILINE)
_ITEM = re.compile(r"^- (.*(?:\n  .*)*)", re.MULTILINE)


def changes(changelog: str, version: str) -> list[dict[str, str]]:
    """Kind and description of each change; none while the version is not released."""
    found: list[dict[str, str]] = []
    for heading, text in _parts(_SECTION, changelog):
        if heading.split()[0].strip("[]") == version:
            for kind, items in _parts(_KIND, text):
                found += [
                    {"kind": kind.lower(), "description": " ".join(item.split())}
                    for item in _ITEM.findall(items)
                ]
    return found


def _parts(heading: re.Pattern[str], text: str) -> list[tuple[str, str]]:
    """Each heading and what is below it."""
    pieces = heading.split(text)[1:]
    return list(zip(pieces[::2], pieces[1::2], strict=True))
