"""A model that was trained is exported, whatever becomes of its report."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from kubefit.api.contract import MODEL_FILE, RunConfig
from kubefit_trainer import keras_multiworker
from kubefit_trainer.recipe import job, predictions


def test_predictions_that_fail_do_not_cost_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = np.zeros((8, 4, 4, 1), np.uint8)
    np.savez(tmp_path / "images.npz", x=images, y=np.array([0, 1] * 4))
    config = RunConfig.model_validate(
        {
            "namespace": "default",
            "name": "small",
            "workers": 1,
            "hosts": "localhost",
            "volumeDir": str(tmp_path),
            "jobDir": str(tmp_path / "job"),
            "recipe": {
                "data": {
                    "train": {"npz": "images.npz"},
                    "testSplit": 0.5,
                    "imageSize": [4, 4],
                    "channels": 1,
                },
                "model": {"blocks": [{"flatten": True}]},
                "training": {"epochs": 1, "globalBatchSize": 4},
            },
        }
    )

    model, told = tmp_path / "job" / "export" / MODEL_FILE, []

    def tells(text: str, what: str, *, timeout_seconds: float) -> None:
        told.append((model.is_file(), what, timeout_seconds >= 4 * 3600))

    def fails(*given: object, **named: object) -> None:
        raise MemoryError("too many predictions")

    monkeypatch.setattr(keras_multiworker, "text_from_chief", tells)
    monkeypatch.setattr(predictions, "predicted", fails)
    with pytest.raises(MemoryError, match="too many"):
        job.run(config, 0, tf.distribute.get_strategy())
    assert model.is_file()
    assert told == [(True, "the end of the export", True)]
