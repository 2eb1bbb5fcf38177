"""Prometheus series of a worker, read by Prometheus' own parser."""

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from kubefit.api.contract import (
    AgentPhase,
    RunConfig,
    StepSeconds,
    TrainerPhase,
    TrainerReport,
)
from kubefit_trainer import report
from kubefit_trainer.agent import metrics
from kubefit_trainer.agent.state import State

CONFIG = RunConfig(namespace="ml", name="digits", workers=2, hosts="h-{rank}", job_dir="/")
LABELS = {"training_job": "digits", "namespace": "ml", "worker": "1"}


def scrape(state: State) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    text = metrics.text(metrics.registry(CONFIG, state)).decode()
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


def test_the_number_of_series_is_bounded(tmp_path: Path):
    state = State(rank=1, workers=2, attempt=1, progress_file=tmp_path / "progress.json")
    told = TrainerReport(
        phase=TrainerPhase.TRAINING, metrics={f"m{i}": 1.0 for i in range(500)}, updated=1.0
    )
    report.write(tmp_path / "progress.json", told)
    assert sum(name == "training_metric" for name, _ in scrape(state)) == 64
