"""`/metrics` of a worker: Prometheus series made from its status when they are scraped."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from kubefit.api.contract import STEP_SECONDS_BUCKETS, AgentPhase, RunConfig, StepSeconds
from kubefit_trainer.agent.state import State

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_MOST_METRICS = 64
"""Names of metrics come from the user's program; their number must stay bounded."""
_LABELS = ["training_job", "namespace", "worker"]


def registry(config: RunConfig, state: State) -> CollectorRegistry:
    """A registry of this worker's series alone."""
    made = CollectorRegistry(auto_describe=False)
    made.register(_Worker(config, state))
    return made


def text(of: CollectorRegistry) -> bytes:
    """Exposition in Prometheus' text format."""
    return generate_latest(of)


class _Worker(Collector):
    def __init__(self, config: RunConfig, state: State) -> None:
        self._config = config
        self._state = state

    def collect(self) -> Iterable[Metric]:
        status = self._state.status()
        labels = [self._config.name, self._config.namespace, str(status.rank)]
        running = float(status.phase is AgentPhase.RUNNING)
        yield _gauge("training_worker_up", "Whether the worker trains.", labels, running)
        yield _counter(
            "training_restarts", "Attempts before this one.", labels, float(status.attempt - 1)
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
        if report.loss is not None:
            yield _gauge("training_loss", "Latest loss of training.", labels, report.loss)
        yield _named(report.metrics, labels)
        yield _histogram(report.step_seconds, labels)


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


def _histogram(seconds: StepSeconds, labels: list[str]) -> Metric:
    bounds = [*(str(bound) for bound in STEP_SECONDS_BUCKETS), "+Inf"]
    buckets: list[tuple[str, float]] = []
    total = 0.0
    for bound, count in zip(bounds, seconds.counts, strict=True):
        total += count
        buckets.append((bound, total))
    family = HistogramMetricFamily(
        "training_step_duration_seconds",
        "Time from the end of one step to the end of the next, waiting for data included.",
        labels=_LABELS,
    )
    family.add_metric(labels, buckets, sum_value=seconds.sum)
    return family
