"""Each line of the threat model names tests that exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/security.md").read_text()
_NODE = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
_HEAD = "| Asset | Who could attack it | What holds it | Test |"
LINES = [
    line
    for line in PAGE.splitlines()
    if line.startswith("| ") and line != _HEAD and not line.startswith("| ---")
]
NAMED = sorted(set(_NODE.findall(PAGE)))


def test_there_is_a_threat_model() -> None:
    assert PAGE.count(_HEAD) == 5
    assert len(LINES) > 20


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.split("|")[1].strip()[:40])
def test_every_line_says_who_what_and_which_test(line: str) -> None:
    _, asset, attacker, defence, tests, _ = line.split("|")
    assert all(cell.strip() for cell in (asset, attacker, defence))
    assert _NODE.findall(tests)
    assert _NODE.sub("", tests).strip() == ""


@pytest.mark.parametrize(("file", "name"), NAMED, ids="::".join)
def test_every_test_that_is_named_exists(file: str, name: str) -> None:
    found = ast.walk(ast.parse((ROOT / file).read_text()))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    assert name in {one.name for one in found if isinstance(one, functions)}
