"""Documents of which no TrainingJob can be made, and the sentence that says why."""

import contextlib
from typing import Any

import pytest

from kubefit.convert import Given, UnconvertibleError, convert

POD = {"containers": [{"name": "tensorflow", "command": ["python", "/a.py"]}]}


def _tfjob(**spec: Any) -> dict[str, Any]:
    worker = {"template": {"spec": POD}}
    return {
        "apiVersion": "kubeflow.org/v1",
        "kind": "TFJob",
        "metadata": {"name": "job"},
        "spec": {"tfReplicaSpecs": {"Worker": worker}, **spec},
    }


def _pod(**fields: Any) -> dict[str, Any]:
    return _tfjob(tfReplicaSpecs={"Worker": {"template": {"spec": {**POD, **fields}}}})


def _container(**fields: Any) -> dict[str, Any]:
    return _pod(containers=[{**POD["containers"][0], **fields}])


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (_tfjob() | {"metadata": {}}, "metadata.name: is required"),
        (_tfjob() | {"spec": []}, "spec: is not a mapping"),
        (_tfjob(tfReplicaSpecs={}), "spec.tfReplicaSpecs: has no Worker and no Chief"),
        (_tfjob(tfReplicaSpecs={"PS": {"replicas": 2}}), "spec.tfReplicaSpecs: has no Worker"),
        (_tfjob(tfReplicaSpecs={"Worker": {"replicas": 0}}), "spec.tfReplicaSpecs: has no Worker"),
        (
            _tfjob(tfReplicaSpecs={"Worker": {"replicas": "two"}}),
            "spec.tfReplicaSpecs.Worker.replicas: 'two' is not a whole number",
        ),
        (
            _tfjob(tfReplicaSpecs={"Worker": {"replicas": -1}}),
            "spec.tfReplicaSpecs.Worker.replicas: -1 is less than 0",
        ),
        (
            _tfjob(tfReplicaSpecs={"Worker": {"replicas": 5000, "template": {"spec": POD}}}),
            "the TrainingJob would not be valid: spec.workers: 5000 is more than 1024",
        ),
        (_tfjob(replicaSpecs=[{}]), "spec.replicaSpecs: is older than v1alpha2"),
        (_pod(containers=[]), "spec.tfReplicaSpecs.Worker.template.spec.containers: none is named"),
        (
            _pod(containers=[{"name": "a"}, {"name": "b"}]),
            "spec.tfReplicaSpecs.Worker.template.spec.containers: none is named tensorflow",
        ),
        (
            _container(volumeMounts=[{"name": "x", "mountPath": "/mnt/kubefit/x"}]),
            "spec.tfReplicaSpecs.Worker.template.spec.containers[0].volumeMounts[0].mountPath:"
            " /mnt/kubefit/x is a place of KubeFit's own",
        ),
        (
            _container(volumeMounts=[{"name": "x", "mountPath": "/x"}]),
            "spec.tfReplicaSpecs.Worker.template.spec.containers[0].volumeMounts: there is no"
            " volume 'x'",
        ),
        (
            _container(resources={"limits": {"cpu": "much"}}),
            "the TrainingJob would not be valid: spec.resources.limits.cpu: 'much' is not",
        ),
        (
            _container(args=[1]),
            "spec.tfReplicaSpecs.Worker.template.spec.containers[0].args[0]: 1 is not a text: put",
        ),
        (
            _container(env=[{"name": "A", "value": 90}]),
            "spec.tfReplicaSpecs.Worker.template.spec.containers[0].env[0].value: 90 is not a text",
        ),
        (
            {
                "apiVersion": "trainer.kubeflow.org/v1alpha1",
                "kind": "TrainJob",
                "metadata": {"name": "job"},
                "spec": {"runtimeRef": {"name": "torch-distributed"}},
            },
            "spec.runtimeRef.name: torch-distributed is not for Keras on TensorFlow",
        ),
    ],
)
def test_a_document_that_cannot_be_converted_is_refused_at_its_field(
    document: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UnconvertibleError) as refused:
        convert(document, Given())
    assert str(refused.value).startswith(sentence)


def _mutations(value: Any) -> Any:
    """Every place of the document in turn, with what does not belong there."""
    yield from (None, 7, "text", [], {}, [None], {"x": None})
    if isinstance(value, dict):
        for key, part in value.items():
            for mutated in _mutations(part):
                yield {**value, key: mutated}
    if isinstance(value, list):
        for i, part in enumerate(value):
            for mutated in _mutations(part):
                yield [*value[:i], mutated, *value[i + 1 :]]


WHOLE = _pod(
    containers=[
        {
            "name": "tensorflow",
            "command": ["python", "/a.py"],
            "env": [{"name": "A", "value": "1"}],
            "ports": [{"containerPort": 1}],
            "resources": {"limits": {"cpu": 1}},
            "securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}},
            "volumeMounts": [{"name": "v", "mountPath": "/v"}],
        },
        {"name": "beside", "volumeMounts": [{"name": "v", "mountPath": "/v"}]},
    ],
    initContainers=[{"name": "first"}],
    volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}],
    affinity={"x": {"matchLabels": {"a": "b"}}},
    securityContext={"runAsUser": 0},
)
WHOLE["metadata"] |= {"labels": {"a": "b"}, "annotations": {"a": "b"}, "uid": "c"}
WHOLE["spec"]["runPolicy"] = {"backoffLimit": 1, "schedulingPolicy": {"queue": "q"}}
WHOLE["spec"]["tfReplicaSpecs"]["Chief"] = {"replicas": 1, "template": {"spec": POD}}


def test_whatever_is_wrong_with_a_document_ends_in_a_sentence() -> None:
    for part in ("metadata", "spec"):
        for mutated in _mutations(WHOLE[part]):
            with contextlib.suppress(UnconvertibleError):
                convert({**WHOLE, part: mutated}, Given())
