"""Jobs as large as they may be, and larger: they are run, or somebody says why not."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

NAMESPACE = "large-jobs"
LIMIT = 262_144
"""Characters of a program."""


@pytest.fixture(scope="module")
def namespace(cluster, operator) -> Iterator[str]:
    cluster.kubectl("create", "namespace", NAMESPACE)
    yield NAMESPACE
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=true")


def _job(name: str, program: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "kubefit.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "storage": {"create": {"size": "10Mi", "accessMode": "ReadWriteOnce"}},
            "script": {"inline": program},
            **spec,
        },
    }


def _long(character: str) -> str:
    """A program of as many characters as are allowed, nearly all of them one in a comment."""
    program = "import time\ntime.sleep(3600)\n# "
    return program + character * (LIMIT - len(program))


def _created(cluster, job: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """`kubectl create`: what `kubectl apply` keeps in an annotation has a limit of its own."""
    return subprocess.run(
        [*cluster.kubectl_command, "create", "-f", "-"],
        input=json.dumps(job),
        capture_output=True,
        text=True,
    )


def _accepted(cluster, name: str) -> dict[str, str]:
    status = cluster.get("trainingjob", name, namespace=NAMESPACE).get("status", {})
    found = [one for one in status.get("conditions", ()) if one["type"] == "Accepted"]
    return found[0] if found else {}


def test_the_longest_program_reaches_its_workers(cluster, namespace, eventually) -> None:
    program = _long("ü")
    assert _created(cluster, _job("long", program)).returncode == 0
    pods = eventually(
        lambda: cluster.get("pods", namespace=NAMESPACE, selector="kubefit.dev/job=long")["items"],
        120,
    )
    assert len(pods) == 1
    (text,) = cluster.get("configmap", "long", namespace=NAMESPACE)["data"].values()
    assert json.loads(text)["script"]["inline"] == program


def test_a_program_of_too_many_bytes_is_refused_with_what_to_do(cluster, namespace) -> None:
    refused = _created(cluster, _job("foxes", _long("🦊")))
    assert refused.returncode != 0
    assert "spec.script: " in refused.stderr
    assert "inline has more than 524288 bytes; put the program on the volume" in refused.stderr


def test_arguments_for_which_there_is_no_room_are_told(cluster, namespace, eventually) -> None:
    script = {"inline": "import time\ntime.sleep(3600)", "args": ["x" * 5_000] * 256}
    assert _created(cluster, _job("args", "", script=script)).returncode == 0
    condition = eventually(lambda: _accepted(cluster, "args"), 60)
    assert (condition["status"], condition["reason"]) == ("False", "ObjectRefused")
    assert "ConfigMap" in condition["message"]
    assert "1048576 bytes" in condition["message"]


def test_a_job_too_large_for_the_store_leaves_nothing(cluster, namespace) -> None:
    annotations = {f"a{number}": "x" * 200_000 for number in range(12)}
    template = {"metadata": {"annotations": annotations}}
    refused = _created(cluster, _job("huge", "print(1)", podTemplate=template))
    assert refused.returncode != 0
    assert "larger than max" in refused.stderr
    jobs = cluster.get("trainingjobs", namespace=NAMESPACE)["items"]
    assert "huge" not in [job["metadata"]["name"] for job in jobs]


def test_a_pod_too_large_to_be_made_is_told(cluster, namespace, eventually) -> None:
    template = {"metadata": {"annotations": {"a": "x" * 300_000}}}
    assert _created(cluster, _job("pods", "print(1)", podTemplate=template)).returncode == 0
    condition = eventually(lambda: _accepted(cluster, "pods"), 60)
    assert (condition["status"], condition["reason"]) == ("False", "ObjectRefused")
    assert "262144 bytes" in condition["message"]
