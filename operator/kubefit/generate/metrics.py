"""The reference of the metrics: what operator and workers really export, asked of themselves."""

import datetime
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from prometheus_client import Metric

from kubefit.api.contract import (
    CheckpointReport,
    JobFiles,
    RunConfig,
    StepSeconds,
    TrainerPhase,
    TrainerReport,
)
from kubefit.api.names import ConditionType, Phase
from kubefit.controller.metrics import Metrics
from kubefit.generate.reference import table
from kubefit.generate.text import MARKDOWN_NOTICE
from kubefit_trainer.agent.host import Host
from kubefit_trainer.agent.metrics import registry
from kubefit_trainer.agent.state import State

_SUFFIX = {"counter": "_total", "info": "_info"}


def metrics_md() -> str:
    """Name, type, labels and meaning of every metric."""
    header = ("Metric", "Type", "Labels", "Meaning")
    return "\n".join(
        [
            MARKDOWN_NOTICE,
            "# Metrics\n",
            "## Operator\n",
            "The operator serves these at `/metrics`; the series of a job end with the job.\n",
            table(header, rows(operator_metrics())),
            "## Workers\n",
            "Every worker serves these on the port named `metrics`; they end with its pod. Those"
            " without the label `worker` are of the job, and worker 0 alone serves them.\n",
            table(header, rows(worker_metrics())),
            "[Goodput](../how-to/prometheus.md#goodput) says which second is counted where.",
        ]
    )


def rows(metrics: Iterable[Metric]) -> Iterator[tuple[str, ...]]:
    """One row per metric."""
    for metric in metrics:
        labels = dict.fromkeys(name for sample in metric.samples for name in sample.labels)
        labels.pop("le", None)
        yield (
            f"`{metric.name}{_SUFFIX.get(metric.type, '')}`",
            metric.type,
            ", ".join(f"`{name}`" for name in labels),
            metric.documentation,
        )


def operator_metrics() -> list[Metric]:
    """What the operator exports once every series was seen."""
    metrics = Metrics()
    metrics.passes.labels("done")
    metrics.errors.labels("conflict")
    metrics.finished.labels("default", "Failed", "UserError")
    metrics.count_request("patch", "jobs", 409)
    metrics.last_event.set(1)
    made = "2026-01-01T00:00:00Z"
    waiting = {"type": ConditionType.PROGRESSING, "status": "False", "lastTransitionTime": made}
    for phase, status in (
        (Phase.STARTING, {}),
        (Phase.SUCCEEDED, {}),
        (Phase.RUNNING, {"restarts": 1, "failure": {"reason": "Crashed"}}),
        (Phase.RESTARTING, {"restarts": 1, "conditions": [waiting]}),
    ):
        metrics.jobs.see(
            ("default", "digits"),
            {
                "metadata": {"creationTimestamp": made},
                "spec": {"storage": {"claim": "training"}},
            },
            phase=phase,
            status=status,
            now=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
        )
    return list(metrics.registry.collect())


def worker_metrics() -> list[Metric]:
    """What a worker exports once it has trained a step."""
    config = RunConfig(namespace="default", name="digits", workers=1, hosts="digits", job_dir="/")
    report = TrainerReport(
        phase=TrainerPhase.TRAINING,
        epoch=1,
        step=1,
        loss=1.0,
        metrics={"accuracy": 0.5},
        checkpoint=CheckpointReport(step=1, time=1.0, seconds=1.0, size=1),
        data_seconds=StepSeconds(),
        exchange_seconds=1.0,
        updated=0,
    )
    with tempfile.TemporaryDirectory() as folder:
        progress = Path(folder) / "progress.json"
        progress.write_text(report.model_dump_json(by_alias=True), encoding="utf-8")
        state = State(rank=0, workers=1, attempt=1, progress_file=progress)
        host = Host(config, JobFiles(PurePosixPath(folder)), warn=print)
        return list(registry(config, state, host, memory_peak=lambda: 1).collect())
