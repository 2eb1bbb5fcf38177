"""What a screen shows: snapshots of statuses, a line per epoch, filtered output."""

import datetime

from kubefit.api.contract import AgentPhase, TrainerPhase, TrainerReport, WorkerStatus
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.cli.epochs import Epochs
from kubefit.cli.listing import age
from kubefit.cli.output import Show, shown
from kubefit.cli.progress import Rate, Snapshot, of_job, of_workers
from kubefit.cli.screen import numbers


def _status(rank: int, **report: object) -> WorkerStatus:
    told = TrainerReport.model_validate({"phase": TrainerPhase.TRAINING, "updated": 1.0, **report})
    return WorkerStatus(rank=rank, workers=2, attempt=1, phase=AgentPhase.RUNNING, report=told)


def _job(**status: object) -> TrainingJob:
    return TrainingJob.model_validate(
        {
            "metadata": {"name": "digits"},
            "spec": {"storage": {"claim": "c"}, "script": {"path": "/train.py"}},
            "status": status,
        }
    )


def test_the_chief_tells_the_epoch_and_all_workers_the_rate() -> None:
    rate = Rate()
    first = [_status(0, epoch=1, examples=100), _status(1, epoch=1, examples=100)]
    later = [
        _status(0, epoch=2, epochs=3, step=12, steps_per_epoch=10, loss=0.5, examples=200),
        _status(1, epoch=2, examples=220),
    ]
    assert of_workers(first, rate=rate, now=10.0).examples_per_second is None
    snapshot = of_workers(later, rate=rate, now=12.0)
    assert snapshot.examples_per_second == 110.0
    assert (snapshot.epoch, snapshot.epochs, snapshot.step) == (2, 3, 12)
    assert snapshot.total_steps == 30
    assert snapshot.logs == {"loss": 0.5}


def test_counts_that_fall_back_after_a_restart_give_no_negative_rate() -> None:
    rate = Rate()
    rate.at(1.0, 1000)
    rate.at(2.0, 2000)
    assert rate.at(3.0, 10) is None
    assert rate.at(4.0, 110) == 100.0


def test_before_training_the_screen_says_who_waits_for_what() -> None:
    waiting = WorkerStatus(
        rank=1, workers=2, attempt=1, phase=AgentPhase.WAITING, waiting_for="digits-0.digits"
    )
    snapshot = of_workers([waiting], rate=Rate(), now=0.0)
    assert snapshot.phase == "worker 1 waits for digits-0.digits"


def test_a_pending_job_says_why() -> None:
    condition = {
        "type": "PodsReady",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/1 nodes have enough memory",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    job = _job(phase="Pending", summary={"ready": "0/2"}, conditions=[condition])
    assert of_job(job).phase == "Pending 0/2 ready: 0/1 nodes have enough memory"


def test_progress_of_a_job_is_that_of_its_status() -> None:
    progress = {"epoch": 2, "epochs": 5, "step": 20, "totalSteps": 50, "loss": 0.25}
    snapshot = of_job(_job(phase="Running", progress={**progress, "metrics": {"accuracy": 0.9}}))
    assert (snapshot.epoch, snapshot.epochs, snapshot.step, snapshot.total_steps) == (2, 5, 20, 50)
    assert snapshot.logs == {"loss": 0.25, "accuracy": 0.9}


def test_an_epoch_that_the_chief_prints_is_shown_once_and_exactly() -> None:
    epochs = Epochs()
    printed = "epoch=2/5 loss=0.5 val_loss=0.75 seconds=2.00 examples_per_second=850"
    assert epochs.of_output(printed) == (
        "epoch 2/5  loss 0.5000  val_loss 0.7500  850 samples/s  2.0 s"
    )
    assert epochs.of_snapshot(Snapshot(phase="training", epoch=2)) is None
    assert epochs.of_snapshot(Snapshot(phase="training", epoch=3)) is None
    assert epochs.end() is None


def test_an_epoch_that_nobody_prints_is_shown_as_told_last() -> None:
    epochs = Epochs()
    assert epochs.of_output("hello epoch=2") is None
    assert epochs.of_snapshot(Snapshot(phase="training", epoch=1, epochs=2)) is None
    ended = Snapshot(phase="training", epoch=1, epochs=2, logs={"loss": 0.5})
    assert epochs.of_snapshot(ended) is None
    following = Snapshot(phase="training", epoch=2, epochs=2, logs={"loss": 0.25})
    assert epochs.of_snapshot(following) == "epoch 1/2  loss 0.5000"
    assert epochs.end() == "epoch 2/2  loss 0.2500"


def test_losses_come_first_and_validation_last() -> None:
    logs = {"val_accuracy": 0.5, "accuracy": 0.25, "val_loss": 2.0, "loss": 0.00001}
    assert numbers(logs) == "loss 1e-05  accuracy 0.2500  val_loss 2.0000  val_accuracy 0.5000"


def test_output_is_shown_as_asked_without_keras_progress_bars() -> None:
    assert shown(0, "hello", show=Show.CHIEF) == "hello"
    assert shown(1, "hello", show=Show.CHIEF) is None
    assert shown(1, "\x1b[1mhello\x1b[0m", show=Show.ALL) == "worker-1 | hello"
    assert shown(0, "\x1b[1m12/45\x1b[0m \x1b[32m━━━\x1b[0m 1s 2ms/step", show=Show.ALL) is None
    assert shown(1, "kubefit: worker 0 is gone", show=Show.NONE) is not None


def test_ages_are_short() -> None:
    seconds = {
        5: "5s",
        119: "119s",
        120: "2m",
        7199: "119m",
        7200: "2h",
        90000: "25h",
        172800: "2d",
    }
    for passed, text in seconds.items():
        assert age(datetime.timedelta(seconds=passed)) == text
