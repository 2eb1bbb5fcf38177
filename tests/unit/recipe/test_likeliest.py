"""The likeliest class of each frame, of which one that is no number has none."""

import numpy as np

from kubefit_trainer.recipe.predictions import _likeliest


def test_frames_without_numbers_have_no_class() -> None:
    outputs = np.log(np.array([[[0.1, 0.9], [0.7, 0.3]], [[0.5, 0.5], [0.2, 0.8]]], np.float32))
    outputs[1, 0, 1] = np.nan
    found = _likeliest(outputs)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [[1, 0], [np.nan, 1]])
