"""Presets of KerasHub are backbones, on one worker and on two."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.train

SCENARIOS = Path(__file__).with_name("scenarios_keras_hub.py")
KINDS = ["residual", "transformer"]

Results = dict[int, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def results(
    worker_group: Callable[..., list[dict[str, Any]]], keras_hub: dict[str, str]
) -> Results:
    return {workers: worker_group(SCENARIOS, workers=workers, env=keras_hub) for workers in (1, 2)}


@pytest.mark.parametrize("kind", KINDS)
def test_features_of_raw_pixels_are_those_of_keras_hub_with_its_own_scaling(
    results: Results, kind: str
) -> None:
    expected = results[2][0][kind]["expected"]
    for worker in results[2]:
        np.testing.assert_allclose(worker[kind]["features"], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_two_workers_train_what_one_does(results: Results, kind: str) -> None:
    alone = results[1][0][kind]
    for worker in results[2]:
        for name, values in alone["history"].items():
            np.testing.assert_allclose(worker[kind]["history"][name], values, atol=1e-4)
        np.testing.assert_allclose(worker[kind]["predictions"], alone["predictions"], atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_the_chief_alone_reads_the_preset(results: Results, kind: str) -> None:
    assert [worker[kind]["read"] for worker in results[2]] == [True, False]


@pytest.mark.parametrize("kind", KINDS)
def test_the_saved_model_predicts_what_the_trained_one_does(results: Results, kind: str) -> None:
    for worker in results[2]:
        np.testing.assert_allclose(
            worker[kind]["exported"], worker[kind]["predictions"], rtol=1e-4, atol=1e-5
        )
