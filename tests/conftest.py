"""Options of all tests."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

# Tests start hundreds of processes that import TensorFlow, each of which would compile it anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# No test asserts a time: machines are as slow as they are.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write tests/golden instead of comparing"
    )


# `make test` collects these folders alone for the mark: to import all tests takes half a minute.
_FOLDERS = {"train": {"train", "unit/cli"}, "cluster": {"cluster", "chart"}}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    tests = Path(__file__).parent
    for item in items:
        folders = {str(folder) for folder in item.path.relative_to(tests).parents}
        for mark, expected in _FOLDERS.items():
            if item.get_closest_marker(mark) and not folders & expected:
                raise pytest.UsageError(f"{item.nodeid}: `make test` runs no {mark} test there")
