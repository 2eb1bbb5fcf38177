"""What is asked of TensorBoard is written once and whole, and is not worth the training."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from keras.src.backend.tensorflow import trainer as tf_trainer
from keras.src.callbacks import callback_list

from kubefit.api.contract import RunConfig
from kubefit_trainer.callbacks import of_keras
from kubefit_trainer.callbacks.epochs import last_number
from kubefit_trainer.callbacks.histograms import HistogramFile
from kubefit_trainer.callbacks.inspection import asked
from kubefit_trainer.callbacks.profile import Profile, Tracer
from kubefit_trainer.callbacks.reporter import Reporter

Fit = Callable[..., None]


@pytest.fixture
def fit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Fit:
    """Twelve steps in three epochs, of a job that asks for so much."""
    for owner, name in (
        (callback_list.CallbackList, "__init__"),
        (tf_trainer.TensorFlowTrainer, "fit"),
        (keras.Model, "save"),
        (keras.Model, "export"),
    ):
        monkeypatch.setattr(owner, name, getattr(owner, name))

    def fitted(steps_at_once: int = 1, **wanted: object) -> list[object]:
        config = {"namespace": "a", "name": "b", "workers": 1, "hosts": "a", "job_dir": tmp_path}
        inspection = asked(RunConfig.model_validate({**config, "job_dir": str(tmp_path), **wanted}))
        of_keras.install(Reporter(None), workers=1, inspection=inspection)
        seen: list[object] = []
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse", steps_per_execution=steps_at_once)
        x = np.ones((8, 2), np.float32)
        model.fit(x, x[:, :1], batch_size=2, epochs=3, verbose=0)
        lists = callback_list.CallbackList(model=model)
        seen.extend(lists.callbacks)
        return seen

    return fitted


def profiles(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("tensorboard/plugins/profile/*"))


def test_a_job_that_asks_for_nothing_has_neither_callbacks_nor_files_more(
    fit: Fit, tmp_path: Path
) -> None:
    assert [type(callback).__name__ for callback in fit()] == ["_Progress"]
    assert list(tmp_path.iterdir()) == []


def test_steps_that_run_in_one_go_with_the_first_one_asked_are_traced(
    fit: Fit, tmp_path: Path
) -> None:
    fit(steps_at_once=4, profile={"steps": [6, 7]})
    assert profiles(tmp_path) == ["steps-6-7"]
    assert not (tmp_path / "tensorboard" / ".profile").exists()


def test_steps_that_never_come_are_not_traced(fit: Fit, tmp_path: Path) -> None:
    fit(profile={"steps": [13, 20]})
    assert profiles(tmp_path) == []


def test_a_fit_that_ends_before_the_last_step_has_a_profile_until_there(
    fit: Fit, tmp_path: Path
) -> None:
    fit(profile={"steps": [11, 20]})
    assert profiles(tmp_path) == ["steps-11-20"]


def test_training_goes_on_where_nothing_can_be_written(
    fit: Fit, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tensorboard").write_text("a file is in the way")
    fit(profile={"steps": [2, 3]}, histograms={})
    said = capfd.readouterr().out
    assert said.count("no histograms are written for TensorBoard any more: ") == 1
    assert said.count("no profile is written for TensorBoard: ") == 1


def test_a_part_of_the_steps_does_not_replace_a_profile_of_all(tmp_path: Path) -> None:
    whole = tmp_path / "plugins" / "profile" / "steps-3-5" / "kept"
    whole.mkdir(parents=True)
    tracer = Tracer(tmp_path, first=3, last=5)
    for step in (4, 5):
        tracer.before(range(step, step + 1))
        tracer.after(step)
    assert whole.exists()
    again = Tracer(tmp_path, first=3, last=5)
    for step in (3, 4, 5):
        again.before(range(step, step + 1))
        again.after(step)
    assert [file.suffix for file in whole.parent.iterdir()] == [".pb"]


def test_an_epoch_that_is_gone_on_with_is_traced_at_the_steps_that_it_has(tmp_path: Path) -> None:
    tracer, reporter = Tracer(tmp_path, first=1, last=5), Reporter(None)
    profile = Profile(tracer, reporter)
    begun: list[range] = []
    tracer.before = begun.append  # type: ignore[method-assign]
    profile.model = None
    reporter.update(step=8)
    profile.on_epoch_begin(1)
    profile.on_train_batch_begin(4)
    reporter.update(step=13)
    profile.on_train_batch_begin(5)
    assert begun == [range(13, 14), range(14, 15)]


class _Weight:
    def __init__(self, path: str, values: list[float]) -> None:
        self.path, self._values = path, values
        self.name = path

    def numpy(self) -> np.ndarray:
        return np.array(self._values)


def test_weights_of_one_name_and_weights_that_are_no_numbers_have_histograms(
    tmp_path: Path,
) -> None:
    from event_files import histograms

    class Model:
        trainable_variables = (_Weight("a/kernel", [1.0, np.nan]), _Weight("a/kernel", [2.0]))

    file = HistogramFile(tmp_path / "tensorboard", every_epochs=3)
    for epoch in range(1, 7):
        file.write_if_due(Model, epoch)
    found = histograms(tmp_path)
    assert list(found) == [3, 6]
    assert found[3].keys() == {"a/kernel", "a/kernel_2"}
    assert found[3]["a/kernel"][:, 2].sum() == 1


@pytest.mark.parametrize(
    ("epochs", "number"),
    [
        ([], 0),
        ([0, 1, 2], 3),
        ([0, 1, 0, 0], 4),
        pytest.param([0, 1, 5, 6], 7, id="a phase ended early, and epochs are counted through"),
    ],
)
def test_epochs_are_counted_over_all_calls_of_fit(epochs: list[int], number: int) -> None:
    assert last_number(epochs) == number
