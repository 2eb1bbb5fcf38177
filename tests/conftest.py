"""Options of all tests."""

import os
import sys

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
