"""Every panel shows something, asked of a real Prometheus that scrapes what is really exported."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest
from prometheus_client import start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from scraping import Query, panel_queries, prometheus

from kubefit.generate.metrics import operator_metrics, worker_metrics

pytestmark = pytest.mark.cluster

POD = "digits-0-abcde"
BOARDS = Path(__file__).parents[2] / "charts/kubefit/files/dashboards"


def of_others() -> Iterator[Metric]:
    """What the kubelet and the exporter of GPUs tell of the job's volume and of its GPU."""
    for name in ("kubelet_volume_stats_available_bytes", "kubelet_volume_stats_capacity_bytes"):
        volume = GaugeMetricFamily(name, "", labels=["namespace", "persistentvolumeclaim"])
        volume.add_metric(["default", "training"], 1.0)
        yield volume
    for name in ("DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_XID_ERRORS"):
        gpu = GaugeMetricFamily(name, "", labels=["namespace", "pod", "gpu"])
        gpu.add_metric(["default", POD, "0"], 1.0)
        gpu.add_metric(["default", "notebook", "1"], 1.0)
        yield gpu


@pytest.fixture(scope="module")
def query(promtool, tmp_path_factory) -> Iterator[Query]:
    with ExitStack() as parts:
        targets = {}
        for collect in (operator_metrics, worker_metrics, of_others):
            exporter = SimpleNamespace(collect=collect)
            server, _ = start_http_server(0, "127.0.0.1", registry=exporter)
            parts.callback(server.server_close)
            parts.callback(server.shutdown)
            targets[collect.__name__] = [server.server_port]
        yield parts.enter_context(
            prometheus(
                tmp_path_factory.mktemp("prometheus"),
                targets,
                labels={"worker_metrics": {"pod": POD}},
            )
        )


@pytest.mark.parametrize("board", ["fleet", "job"])
def test_every_query_of_a_dashboard_returns_data(board, query) -> None:
    queries = panel_queries(BOARDS / f"{board}.json", namespace="default", training_job="digits")
    deadline = time.monotonic() + 60
    empty = queries
    while empty and time.monotonic() < deadline:
        empty = [expression for expression in empty if not query(expression)]
    assert empty == []


def test_gpus_are_shown_by_the_rank_of_the_worker_that_has_them(query) -> None:
    asked = panel_queries(BOARDS / "job.json", namespace="default", training_job="digits")
    (use,) = [expression for expression in asked if "DCGM_FI_DEV_GPU_UTIL" in expression]
    deadline = time.monotonic() + 60
    found = query(use)
    while not found and time.monotonic() < deadline:
        found = query(use)
    assert [series["metric"] for series in found] == [{"worker": "0", "gpu": "0"}]
