"""Series of a job as a whole, told by the agent of worker 0: what its time went into."""

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from kubefit.api.contract import RunConfig
from kubefit_trainer.agent.host import Host

_LABELS = ["training_job", "namespace"]


class JobSeries(Collector):
    """What the rendezvous knows when it is scraped."""

    def __init__(self, config: RunConfig, host: Host) -> None:
        self._labels = [config.name, config.namespace]
        self._host = host

    def collect(self) -> Iterable[Metric]:
        """Goodput, and how much of `maxRestarts` is used."""
        told = self._host.goodput()
        productive = CounterMetricFamily(
            "training_productive_seconds",
            "Wall time of the job that went into new steps, validation, evaluation and export.",
            labels=_LABELS,
        )
        productive.add_metric(self._labels, told.productive)
        yield productive
        lost = CounterMetricFamily(
            "training_lost_seconds",
            "Wall time of the job that went into anything else, by cause.",
            labels=[*_LABELS, "cause"],
        )
        for cause, seconds in told.lost.items():
            lost.add_metric([*self._labels, cause], seconds)
        yield lost
        used = self._host.restarts_used()
        if used is not None:
            budget = GaugeMetricFamily(
                "training_restarts_used_ratio",
                "Restarts charged within `restartWindowSeconds`, of the `maxRestarts` allowed.",
                labels=_LABELS,
            )
            budget.add_metric(self._labels, used)
            yield budget
