"""The operator's own metrics."""

from collections import Counter as Tally
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from kubefit.api.names import Phase
from kubefit.api.version import __version__
from kubefit.controller.worklist import Key


class Metrics:
    """Counts of passes, requests and jobs; the series of a job end with the job."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.passes = Counter(
            "kubefit_reconcile", "Passes over a TrainingJob.", ["result"], registry=self.registry
        )
        self.seconds = Histogram(
            "kubefit_reconcile_duration_seconds", "Duration of a pass.", registry=self.registry
        )
        self.errors = Counter(
            "kubefit_reconcile_errors", "Passes that failed.", ["reason"], registry=self.registry
        )
        self.requests = Counter(
            "kubefit_api_requests",
            "Requests to the Kubernetes API.",
            ["verb", "resource", "code"],
            registry=self.registry,
        )
        self.finished = Counter(
            "kubefit_jobs_finished",
            "TrainingJobs that came to an end.",
            ["namespace", "result", "reason"],
            registry=self.registry,
        )
        self.last_event = Gauge(
            "kubefit_watch_last_event_timestamp_seconds",
            "When a watch last brought something.",
            registry=self.registry,
        )
        Info("kubefit_build", "Version.", registry=self.registry).info({"version": __version__})
        self.phases: dict[Key, Phase] = {}
        """Phase of each TrainingJob there is."""
        self.registry.register(_Jobs(self.phases))

    def count_request(self, verb: str, resource: str, code: int) -> None:
        """Counts one request to the Kubernetes API."""
        self.requests.labels(verb, resource, str(code)).inc()


class _Jobs(Collector):
    """Number of TrainingJobs by namespace and phase."""

    def __init__(self, phases: dict[Key, Phase]) -> None:
        self._phases = phases

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily(
            "kubefit_jobs", "TrainingJobs there are.", labels=["namespace", "phase"]
        )
        tally = Tally((key[0], phase.value) for key, phase in self._phases.items())
        for labels, number in sorted(tally.items()):
            family.add_metric(labels, number)
        yield family
