"""A CSV file has one row an epoch, whatever was written before a restart."""

from pathlib import Path

import keras
import pytest

from kubefit_trainer.checkpoints import csv_log
from kubefit_trainer.keras_multiworker import cluster


def cut(file: Path, text: str, epoch: int) -> str:
    file.write_text(text)
    csv_log.cut(file, epoch)
    return file.read_text()


def test_rows_of_epochs_that_are_done_again_are_taken_out(tmp_path: Path) -> None:
    assert cut(tmp_path / "log", "epoch,loss\n0,3\n1,2\n2,1\n", 1) == "epoch,loss\n0,3\n"


def test_rows_of_a_training_before_it_stay(tmp_path: Path) -> None:
    before = "epoch,loss\n0,3\n1,2\n2,1\n0,3\n"
    assert cut(tmp_path / "log", before + "1,2\n", 1) == before


def test_a_row_that_breaks_off_is_taken_out_too(tmp_path: Path) -> None:
    assert cut(tmp_path / "log", "epoch,loss\n0,3\n1,", 1) == "epoch,loss\n0,3\n"


@pytest.mark.parametrize("append", [True, False])
def test_loggers_append_only_while_the_interrupted_fit_goes_on(
    append: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "member", lambda: cluster.Member(rank=0, workers=1))
    logger = keras.callbacks.CSVLogger(tmp_path / "log", append=append)
    with csv_log.going_on([[logger]], 2, first=0):
        assert logger.append
    assert logger.append is append
