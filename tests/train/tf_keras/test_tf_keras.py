"""Keras 2 on 1 and 3 workers: numbers of one, files of one, progress, failures."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from event_files import histograms, profiled_steps

from kubefit.api.contract import TrainerPhase
from kubefit.api.names import Phase

pytestmark = pytest.mark.train
HERE = Path(__file__).parent
STEPS_OF_THE_LAST_FIT = 6
"""Two epochs of 36 samples in batches of 12."""


class Run:
    """One finished run of `program.py`."""

    def __init__(self, run_program, folder: Path, workers: int) -> None:
        self.folder = folder
        self.result, self.statuses, self.lines = run_program(
            HERE / "program.py", folder, workers=workers, args=[str(folder)]
        )
        assert self.result.phase is Phase.SUCCEEDED, (self.result.failure, self.lines[-40:])
        self.ranks: list[dict[str, Any]] = [
            pickle.loads((folder / f"rank-{rank}.pickle").read_bytes()) for rank in range(workers)
        ]


@pytest.fixture(scope="module")
def one(run_program, tmp_path_factory) -> Run:
    return Run(run_program, tmp_path_factory.mktemp("one"), 1)


@pytest.fixture(scope="module")
def many(run_program, tmp_path_factory) -> Run:
    return Run(run_program, tmp_path_factory.mktemp("many"), 3)


def assert_same(left: list[np.ndarray], right: list[np.ndarray], **tolerance: float) -> None:
    for a, b in zip(left, right, strict=True):
        np.testing.assert_allclose(a, b, **{"rtol": 1e-4, "atol": 1e-5, **tolerance})


def assert_same_logs(left: dict[str, list[float]], right: dict[str, list[float]]) -> None:
    assert left.keys() == right.keys()
    for name in left:
        np.testing.assert_allclose(left[name], right[name], rtol=1e-4)


def test_tf_keras_and_tf_dot_keras_are_one_and_keras_3_is_not_imported(one, many):
    for rank in [*one.ranks, *many.ranks]:
        assert rank["tf_keras"]
        assert not rank["keras_3"]


@pytest.mark.parametrize("scenario", ["arrays", "data_set", "own_strategies"])
def test_losses_and_weights_are_those_of_one_process(one, many, scenario):
    for rank in many.ranks:
        assert_same_logs(rank[scenario]["logs"], one.ranks[0][scenario]["logs"])
        assert_same(rank[scenario]["weights"], one.ranks[0][scenario]["weights"])


def test_evaluation_and_prediction_are_those_of_one_process(one, many):
    for rank in many.ranks:
        assert_same([rank["arrays"]["predicted"]], [one.ranks[0]["arrays"]["predicted"]])
        np.testing.assert_allclose(
            rank["arrays"]["evaluated"], one.ranks[0]["arrays"]["evaluated"], rtol=1e-4
        )


def test_dropout_draws_another_mask_on_each_rank_and_that_of_one_process_on_the_chief(one, many):
    masks = [tuple(rank["masks"]) for rank in many.ranks]
    assert len(set(masks)) == len(masks)
    assert masks[0] == tuple(one.ranks[0]["masks"])


def test_every_worker_saves_loads_and_goes_on(one, many):
    for rank in many.ranks:
        went_on = rank["saving"]["went_on"]
        for name, single in one.ranks[0]["saving"]["went_on"].items():
            assert_same(went_on[name]["weights"], single["weights"])
        for name in ("model.weights.h5", "checkpoint/weights"):
            assert_same(went_on[name]["weights"], rank["saving"]["weights"], rtol=0, atol=0)


def test_a_chief_that_saves_alone_waits_for_nobody_and_all_train_on(many):
    for name in ("chief.keras", "chief.h5"):
        assert (many.folder / name).stat().st_size > 0
    for rank in many.ranks[1:]:
        assert rank["chief_alone"]["logs"] == many.ranks[0]["chief_alone"]["logs"]


def test_the_folders_of_tensorflow_s_tutorials_work(many):
    assert all(rank["tutorial"] == ["model.keras"] for rank in many.ranks)


def files(folder: Path) -> list[str]:
    """Names without what TensorFlow makes of time and process; none of a worker's own."""
    found = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return sorted(str(path).partition("tfevents")[0] for path in found)


