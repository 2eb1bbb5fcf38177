"""The fused kernels compute what Keras composes, for every optimizer and shape."""

from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.train
SCENARIOS = Path(__file__).with_name("scenarios_fused.py")


@pytest.fixture(scope="module")
def results(worker_group):
    return worker_group(SCENARIOS, workers=1)[0]


@pytest.mark.parametrize("part", ["optimizers", "batch_norm"])
def test_fused_and_composed_agree(results, part):
    assert results[part]
    for name, cases in results[part].items():
        fused, composed = cases["fused"], cases["composed"]
        np.testing.assert_allclose(
            fused["logs"]["loss"], composed["logs"]["loss"], rtol=2e-5, err_msg=name
        )
        for a, b in zip(fused["weights"], composed["weights"], strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5, err_msg=name)
