"""The operator's own metrics."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

from kubefit.api.version import __version__
from kubefit.controller.job_series import JobSeries


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
        self.leader = Gauge(
            "kubefit_leader", "1 while this operator leads, else 0.", registry=self.registry
        )
        Info("kubefit_build", "Version.", registry=self.registry).info({"version": __version__})
        self.jobs = JobSeries()
        self.registry.register(self.jobs)

    def count_request(self, verb: str, resource: str, code: int) -> None:
        """Counts one request to the Kubernetes API."""
        self.requests.labels(verb, resource, str(code)).inc()
