"""Curves that cannot be written do not stop training."""

import subprocess
import time
from pathlib import Path

import grpc
import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorboard.data.proto import data_provider_pb2 as data
from tensorboard.data.proto.data_provider_pb2_grpc import TensorBoardDataProviderStub
from tensorboard_data_server import server_binary
from tensorflow.python.ops import summary_ops_v2

from kubefit_trainer.recipe.curves import Curves


def fit(folder: Path, *, epochs: int = 2, first: int = 0) -> keras.callbacks.History:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((4, 2), np.float32)
    curves = Curves(log_dir=str(folder), write_graph=False)
    return model.fit(
        *(x, x[:, :1]),
        initial_epoch=first,
        epochs=epochs,
        validation_data=(x, x[:, :1]),
        callbacks=[curves],
        verbose=0,
    )


def test_curves_of_training_and_validation_are_written(tmp_path: Path) -> None:
    fit(tmp_path)
    assert {file.parent.name for file in tmp_path.rglob("events.*")} == {"train", "validation"}


@pytest.mark.parametrize("taken", [".", "validation"])
def test_training_goes_on_where_they_cannot_be_written(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], taken: str
) -> None:
    folder = tmp_path / "tensorboard"
    folder.joinpath(taken).parent.mkdir(exist_ok=True)
    folder.joinpath(taken).write_text("a file is in the way")
    assert fit(folder).epoch == [0, 1]
    assert capfd.readouterr().out.count("no curves are written") == 1


def test_a_file_that_cannot_be_flushed_is_no_default_of_later_summaries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(writer: object) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr(summary_ops_v2._ResourceSummaryWriter, "flush", full)
    assert fit(tmp_path).epoch == [0, 1]
    assert not tf.summary.should_record_summaries()


def shown(folder: Path, tag: str) -> list[int]:
    """Steps of a curve, as the server of data shows them that TensorBoard starts in a pod."""
    port = folder / "port"
    command = [server_binary(), "--logdir", str(folder), "--port", "0", "--port-file", str(port)]
    with subprocess.Popen([*command, "--die-after-stdin"], stdin=subprocess.PIPE) as server:
        try:
            deadline = time.monotonic() + 60
            while not port.exists() or not port.read_text().strip():
                assert time.monotonic() < deadline
                time.sleep(0.05)
            with grpc.insecure_channel(f"localhost:{port.read_text().strip()}") as channel:
                stub = TensorBoardDataProviderStub(channel)
                asked = data.ReadScalarsRequest(
                    plugin_filter=data.PluginFilter(plugin_name="scalars"),
                    run_tag_filter=data.RunTagFilter(tags=data.TagFilter(names=[tag])),
                    downsample=data.Downsample(num_points=1000),
                )
                while not (runs := stub.ReadScalars(asked, timeout=10).runs):
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
        finally:
            server.kill()
    (steps,) = [list(one.data.step) for run in runs for one in run.tags if run.run_name == "train"]
    return steps


def test_a_curve_goes_on_where_training_does_after_a_restart(tmp_path: Path) -> None:
    fit(tmp_path, epochs=4)
    # Files are read in the order of their names, which begin with the second they were made in.
    made = int(time.time())
    while int(time.time()) == made:
        time.sleep(0.05)
    fit(tmp_path, first=2, epochs=5)
    assert shown(tmp_path, "epoch_loss") == [0, 1, 2, 3, 4]
