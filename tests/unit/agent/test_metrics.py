"""Prometheus series of a worker, read by Prometheus' own parser."""

import math
import time
from pathlib import Path, PurePosixPath

import pytest
from prometheus_client.parser import text_string_to_metric_families

from kubefit.api.contract import (
    AgentPhase,
    CheckpointReport,
    ExitCode,
    Failure,
    JobFiles,
    RunConfig,
    Spent,
    StepSeconds,
    TrainerPhase,
    TrainerReport,
)
from kubefit_trainer import report
from kubefit_trainer.agent import metrics
from kubefit_trainer.agent.host import Host
from kubefit_trainer.agent.messages import Member, Report
from kubefit_trainer.agent.state import State

CONFIG = RunConfig(namespace="ml", name="digits", workers=2, hosts="h-{rank}", job_dir="/")
LABELS = {"training_job": "digits", "namespace": "ml", "worker": "1"}


def scrape(
    state: State, *, host: Host | None = None, memory_peak: int | None = None
) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    registry = metrics.registry(CONFIG, state, host, memory_peak=lambda: memory_peak)
    text = metrics.text(registry).decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def key(series: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return series, frozenset({**LABELS, **labels}.items())


def test_a_report_becomes_series(tmp_path: Path):
    state = State(rank=1, workers=2, attempt=3, progress_file=tmp_path / "progress.json")
    state.enter(AgentPhase.RUNNING)
    counts = [0] * 14
    counts[0], counts[3], counts[13] = 5, 2, 1
    told = TrainerReport(
        phase=TrainerPhase.TRAINING,
        epoch=2,
        step=8,
        examples=256,
        loss=0.25,
        metrics={"accuracy": 0.5},
        step_seconds=StepSeconds(sum=61.5, counts=counts),
        updated=1.0,
    )
    report.write(tmp_path / "progress.json", told)
    series = scrape(state)
    assert series[key("training_worker_up")] == 1
    assert series[key("training_restarts_total")] == 2
    assert series[key("training_steps_total")] == 8
    assert series[key("training_examples_total")] == 256
    assert series[key("training_epoch")] == 2
    assert series[key("training_loss")] == 0.25
    assert series[key("training_metric", name="accuracy")] == 0.5
    assert series[key("training_step_duration_seconds_bucket", le="0.005")] == 5
    assert series[key("training_step_duration_seconds_bucket", le="60.0")] == 7
    assert series[key("training_step_duration_seconds_bucket", le="+Inf")] == 8
    assert series[key("training_step_duration_seconds_count")] == 8
    assert series[key("training_step_duration_seconds_sum")] == 61.5


def test_before_the_first_report_there_is_only_the_worker(tmp_path: Path):
    state = State(rank=1, workers=2, attempt=1, progress_file=tmp_path / "progress.json")
    assert scrape(state) == {key("training_worker_up"): 0, key("training_restarts_total"): 0}


def told(tmp_path: Path, **fields: object) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    state = State(rank=1, workers=2, attempt=1, progress_file=tmp_path / "progress.json")
    trains = TrainerReport(phase=TrainerPhase.TRAINING, updated=1.0)
    report.write(tmp_path / "progress.json", trains.model_copy(update=fields))
    return scrape(state)


def test_a_loss_that_is_no_number_is_a_series_all_the_same(tmp_path: Path):
    assert math.isnan(told(tmp_path, diverged=True)[key("training_loss")])
    assert key("training_loss") not in told(tmp_path)


def test_the_newest_checkpoint_is_told(tmp_path: Path):
    written = CheckpointReport(step=7, time=1000.0, seconds=1.5, size=4096)
    series = told(tmp_path, checkpoint=written)
    assert series[key("training_last_checkpoint_timestamp_seconds")] == 1000
    assert series[key("training_checkpoint_duration_seconds")] == 1.5
    assert series[key("training_checkpoint_size_bytes")] == 4096
    assert series[key("training_checkpoint_failing")] == 0


def test_checkpoints_that_fail_are_told_before_there_is_any(tmp_path: Path):
    never = CheckpointReport(step=0, time=0.0, seconds=0.0, size=0, failing="the volume is full")
    series = told(tmp_path, checkpoint=never)
    assert series[key("training_checkpoint_failing")] == 1
    assert key("training_last_checkpoint_timestamp_seconds") not in series


def test_the_number_of_series_is_bounded(tmp_path: Path):
    state = State(rank=1, workers=2, attempt=1, progress_file=tmp_path / "progress.json")
    told = TrainerReport(
        phase=TrainerPhase.TRAINING, metrics={f"m{i}": 1.0 for i in range(500)}, updated=1.0
    )
    report.write(tmp_path / "progress.json", told)
    assert sum(name == "training_metric" for name, _ in scrape(state)) == 64


def test_waiting_is_told_where_it_is_measured(tmp_path: Path):
    counts = [9, *[0] * 12, 1]
    waits = StepSeconds(sum=70.0, counts=counts)
    series = told(tmp_path, data_seconds=waits, exchange_seconds=3.5)
    assert series[key("training_data_wait_seconds_sum")] == 70
    assert series[key("training_data_wait_seconds_bucket", le="60.0")] == 9
    assert series[key("training_communication_seconds_total")] == 3.5
    unmeasured = {name for name, _ in told(tmp_path)}
    assert not any("wait" in name or "communication" in name for name in unmeasured)


def test_the_most_memory_is_told_where_the_kernel_counts_it(tmp_path: Path):
    state = State(rank=1, workers=2, attempt=1, progress_file=tmp_path / "progress.json")
    assert scrape(state, memory_peak=4096)[key("training_memory_peak_bytes")] == 4096


def test_worker_0_tells_what_the_time_of_the_job_went_into(tmp_path: Path):
    host = Host(
        CONFIG.model_copy(update={"workers": 1, "job_dir": str(tmp_path)}),
        JobFiles(PurePosixPath(tmp_path)),
        warn=pytest.fail,
    )
    told = Report(rank=0, incarnation="a", state=Member.IDLE, port=1, workers=1)
    began = time.time()
    told = told.model_copy(update={"meeting": host.hear(told).meeting})
    host.hear(told)
    running = {"state": Member.RUNNING, "generation": 1}
    spent = Spent(productive=50, data=5, checkpoint=3, lost_work=2, until=began + 100)
    host.hear(told.model_copy(update={"number": 1, "spent": spent, **running}))
    failure = Failure(exit_code=ExitCode.CRASHED, message="it crashed")
    ended = {"state": Member.ENDED, "generation": 1, "failure": failure, "spent": spent}
    state = State(rank=0, workers=1, attempt=1, progress_file=tmp_path / "progress.json")

    def series() -> dict[str, float]:
        found = scrape(state, host=host)
        return {
            next((v for k, v in labels if k == "cause"), name): value
            for (name, labels), value in found.items()
            if name.startswith(("training_productive", "training_lost", "training_restarts_used"))
        }

    assert series() == {
        "training_productive_seconds_total": 50,
        "startup": pytest.approx(40, abs=5),
        "data": 5,
        "checkpoint": 3,
        "restart": 0,
        "lost_work": 2,
        "training_restarts_used_ratio": 0,
    }
    host.hear(told.model_copy(update={"number": 2, **ended}))
    assert series()["training_restarts_used_ratio"] == pytest.approx(1 / 3)
    # The one that follows goes on from what is on the volume.
    host = Host(
        CONFIG.model_copy(update={"workers": 1, "job_dir": str(tmp_path)}),
        JobFiles(PurePosixPath(tmp_path)),
        warn=pytest.fail,
    )
    assert series()["training_productive_seconds_total"] == 50
    assert series()["training_restarts_used_ratio"] == pytest.approx(1 / 3)
