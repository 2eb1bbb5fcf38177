"""The line of an epoch is a contract: people, `kubefit sweep` and Katib read it."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kubefit.client.curve import curve_of
from kubefit_trainer.recipe.epoch_log import epoch_line

PAGE = Path(__file__).parents[3] / "docs/how-to/tuners.md"
KATIB = r"([\w|-]+)\s*=\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)"
"""What Katib reads lines with where an Experiment gives no filter of its own."""

names = st.from_regex(r"(val_)?[a-z][a-z0-9_]{0,20}", fullmatch=True).filter(
    lambda name: name not in ("epoch", "seconds", "examples_per_second")
)
logs = st.dictionaries(
    names, st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=8
)


def _filter_of_the_page() -> str:
    (given_,) = re.findall(r"^        metricsFormat: (.*)$", PAGE.read_text(), re.MULTILINE)
    (found,) = yaml.safe_load(given_)
    return found


def _read(pattern: str, line: str) -> dict[str, float]:
    """As Katib does: the first two groups of every match, of the metrics that it looks for."""
    return {match[1]: float(match[2]) for match in re.finditer(pattern, line) if match[2]}


def test_the_line_is_as_the_page_shows_it():
    line = epoch_line(
        3,
        10,
        {"val_accuracy": 0.95, "accuracy": 0.97, "val_loss": 0.2, "loss": 0.1234},
        seconds=1.2,
        examples=1440,
    )
    assert f"```text\n{line}\n```" in PAGE.read_text()


@pytest.mark.parametrize("pattern", [KATIB, _filter_of_the_page()], ids=["default", "page"])
@given(told=logs, seconds=st.floats(0, 1e6), examples=st.integers(0, 10**9))
def test_katib_reads_every_number_of_the_line(pattern: str, told, seconds, examples):
    line = epoch_line(1, 2, told, seconds=seconds, examples=examples)
    found = _read(pattern, line)
    for name, value in told.items():
        assert found[name] == pytest.approx(value, rel=1e-5), line


@given(told=logs)
def test_the_client_reads_every_number_of_the_line(told):
    ((epoch),) = curve_of([epoch_line(7, 9, told, seconds=1.0, examples=10)])
    assert epoch.pop("epoch") == 7
    assert {*epoch} == {*told, "seconds", "examples_per_second"}
    for name, value in told.items():
        assert epoch[name] == pytest.approx(value, rel=1e-5)


def test_a_metric_of_many_numbers_is_left_out_of_the_line():
    line = epoch_line(1, 2, {"loss": 0.5, "f1": np.ones(3)}, seconds=1.0, examples=1)
    assert line == "epoch=1/2 loss=0.5 seconds=1.00 examples_per_second=1"


def test_a_diverged_training_gives_tuners_no_number():
    line = epoch_line(1, 1, {"loss": math.nan, "accuracy": 0.5}, seconds=1.0, examples=1)
    assert "loss" not in _read(_filter_of_the_page(), line)
    assert math.isnan(curve_of([line])[0]["loss"])
