"""Jobs that cannot train are refused by the API server, or say why in a condition in seconds."""

import base64
import io
import json
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubefit.client.kubernetes import Cluster as Client
from kubefit.client.refusals import RefusedError

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

NAMESPACE = "bad-input"
CASES = yaml.safe_load((Path(__file__).parents[1] / "bad_input.yaml").read_text())["cases"]
SCHEMA = [case for case in CASES if case["found"] == "schema"]
# Of what data show, one case of each part of a job: `validate` and `run` are tested on every one.
IN_PODS = list(
    {tuple(c["field"].split(".")[:3]): c for c in CASES if c["found"] == "data"}.values()
)
IMAGE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)


def _name(case: dict[str, Any]) -> str:
    return case.get("name", f"bad-{CASES.index(case)}")


def _document(case: dict[str, Any]) -> dict[str, Any]:
    spec = json.loads(json.dumps(case["spec"]))
    if spec["storage"].get("claim") == "training":
        spec["storage"]["claim"] = _name(case)
    return {
        "apiVersion": "kubefit.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": _name(case), "namespace": NAMESPACE},
        "spec": spec,
    }


@pytest.fixture(scope="module")
def volumes(cluster, operator, open_desk) -> Iterator[None]:
    """A claim for every case that needs files, with its files."""
    cluster.kubectl("create", "namespace", NAMESPACE)
    for case in IN_PODS:
        cluster.apply(_claim(_name(case)))
    claims = {name: f"/volumes/{name}" for name in map(_name, IN_PODS)}
    open_desk(NAMESPACE, claims, seconds=600)
    subprocess.run(
        [*cluster.kubectl_command, "-n", NAMESPACE, "exec", "-i", "desk", "--"]
        + ["tar", "-x", "-C", "/volumes"],
        input=_archive(),
        check=True,
    )
    yield
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=true")


def _claim(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Mi"}}},
    }


def _archive() -> bytes:
    """A tar archive of the files of all cases, each below the name of its claim."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for case in IN_PODS:
            for path, content in case.get("files", {}).items():
                data = IMAGE if content == "image" else content.encode()
                entry = tarfile.TarInfo(f"{_name(case)}/{path}")
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


@pytest.mark.parametrize("case", SCHEMA, ids=lambda case: case["case"])
def test_the_api_server_refuses_what_a_schema_can_tell(case, cluster, operator) -> None:
    document = _document(case)
    document["metadata"]["namespace"] = "default"
    done = cluster.try_kubectl("apply", "--dry-run=server", "-f", "-", text=json.dumps(document))
    assert done.returncode != 0
    assert case["field"] in done.stderr
    client = Client(namespace="default", kubeconfig=cluster.kubeconfig)
    with pytest.raises(RefusedError) as caught:
        client.apply(document, dry_run=True)
    sentence = str(caught.value)
    assert sentence.startswith(f"{case['field']}: ")
    for word in case["words"]:
        assert word in sentence


@pytest.mark.parametrize(
    "case",
    [*IN_PODS, *(case for case in CASES if case["found"] == "cluster")],
    ids=lambda case: case["case"],
)
def test_a_condition_says_what_a_schema_cannot_tell(case, cluster, volumes, eventually) -> None:
    cluster.apply(_document(case))

    def told() -> set[str]:
        job = cluster.get("trainingjob", _name(case), namespace=NAMESPACE)
        wrong = {"Accepted": "False", "Failed": "True"}
        conditions = job.get("status", {}).get("conditions", [])
        return {c["message"] for c in conditions if wrong.get(c["type"]) == c["status"]}

    (sentence,) = eventually(told, 180)
    assert sentence.startswith(f"{case['field']}: ")
    for word in case["words"]:
        assert word in sentence
    cluster.kubectl("-n", NAMESPACE, "delete", "tj", _name(case))