def test_files_are_those_of_one_process(one, many):
    for place in ("callbacks", "checkpoint", "saved_model", "served", "export"):
        assert files(many.folder / place) == files(one.folder / place)
    assert not list(many.folder.rglob("workertemp_*"))
    log, single = ((run.folder / "callbacks/log.csv").read_text() for run in (many, one))
    assert len(log.splitlines()) == len(single.splitlines()) == 4


def test_statistics_in_saved_models_are_those_of_all_workers(many):
    for rank in many.ranks:
        assert_same(rank["callbacks"]["saved"], rank["callbacks"]["weights"], rtol=0, atol=0)
        assert_same(
            rank["callbacks"]["weights"], many.ranks[0]["callbacks"]["weights"], rtol=0, atol=0
        )
        assert_same_logs(rank["callbacks"]["logs"], many.ranks[0]["callbacks"]["logs"])


@pytest.mark.parametrize("at_end", [False, True], ids=["at a step", "at the end of an epoch"])
def test_a_worker_that_stops_alone_stops_all_where_one_process_stops(one, many, at_end):
    single = one.ranks[0]["stopping"][at_end]
    assert len(single["logs"]["loss"]) == 2
    for rank in many.ranks:
        assert_same_logs(rank["stopping"][at_end]["logs"], single["logs"])
        assert_same(rank["stopping"][at_end]["weights"], single["weights"])


def test_progress_and_evaluation_are_reported(one, many):
    for run in (one, many):
        reports = [status.report for status in run.statuses if status.report is not None]
        assert TrainerPhase.TRAINING in {report.phase for report in reports}
        last = reports[-1]
        assert (last.epoch, last.epochs, last.steps_per_epoch) == (2, 2, 3)
        assert last.step >= STEPS_OF_THE_LAST_FIT
        assert last.loss is not None
        printed = next(line for line in run.lines if line.startswith("evaluation: "))
        loss, accuracy = (float(word) for word in printed.split()[1:])
        assert run.result.evaluation == {
            "loss": pytest.approx(loss),
            "accuracy": pytest.approx(accuracy),
        }
        assert set(run.result.versions) == {"kubefit", "tensorflow", "tf_keras", "numpy"}


def test_histograms_and_a_profile_are_written_as_asked(one, many):
    for run in (one, many):
        found = histograms(run.result.job_dir)
        assert all(epoch % 2 == 0 for epoch in found)
        assert set(found[2]) == {"dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias"}
        # tf_keras marks steps too, counted from 0 in each epoch.
        assert set(profiled_steps(run.result.job_dir, "steps-2-4")) == {2, 3, 4}
    single, found = (histograms(run.result.job_dir) for run in (one, many))
    assert single.keys() == found.keys()
    for name, rows in single[2].items():
        np.testing.assert_allclose(rows[:, :2], found[2][name][:, :2], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("failure", "rank", "sentence"),
    [
        ("last", 1, "ValueError: deliberate (failing.py:"),
        ("apart", None, "the workers were at different places of the program: every worker must"),
    ],
)
def test_the_worker_that_failed_is_named_with_what_it_said(
    run_program, tmp_path, failure, rank, sentence
):
    result, _, _ = run_program(
        HERE / "failing.py", tmp_path, workers=2, args=[failure, str(tmp_path)]
    )
    assert result.phase is Phase.FAILED
    assert result.restarts == 0
    assert result.failure.reason == "UserError"
    assert result.failure.message.startswith(sentence)
    assert rank in (None, result.failure.rank)
