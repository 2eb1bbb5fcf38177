"""The models read what people and the API server write, and write it back unchanged."""

import json
from pathlib import PurePosixPath
from typing import Any

import pytest
from pydantic import ValidationError

from kubefit.api import contract, names
from kubefit.api.contract import EXIT_MEANINGS, ExitCode, JobFiles, RunConfig, job_dir
from kubefit.api.v1alpha1 import TrainingJob, TrainingJobSpec

RECIPE = {
    "data": {
        "train": {"npz": "digits.npz"},
        "test": {"folder": "/data/test"},
        "validationSplit": 0.1,
        "imageSize": [8, 8],
        "channels": 1,
    },
    "model": {
        "blocks": [
            {"conv": 32, "kernel": 5},
            {"batchNorm": True},
            {"pool": 2},
            {"globalPool": True},
            {"dropout": 0.5},
            {"dense": 64, "activation": "gelu"},
            {"flatten": True},
        ],
        "output": "softmax",
    },
    "augmentation": {"flip": "both", "rotation": 15, "crop": 0.1},
    "training": {"epochs": 3, "stepsPerEpoch": 7, "optimizer": "sgd", "learningRate": 0.1},
}
SPECS: dict[str, dict[str, Any]] = {
    "recipe": {"storage": {"claim": "data"}, "recipe": RECIPE},
    "backbone": {
        "storage": {"claim": "data"},
        "recipe": RECIPE | {"model": {"backbone": {"name": "ResNet50", "weights": "w.h5"}}},
    },
    "phases": {
        "storage": {"claim": "data"},
        "recipe": RECIPE
        | {
            "preset": "smallData",
            "model": {"backbone": {"saved": "pets.keras", "layer": "top", "sha256": "0" * 64}},
            "training": {
                "phases": [
                    {"epochs": 1, "earlyStopping": {"metric": "accuracy"}},
                    {"epochs": 2, "unfreeze": "3 blocks", "schedule": {"kind": "plateau"}},
                ],
                "precision": "auto",
                "emaEpochs": 0.5,
            },
        },
    },
    "script": {
        "workers": 4,
        "storage": {"create": {"size": "10Gi", "storageClass": "fast"}},
        "script": {"volumePath": "train.py", "args": ["--epochs", "3"]},
        "resources": {"requests": {"cpu": 2}, "limits": {"nvidia.com/gpu": 1, "memory": "4Gi"}},
        "podTemplate": {"spec": {"tolerations": [{"operator": "Exists"}]}},
        "runPolicy": {"activeDeadlineSeconds": 60, "ttlSecondsAfterFinished": 0},
    },
}


def job(spec: dict[str, Any], name: str = "digits") -> dict[str, Any]:
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {"name": name},
        "spec": spec,
    }


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_a_job_written_and_read_again_is_the_same(spec: dict[str, Any]) -> None:
    read = TrainingJob.model_validate(job(spec))
    wire = read.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert TrainingJob.model_validate(wire) == read
    assert TrainingJob.model_validate_json(json.dumps(wire)) == read


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_what_people_wrote_is_kept(spec: dict[str, Any]) -> None:
    wire = TrainingJob.model_validate(job(spec)).model_dump(
        mode="json", by_alias=True, exclude_unset=True
    )
    assert wire["spec"] == spec


def test_the_metadata_of_a_real_object_is_accepted() -> None:
    real = job(SPECS["recipe"])
    real["metadata"] |= {"uid": "u", "managedFields": [], "annotations": {"a": "b"}}
    assert TrainingJob.model_validate(real).metadata.uid == "u"


def test_a_job_cannot_be_changed_in_place() -> None:
    read = TrainingJob.model_validate(job(SPECS["recipe"]))
    with pytest.raises(ValidationError, match="frozen"):
        read.spec.workers = 2  # type: ignore[misc]


def test_defaults_run_one_worker_at_once_with_three_restarts() -> None:
    spec = TrainingJobSpec.model_validate(SPECS["recipe"])
    assert spec.workers == 1
    assert spec.run_policy.suspend is False
    assert spec.run_policy.max_restarts == 3
    assert spec.tensorboard.enabled is False


@pytest.mark.parametrize("name", ["d", "digits", "a-1", "d" * names.MAX_NAME_LENGTH])
def test_names_that_are_host_names_are_accepted(name: str) -> None:
    assert TrainingJob.model_validate(job(SPECS["recipe"], name)).metadata.name == name


@pytest.mark.parametrize(
    "name", ["", "1a", "-a", "a-", "A", "a.b", "a_b", "d" * (names.MAX_NAME_LENGTH + 1)]
)
def test_names_that_are_no_host_names_are_refused(name: str) -> None:
    with pytest.raises(ValidationError, match=r"metadata\.name: at most 51 characters"):
        TrainingJob.model_validate(job(SPECS["recipe"], name))


def test_the_longest_name_leaves_room_for_every_suffix() -> None:
    for suffix in ("-tensorboard", "-1023"):
        assert names.MAX_NAME_LENGTH + len(suffix) <= 63


def config(**changes: object) -> RunConfig:
    plain = {"namespace": "ml", "name": "a", "workers": 3, "hosts": "a-{rank}.a", "jobDir": "/j"}
    return RunConfig.model_validate(plain | changes)


def test_every_worker_has_its_host_and_on_a_cluster_the_same_ports() -> None:
    assert config().host(2) == "a-2.a"
    assert config().agent_port(2) == contract.AGENT_PORT


def test_workers_that_share_a_host_have_a_port_each() -> None:
    local = config(hosts="127.0.0.1", agentPorts=[8, 9, 10])
    assert local.agent_port(1) == 9


def test_every_exit_code_has_one_meaning_and_one_reason() -> None:
    assert set(EXIT_MEANINGS) == set(ExitCode)
    assert len({meaning.reason for meaning in EXIT_MEANINGS.values()}) == len(ExitCode)


def test_what_is_never_retried_is_never_charged() -> None:
    for meaning in EXIT_MEANINGS.values():
        assert not (meaning.permanent and meaning.charged)


def test_each_file_of_a_job_lies_in_its_directory() -> None:
    assert job_dir("/mnt/kubefit", "ml", "digits") == "/mnt/kubefit/ml/digits"
    files = JobFiles(PurePosixPath("/v/ml/digits"))
    assert str(files.log(2, 1)) == "/v/ml/digits/logs/attempt-2/worker-1.log"
    folders = {files.checkpoints, files.tensorboard, files.export, files.report, files.result}
    assert len(folders) == 5
    assert {folder.parent for folder in folders} == {files.root}
