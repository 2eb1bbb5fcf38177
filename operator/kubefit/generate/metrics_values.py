"""The values of the chart that have to do with Prometheus and Grafana."""

from typing import Annotated

from pydantic import Field

from kubefit.api.base import Fraction, Model

Labels = dict[str, str]
Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[int, Field(ge=1)]


class Monitor(Model):
    """A resource of the Prometheus operator."""

    enabled: bool = False
    """Needs the CRDs of the Prometheus operator."""
    interval: Annotated[str, Field(pattern="^[0-9]+(ms|s|m|h)$")] = "30s"
    """Time between two scrapes."""
    labels: Labels = {}
    """Further labels, such as the `release` that a Prometheus selects by."""


class Thresholds(Model):
    """When alerts fire."""

    waiting_seconds: Seconds = 900
    """For so long a job that is to train may not."""
    no_step_seconds: Seconds = 900
    """For so long a job that trains may make no step."""
    checkpoint_age_seconds: Seconds = 3600
    """The newest checkpoint may be so old."""
    restarts_used_ratio: Fraction = 0.6
    """So much of a job's `maxRestarts` may be used within its `restartWindowSeconds`."""
    goodput_ratio: Fraction = 0.5
    """So much of a job's time must be productive."""
    gpu_use_ratio: Fraction = 0.1
    """For so much of the time a GPU must be in use while its job trains."""
    volume_free_ratio: Fraction = 0.1
    """So much of a job's volume must be free."""


class PrometheusRule(Model):
    """Alerts, as a resource of the Prometheus operator."""

    enabled: bool = False
    """Needs the CRDs of the Prometheus operator, and both monitors or the like of them."""
    labels: Labels = {}
    """Further labels, such as the `release` that a Prometheus selects by."""
    runbook_url: Annotated[str, Field(min_length=1)] = "docs/runbooks"
    """Where the runbooks are published; the folder of the repository by default."""
    thresholds: Thresholds = Thresholds()
    """When alerts fire."""


class Dashboards(Model):
    """Grafana's dashboards, as ConfigMaps for the sidecar that collects them."""

    enabled: bool = False
    """Makes the ConfigMaps."""
    namespace: str = ""
    """Where the sidecar looks; the namespace of the release by default."""
    labels: Labels = {"grafana_dashboard": "1"}
    """Labels by which the sidecar finds them."""
    annotations: Labels = {}
    """Annotations, such as the `grafana_folder` that some sidecars read."""


class Metrics(Model):
    """Prometheus metrics."""

    port: Port = 9090
    """Port of `/metrics`, `/healthz` and `/readyz` in the operator, and of its Service."""
    service_monitor: Monitor = Monitor()
    """Scrapes the operator."""
    pod_monitor: Monitor = Monitor(interval="15s")
    """Scrapes the workers of every job."""
    prometheus_rule: PrometheusRule = PrometheusRule()
    """Alerts."""
    dashboards: Dashboards = Dashboards()
    """Grafana's dashboards."""
