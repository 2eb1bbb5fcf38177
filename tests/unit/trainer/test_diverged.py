"""A loss that is no number is told, though JSON cannot hold it."""

import math
from pathlib import Path

import pytest

from kubefit.api.contract import TrainerReport
from kubefit_trainer import report
from kubefit_trainer.callbacks.progress import Progress
from kubefit_trainer.callbacks.reporter import Reporter


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_training_diverges_until_a_loss_is_finite_again(tmp_path: Path, loss: float) -> None:
    file = tmp_path / "progress.json"
    progress = Progress(Reporter(file), workers=1)
    progress.params, progress.model = {"epochs": 3, "steps": 1}, None
    progress.on_train_begin()
    for epoch, found in enumerate((loss, 0.5)):
        progress.on_epoch_begin(epoch)
        progress.on_epoch_end(epoch, {"loss": found, "accuracy": 0.5})
        progress.on_train_end()  # which tells at once
        told = report.read(file, TrainerReport)
        assert told is not None
        assert told.diverged is not math.isfinite(found)
        assert told.loss == (found if math.isfinite(found) else None)


def test_logs_without_a_loss_say_nothing_of_it(tmp_path: Path) -> None:
    file = tmp_path / "progress.json"
    progress = Progress(Reporter(file), workers=1)
    progress.params, progress.model = {"epochs": 1, "steps": 1}, None
    progress.on_train_begin()
    progress.on_epoch_begin(0)
    progress.on_epoch_end(0, {"accuracy": 0.5})
    progress.on_train_end()
    told = report.read(file, TrainerReport)
    assert told is not None
    assert not told.diverged
