"""The objects of a job are those that were reviewed; a change of them is seen in a diff."""

import dataclasses
import json
from pathlib import Path

import pytest
import yaml

from kubefit.api.contract import CONFIG_KEY, RunConfig
from kubefit.api.errors import read_job
from kubefit.api.log_lines import LogFormat
from kubefit.core import objects
from kubefit.core.desired import desired, digest
from kubefit.core.observed import Defaults

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests/golden"
DEFAULTS = Defaults(image="kubefit/trainer:1", image_pull_secrets=("registry",))
PATCHED = {
    "workers": 3,
    "image": "team/program:2",
    "resources": {"requests": {"cpu": "4"}, "limits": {"memory": "8Gi", "nvidia.com/gpu": 2}},
    "podTemplate": {
        "metadata": {"labels": {"team": "vision"}},
        "spec": {
            "nodeSelector": {"pool": "gpu"},
            "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
            "priorityClassName": "system-node-critical",
            "schedulerName": "default-scheduler",
            "affinity": {
                "podAntiAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": [
                        {
                            "labelSelector": {"matchLabels": {"app": "noisy"}},
                            "topologyKey": "kubernetes.io/hostname",
                        }
                    ]
                }
            },
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "topology.kubernetes.io/zone",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": {"kubefit.dev/job": "patched"}},
                }
            ],
            "containers": [{"name": "trainer", "env": [{"name": "NCCL_DEBUG", "value": "INFO"}]}],
        },
    },
    "scheduling": {"onePerNode": True},
    "volumes": [
        {"name": "pets", "claim": "pets", "mountPath": "/mnt/pets"},
        {
            "name": "weights",
            "image": {"reference": "registry.example/weights:1", "pullPolicy": "Always"},
            "mountPath": "/mnt/weights",
        },
    ],
    "fetch": [
        {"from": "s3://pets/photos", "to": "data/pets", "secretName": "bucket"},
        {"from": "https://example.org/w.h5", "to": "w.h5", "sha256": "0" * 64},
    ],
    "storage": {"create": {"size": "20Gi", "storageClass": "fast", "accessMode": "ReadWriteOnce"}},
    "initialWeights": {"job": "before"},
    "script": {"path": "/app/train.py", "args": ["--epochs", "3"]},
    "tensorboard": {
        "enabled": True,
        "histograms": {"everyEpochs": 5},
        "profile": {"steps": [10, 19]},
    },
    "runPolicy": {"maxRestarts": 5, "activeDeadlineSeconds": 3600},
}


def _job(name: str) -> dict:
    if name == "patched":
        return {
            "apiVersion": "kubefit.dev/v1alpha1",
            "kind": "TrainingJob",
            "metadata": {
                "name": name,
                "labels": {"kueue.x-k8s.io/queue-name": "gpus", "team": "vision"},
                "annotations": {"provreq.kueue.x-k8s.io/maxRunDurationSeconds": "600"},
            },
            "spec": PATCHED,
        }
    return yaml.safe_load((ROOT / f"examples/{name}/job.yaml").read_text())


@pytest.mark.parametrize("name", ["01-digits", "02-script", "patched"])
def test_the_objects_of_a_job_are_the_reviewed_ones(name, request) -> None:
    document = _job(name)
    document["metadata"] |= {"namespace": "golden", "uid": "00000000-0000-0000-0000-000000000001"}
    job = read_job(document)
    made = desired(job, DEFAULTS, spec_digest=digest(job))
    # By way of JSON, so that what two objects share is written out twice.
    made = json.loads(json.dumps(made))
    text = yaml.safe_dump_all(made, sort_keys=False, width=100)
    file = GOLDEN / f"{name}.yaml"
    if request.config.getoption("--update-golden"):
        file.write_text(text)
    assert file.read_text() == text, "run pytest --update-golden and review the diff"


def test_workers_are_told_of_another_log_format_than_text() -> None:
    document = _job("patched")
    document["metadata"] |= {"namespace": "golden", "uid": "00000000-0000-0000-0000-000000000001"}
    job = read_job(document)
    defaults = dataclasses.replace(DEFAULTS, log_format=LogFormat.JSON)
    template = desired(job, defaults, spec_digest=digest(job))[-1]["spec"]["template"]["spec"]
    for container in (*template["initContainers"], *template["containers"]):
        assert {"name": "KUBEFIT_LOG_FORMAT", "value": "json"} in container["env"]


@pytest.mark.parametrize("file", sorted(ROOT.glob("examples/*/job.yaml")), ids=str)
def test_workers_read_what_the_job_says(file) -> None:
    document = yaml.safe_load(file.read_text())
    document["metadata"] |= {"namespace": "golden", "uid": "00000000-0000-0000-0000-000000000001"}
    job = read_job(document)
    config = RunConfig.model_validate_json(objects.config_map(job)["data"][CONFIG_KEY])
    assert (config.recipe, config.script) == (job.spec.recipe, job.spec.script)
    assert config.fetch == job.spec.fetch
