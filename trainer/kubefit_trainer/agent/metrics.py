"""`/metrics` of a worker: Prometheus series made from its status when they are scraped."""

import math
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from kubefit.api.contract import (
    STEP_SECONDS_BUCKETS,
    AgentPhase,
    CheckpointReport,
    RunConfig,
    StepSeconds,
)
from kubefit_trainer.agent import cgroup
from kubefit_trainer.agent.host import Host
from kubefit_trainer.agent.job_metrics import JobSeries
from kubefit_trainer.agent.state import State

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_MOST_METRICS = 64
"""Names of metrics come from the user's program; their number must stay bounded."""
_LABELS = ["training_job", "namespace", "worker"]


def registry(
    config: RunConfig,
    state: State,
    host: Host | None = None,
    *,
    memory_peak: Callable[[], int | None] = cgroup.memory_peak,
) -> CollectorRegistry:
    """A registry of this worker's series, with those of the whole job where its `host` is."""
    made = CollectorRegistry(auto_describe=False)
    made.register(_Worker(config, state, memory_peak))
    if host is not None:
        made.register(JobSeries(config, host))
    return made


def text(of: CollectorRegistry) -> bytes:
    """Exposition in Prometheus' text format."""
    return generate_latest(of)


class _Worker(Collector):
    def __init__(
        self, config: RunConfig, state: State, memory_peak: Callable[[], int | None]
    ) -> None:
        self._config = config
        self._state = state
        self._memory_peak = memory_peak

    def collect(self) -> Iterable[Metric]:
        status = self._state.status()
        labels = [self._config.name, self._config.namespace, str(status.rank)]
        running = float(status.phase is AgentPhase.RUNNING)
        yield _gauge("training_worker_up", "Whether the worker trains.", labels, running)
        yield _counter(
            "training_restarts", "Attempts before this one.", labels, float(status.attempt - 1)
        )
        peak = self._memory_peak()
        if peak is not None:
            yield _gauge(
                "training_memory_peak_bytes",
                "Most memory that this worker has taken at one time, cached files among it.",
                labels,
                float(peak),
            )
        report = status.report
        if report is None:
            return
        yield _counter("training_steps", "Steps done in all epochs.", labels, float(report.step))
        yield _counter(
            "training_examples",
            "Samples this worker trained on.",
            labels,
            float(report.examples),
        )
        yield _gauge("training_epoch", "Epoch under way, from 1.", labels, float(report.epoch))
        loss = math.nan if report.diverged else report.loss
        if loss is not None:
            yield _gauge("training_loss", "Latest loss of training.", labels, loss)
        yield _named(report.metrics, labels)
        yield _histogram(
            "training_step_duration_seconds",
            "Time from the end of one step to the end of the next, waiting for data included.",
            report.step_seconds,
            labels,
        )
        if report.data_seconds is not None:
            yield _histogram(
                "training_data_wait_seconds",
                "How long a step waited for the data of this worker.",
                report.data_seconds,
                labels,
            )
        if report.exchange_seconds is not None:
            yield _counter(
                "training_communication_seconds",
                "Time that steps waited for the gradients of others, slower workers among them.",
                labels,
                report.exchange_seconds,
            )
        if report.checkpoint is not None:
            yield from _of_checkpoints(report.checkpoint, labels)


def _gauge(name: str, text: str, labels: list[str], value: float) -> Metric:
    family = GaugeMetricFamily(name, text, labels=_LABELS)
    family.add_metric(labels, value)
    return family


def _counter(name: str, text: str, labels: list[str], value: float) -> Metric:
    family = CounterMetricFamily(name, text, labels=_LABELS)
    family.add_metric(labels, value)
    return family


def _named(metrics: dict[str, float], labels: list[str]) -> Metric:
    family = GaugeMetricFamily(
        "training_metric", "Latest metrics of training and validation.", labels=[*_LABELS, "name"]
    )
    for name in sorted(metrics)[:_MOST_METRICS]:
        family.add_metric([*labels, name], metrics[name])
    return family


def _of_checkpoints(told: CheckpointReport, labels: list[str]) -> Iterator[Metric]:
    yield _gauge(
        "training_checkpoint_failing",
        "1 while checkpoints cannot be written, else 0.",
        labels,
        float(bool(told.failing)),
    )
    if not told.time:
        return
    yield _gauge(
        "training_last_checkpoint_timestamp_seconds",
        "When the newest checkpoint on the volume was complete.",
        labels,
        told.time,
    )
    yield _gauge(
        "training_checkpoint_duration_seconds",
        "How long the newest checkpoint took to write, beside training.",
        labels,
        told.seconds,
    )
    yield _gauge(
        "training_checkpoint_size_bytes", "Size of the newest checkpoint.", labels, float(told.size)
    )


def _histogram(name: str, text: str, seconds: StepSeconds, labels: list[str]) -> Metric:
    bounds = [*(str(bound) for bound in STEP_SECONDS_BUCKETS), "+Inf"]
    buckets: list[tuple[str, float]] = []
    total = 0.0
    for bound, count in zip(bounds, seconds.counts, strict=True):
        total += count
        buckets.append((bound, total))
    family = HistogramMetricFamily(name, text, labels=_LABELS)
    family.add_metric(labels, buckets, sum_value=seconds.sum)
    return family
