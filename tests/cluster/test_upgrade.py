"""Upgrade, rollback, removal and reinstallation of KubeFit while a job trains.

The chart as it is stands for the release before; the next one has a definition with further fields
and another version, so that operator and images roll.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

CHART = Path(__file__).parents[2] / "charts/kubefit"
NAMESPACE = "upgrade-tests"
CRD = "trainingjobs.kubefit.dev"
CHILDREN = "jobs.batch,services,configmaps,secrets,persistentvolumeclaims"
TRAINS = """
import keras
import numpy as np

x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
y = (x.sum(axis=1) > 0).astype("int32")
model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(2, "softmax")])
model.compile("adam", "sparse_categorical_crossentropy")
model.fit(x, y, batch_size=16, epochs=10**6, verbose=0)
"""


def _job(name: str, script: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "kubefit.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "storage": {
                "create": {
                    "size": "10Mi",
                    "accessMode": "ReadWriteOnce",
                    "deletionPolicy": "Delete",
                }
            },
            "script": {"inline": script},
            **spec,
        },
    }


class Training:
    """A job that trains for as long as the tests of this module take."""

    def __init__(self, cluster: Any, eventually: Callable[..., Any]) -> None:
        self.cluster, self.eventually = cluster, eventually
        cluster.apply(_job("lasting", TRAINS))
        eventually(lambda: self._step() > 0, 300)
        self._begin = self._what_must_last()

    def goes_on(self) -> None:
        """An operator tells of new steps; nothing of the job was made anew or written again."""
        step = self._step()
        self.eventually(lambda: self._step() > step, 180)
        assert self._what_must_last() == self._begin

    def pods(self) -> dict[str, Any]:
        """Uid and restarted containers of each pod."""
        return {
            pod["metadata"]["uid"]: [
                one["restartCount"] for one in pod["status"]["containerStatuses"]
            ]
            for pod in self._labelled("pods")
        }

    def _step(self) -> int:
        return int(self._stored().get("status", {}).get("progress", {}).get("step", 0))

    def _stored(self) -> dict[str, Any]:
        found: dict[str, Any] = self.cluster.get("trainingjob", "lasting", namespace=NAMESPACE)
        return found

    def _labelled(self, kinds: str) -> list[dict[str, Any]]:
        selector = "kubefit.dev/job=lasting"
        found: list[dict[str, Any]] = self.cluster.get(
            kinds, namespace=NAMESPACE, selector=selector
        )["items"]
        return found

    def _what_must_last(self) -> dict[str, Any]:
        stored = self._stored()
        children = {
            (child["kind"], child["metadata"]["name"]): (
                child["metadata"]["uid"],
                child["metadata"].get("annotations"),
                child.get("spec", child.get("data")),
            )
            for child in self._labelled(CHILDREN)
        }
        return {
            "uid": stored["metadata"]["uid"],
            "spec": stored["spec"],
            "restarts": stored["status"]["restarts"],
            "pods": self.pods(),
            "children": children,
        }


@pytest.fixture(scope="module")
def training(cluster, operator, eventually) -> Iterator[Training]:
    cluster.kubectl("create", "namespace", NAMESPACE)
    yield Training(cluster, eventually)
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=true")


def _another(tmp_path: Path, version: str, change: Callable[[dict[str, Any]], None]) -> Path:
    """The chart with that version, and what `change` makes of the schema of its definition."""
    chart = tmp_path / "kubefit"
    shutil.copytree(CHART, chart)
    head = yaml.safe_load((chart / "Chart.yaml").read_text())
    (chart / "Chart.yaml").write_text(yaml.safe_dump(head | {"version": version}))
    template = chart / "templates/crd.yaml"
    text = template.read_text()
    begin = text.index("      openAPIV3Schema:")
    end = text.rindex("{{- end }}")
    (schema,) = yaml.safe_load(text[begin:end]).values()
    change(schema["properties"])
    template.write_text(f"{text[:begin]}      openAPIV3Schema: {json.dumps(schema)}\n{text[end:]}")
    return chart


def _with_further_fields(properties: dict[str, Any]) -> None:
    for part in ("spec", "status"):
        properties[part]["properties"]["later"] = {"type": "string"}


def _without_a_field(properties: dict[str, Any]) -> None:
    del properties["spec"]["properties"]["runPolicy"]["properties"]["startDeadlineSeconds"]


def _paths(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """Every field of a stored definition."""
    for name, field in schema.get("properties", {}).items():
        yield f"{path}.{name}"
        yield from _paths(field, f"{path}.{name}")
    for inner in ("items", "additionalProperties"):
        if isinstance(schema.get(inner), dict):
            yield from _paths(schema[inner], f"{path}[]")


def _fields(cluster: Any) -> set[str]:
    (version,) = cluster.get("crd", CRD)["spec"]["versions"]
    return set(_paths(version["schema"]["openAPIV3Schema"]))


def _accepted(cluster: Any, name: str) -> dict[str, str]:
    status = cluster.get("trainingjob", name, namespace=NAMESPACE).get("status", {})
    return {one["type"]: one["reason"] for one in status.get("conditions", ())}


def test_upgrade_and_rollback_leave_a_running_job_alone(
    cluster, operator, install, training, eventually, tmp_path
) -> None:
    before = _fields(cluster)
    install(_another(tmp_path, "99.0.0", _with_further_fields), "--set", "image.trainer.tag=next")
    assert _fields(cluster) == before | {".spec.later", ".status.later"}
    training.goes_on()

    newer = _job("newer", "pass", later="kept", runPolicy={"suspend": True})
    cluster.apply(newer)
    eventually(lambda: _accepted(cluster, "newer").get("Accepted") == "OperatorTooOld", 60)
    assert cluster.get("tj", "newer", namespace=NAMESPACE)["spec"]["later"] == "kept"

    cluster.helm("rollback", "kubefit", "-n", operator, "--wait", "--timeout", "5m")
    assert _fields(cluster) == before
    training.goes_on()
    names = {job["metadata"]["name"] for job in cluster.get("tj", namespace=NAMESPACE)["items"]}
    assert names == {"lasting", "newer"}
    cluster.kubectl("-n", NAMESPACE, "delete", "tj", "newer")


def test_going_back_with_the_operator_alone_keeps_the_newer_definition(
    cluster, operator, install, training, tmp_path
) -> None:
    install(_another(tmp_path, "99.0.0", _with_further_fields))
    cluster.apply(_job("newer", "pass", later="kept", runPolicy={"suspend": True}))
    install(CHART, "--set", "crds.enabled=false")
    assert ".spec.later" in _fields(cluster)
    assert cluster.get("tj", "newer", namespace=NAMESPACE)["spec"]["later"] == "kept"
    training.goes_on()
    cluster.kubectl("-n", NAMESPACE, "delete", "tj", "newer")
    install()
    assert ".spec.later" not in _fields(cluster)


def test_a_definition_older_than_the_operator_is_named_and_the_old_operator_stays(
    cluster, operator, install, training, eventually, tmp_path
) -> None:
    older = _another(tmp_path, "99.0.0", _without_a_field)
    with pytest.raises(AssertionError):
        install(older, "--set", "operator.podLabels.rolled=again", "--timeout", "20s")

    def said() -> list[str]:
        pods = cluster.get("pods", namespace=operator, selector="rolled=again")["items"]
        states = [one for pod in pods for one in pod["status"].get("containerStatuses", ())]
        ends = [one[when].get("terminated") for one in states for when in ("state", "lastState")]
        return [end["message"] for end in ends if end]

    (sentence, *_) = eventually(said, 180)
    assert "is older than this operator, it lacks spec.runPolicy.startDeadlineSeconds" in sentence
    training.goes_on()
    install()
    training.goes_on()


def test_uninstalling_leaves_jobs_that_can_be_deleted_and_a_new_release_takes_them_over(
    cluster, operator, install, training, eventually
) -> None:
    cluster.apply(_job("deleted", "import time\ntime.sleep(3600)"))
    selector = "kubefit.dev/job=deleted"

    def left() -> list[str]:
        found = cluster.get(f"pods,{CHILDREN}", namespace=NAMESPACE, selector=selector)["items"]
        return [one["kind"] for one in found]

    eventually(lambda: "Pod" in left(), 120)
    pods = training.pods()
    cluster.helm("uninstall", "kubefit", "-n", operator, "--wait")
    assert training.pods() == pods
    cluster.kubectl("-n", NAMESPACE, "delete", "tj", "deleted", "--timeout=60s")
    eventually(lambda: not left(), 180)
    assert cluster.get("all", namespace=operator)["items"] == []
    install()
    training.goes_on()
