"""The NetworkPolicy of a job, enforced: its workers reach TensorFlow's servers, others do not."""

from collections.abc import Iterator
from typing import Any

import pytest

from kubefit.api.errors import read_job
from kubefit.core.objects import network_policy

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

NAMESPACE = "policies"
ELSEWHERE = "policies-elsewhere"
SERVERS = """
import threading
from http.server import HTTPServer, SimpleHTTPRequestHandler

for port in (8080, 40404):
    server = HTTPServer(("", port), SimpleHTTPRequestHandler)
    threading.Thread(target=server.serve_forever).start()
"""
REACH = """
import socket, sys

for port in sys.argv[2:]:
    try:
        socket.create_connection((sys.argv[1], int(port)), timeout=3).close()
        print(port, "open")
    except OSError:
        print(port, "closed")
"""
WORKER = {"kubefit.dev/job": "digits", "kubefit.dev/role": "worker"}


@pytest.fixture(scope="module")
def address(cluster, enforced) -> Iterator[str]:
    """Address of a worker of a job that has its policy."""
    for namespace in (NAMESPACE, ELSEWHERE):
        cluster.kubectl("create", "namespace", namespace)
    job = {
        "apiVersion": "kubefit.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": "digits", "namespace": NAMESPACE, "uid": "none"},
        "spec": {"storage": {"claim": "c"}, "script": {"inline": "x"}},
    }
    policy = dict(network_policy(read_job(job)))
    policy["metadata"] = {"name": "digits", "namespace": NAMESPACE}
    cluster.apply(
        policy,
        _pod("served", NAMESPACE, WORKER),
        _pod("peer", NAMESPACE, WORKER),
        _pod("stranger", NAMESPACE, {**WORKER, "kubefit.dev/job": "other"}),
        _pod("namesake", ELSEWHERE, WORKER),
    )
    for namespace in (NAMESPACE, ELSEWHERE):
        ready = ("wait", "pod", "--all", "--for=condition=Ready", "--timeout=300s")
        cluster.kubectl("-n", namespace, *ready)
    yield cluster.get("pod", "served", namespace=NAMESPACE)["status"]["podIP"]
    cluster.kubectl("delete", "namespace", NAMESPACE, ELSEWHERE, "--wait=true")


def _pod(name: str, namespace: str, labels: dict[str, str]) -> dict[str, Any]:
    container = {
        "name": "trainer",
        "image": "docker.io/kubefit/trainer:dev",
        "command": ["tini", "--", "python", "-c", SERVERS],
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
    }


@pytest.mark.parametrize(
    ("namespace", "name", "servers"),
    [
        (NAMESPACE, "peer", "open"),
        (NAMESPACE, "stranger", "closed"),
        (ELSEWHERE, "namesake", "closed"),
    ],
)
def test_only_workers_of_the_job_reach_the_servers_of_tensorflow(
    cluster, address, eventually, namespace: str, name: str, servers: str
) -> None:
    command = ("-n", namespace, "exec", name, "--", "python", "-c", REACH, address)
    expected = f"8080 open\n40404 {servers}\n"
    eventually(lambda: cluster.kubectl(*command, "8080", "40404") == expected, 60)
