"""The client for programs on a real cluster: a function is trained, a sweep stops its loser."""

from collections.abc import Iterator

import numpy as np
import pytest
import two_trials

from kubefit import TrainingClient
from kubefit.sweep import State

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

NAMESPACE = "notebook"
STORAGE = {"create": {"size": "100Mi", "accessMode": "ReadWriteOnce", "deletionPolicy": "Delete"}}


@pytest.fixture(scope="module")
def client(cluster, operator) -> Iterator[TrainingClient]:
    cluster.kubectl("create", "namespace", NAMESPACE)
    yield TrainingClient(namespace=NAMESPACE, kubeconfig=cluster.kubeconfig)
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=true")


def build_model(units):
    import keras

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(units, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def test_a_function_trains_on_two_pods_and_its_history_comes_back(client: TrainingClient):
    x = np.random.default_rng(0).normal(size=(32, 4)).astype("float32")
    done = client.fit_remote(
        build_model,
        (x, (np.arange(32) % 2).astype("int32")),
        workers=2,
        epochs=2,
        arguments={"units": 2},
        spec={"storage": STORAGE},
        name="function",
    )
    assert {name: len(values) for name, values in done.history.items()} == {
        "loss": 2,
        "accuracy": 2,
    }
    curve = client.metrics("function")
    assert [epoch["loss"] for epoch in curve] == pytest.approx(done.history["loss"], rel=1e-4)
    assert str(done.model) == f"/mnt/kubefit/{NAMESPACE}/function/export/model.keras"
    assert [job.metadata.name for job in client.list()] == ["function"]
    client.delete("function")


def test_the_loser_of_a_sweep_loses_its_pods_and_keeps_what_it_has_shown(
    cluster, client: TrainingClient, eventually
):
    sweep = two_trials.sweep(STORAGE, pause=0.2)
    result = client.sweep(sweep)
    assert [trial.state for trial in result.trials] == [State.STOPPED, State.SUCCEEDED], result

    def pods() -> list[str]:
        selector = "kubefit.dev/job=two-0,kubefit.dev/role=worker"
        return cluster.kubectl("get", "pods", "-n", NAMESPACE, "-l", selector, "-o", "name").split()

    eventually(lambda: not pods(), 180)
    assert client.sweep(sweep) == result
    assert client.status("two-0").phase == "Suspended"
