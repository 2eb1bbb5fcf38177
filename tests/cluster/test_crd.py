"""A real API server takes the CRD, fills in the models' defaults and refuses bad jobs in words."""

import copy
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from kubefit.api.errors import explain, read_job
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.core.desired import desired
from kubefit.core.observed import Defaults

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
MANIFEST = ROOT / "manifests" / "crd.yaml"
CHART = ROOT / "charts" / "kubefit"
CONVERTED = sorted((ROOT / "tests/golden/convert").glob("*.yaml"))
CRD = "trainingjobs.kubefit.dev"
NAMESPACE = "crd-check"
COLUMNS = ["NAME", "STATE", "READY", "EPOCH", "PROGRESS", "LOSS", "RESTARTS", "AGE"]
ABSENT = object()
RECIPE: dict[str, Any] = {
    "data": {"train": {"folder": "digits"}, "imageSize": [8, 8]},
    "model": {"blocks": [{"conv": 32}, {"flatten": True}]},
    "training": {"epochs": 3},
}
GOOD: dict[str, Any] = {
    "apiVersion": "kubefit.dev/v1alpha1",
    "kind": "TrainingJob",
    "metadata": {"name": "digits", "namespace": NAMESPACE},
    "spec": {
        "storage": {"claim": "training"},
        "recipe": RECIPE,
        # No pods, whether an operator runs in this cluster or not.
        "runPolicy": {"suspend": True},
    },
}


@pytest.fixture(scope="module")
def namespace(cluster, eventually) -> Iterator[str]:
    """A namespace in a cluster that has the CRD, taken from the manifest unless it is there."""
    installed = _run(cluster, "get", "crd", CRD).returncode == 0
    if not installed:
        cluster.kubectl("apply", "--server-side", "-f", str(MANIFEST))
    eventually(lambda: _run(cluster, "get", "trainingjobs").returncode == 0, 120)
    cluster.kubectl("create", "namespace", NAMESPACE)
    warn = "pod-security.kubernetes.io/warn=restricted"
    cluster.kubectl("label", "namespace", NAMESPACE, warn)
    yield NAMESPACE
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=true")
    if not installed:
        cluster.kubectl("delete", "crd", CRD)


@pytest.fixture
def job(cluster, namespace) -> Iterator[str]:
    """A suspended TrainingJob of one worker; its name."""
    assert _apply(cluster, GOOD).returncode == 0
    yield "digits"
    cluster.kubectl("-n", namespace, "delete", "trainingjob", "digits")


@pytest.fixture
def waiting(cluster, namespace) -> Iterator[str]:
    """A TrainingJob that is not suspended, and waits for a claim that nobody makes; its name."""
    job = changed("spec.storage.claim", "missing")
    job["metadata"]["name"] = "waiting"
    job["spec"]["runPolicy"] = {"suspend": False}
    assert _apply(cluster, job).returncode == 0
    yield "waiting"
    cluster.kubectl("-n", namespace, "delete", "trainingjob", "waiting")


def _run(cluster, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*cluster.kubectl_command, *arguments], input=text, capture_output=True, text=True
    )


def _apply(cluster, job: object, *flags: str) -> subprocess.CompletedProcess[str]:
    return _run(cluster, "apply", "-f", "-", *flags, text=json.dumps(job))


def _stored(cluster, job: dict[str, Any]) -> dict[str, Any]:
    answer = _apply(cluster, job, "--dry-run=server", "-o", "json")
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


def changed(path: str, value: object) -> dict[str, Any]:
    """The good job with the value at `path` replaced, or taken away when `ABSENT`."""
    job = copy.deepcopy(GOOD)
    *parents, last = (int(part) if part.isdigit() else part for part in path.split("."))
    node: Any = job
    for part in parents:
        node = node[part]
    if value is ABSENT:
        del node[last]
    else:
        node[last] = value
    return job


BAD: dict[str, tuple[str, object, str, str]] = {
    "neither recipe nor script": ("spec.recipe", ABSENT, "spec:", "set exactly one of recipe and"),
    "both recipe and script": (
        "spec.script",
        {"path": "/train.py"},
        "spec:",
        "set exactly one of recipe and script",
    ),
    "no storage": ("spec.storage", ABSENT, "spec.storage:", "Required value"),
    "claim and create": (
        "spec.storage.create",
        {"size": "1Gi"},
        "spec.storage:",
        "set exactly one of claim and create",
    ),
    "neither claim nor create": (
        "spec.storage",
        {},
        "spec.storage:",
        "set exactly one of claim and create",
    ),
    "no workers": ("spec.workers", 0, "spec.workers:", "greater than or equal to 1"),
    "too many workers": ("spec.workers", 1025, "spec.workers:", "less than or equal to 1024"),
    "workers in words": ("spec.workers", "two", "spec.workers:", "must be of type integer"),
    "an unknown field": ("spec.wrokers", 2, '"spec.wrokers"', "unknown field"),
    "an unknown field deep down": (
        "spec.recipe.model.blocks.0.filters",
        3,
        '"spec.recipe.model.blocks[0].filters"',
        "unknown field",
    ),
    "an unknown backbone": (
        "spec.recipe.model",
        {"backbone": {"name": "ResNet9000"}},
        "spec.recipe.model.backbone.name:",
        'Unsupported value: "ResNet9000": supported values: "ConvNeXtBase"',
    ),
    "blocks and a backbone": (
        "spec.recipe.model.backbone",
        {"name": "ResNet50"},
        "spec.recipe.model:",
        "set exactly one of blocks and backbone",
    ),
    "no blocks": (
        "spec.recipe.model.blocks",
        [],
        "spec.recipe.model.blocks:",
        "should have at least 1 items",
    ),
    "two kinds in one block": (
        "spec.recipe.model.blocks.0.dense",
        10,
        "spec.recipe.model.blocks[0]:",
        "a block has exactly one of conv, pool",
    ),
    "no kind in a block": (
        "spec.recipe.model.blocks.1",
        {"kernel": 5},
        "spec.recipe.model.blocks[1]:",
        "a block has exactly one of conv, pool",
    ),
    "a negative convolution": (
        "spec.recipe.model.blocks.0.conv",
        -32,
        "spec.recipe.model.blocks[0].conv:",
        "greater than or equal to 1",
    ),
    "folder and npz": (
        "spec.recipe.data.train.npz",
        "digits.npz",
        "spec.recipe.data.train:",
        "set exactly one of folder, manifest, packed, npz, npy, tfrecord and tfds",
    ),
    "an empty folder name": (
        "spec.recipe.data.train.folder",
        "",
        "spec.recipe.data.train.folder:",
        "at least 1 chars long",
    ),
    "a negative image size": (
        "spec.recipe.data.imageSize",
        [8, -8],
        "spec.recipe.data.imageSize[1]:",
        "greater than or equal to 1",
    ),
    "an image size of one number": (
        "spec.recipe.data.imageSize",
        [8],
        "spec.recipe.data.imageSize:",
        "should have at least 2 items",
    ),
    "two channels": (
        "spec.recipe.data.channels",
        2,
        "spec.recipe.data.channels:",
        "Unsupported value: 2: supported values: ",
    ),
    "no epochs": (
        "spec.recipe.training.epochs",
        0,
        "spec.recipe.training.epochs:",
        "greater than or equal to 1",
    ),
    "a negative batch": (
        "spec.recipe.training.globalBatchSize",
        -32,
        "spec.recipe.training.globalBatchSize:",
        "greater than or equal to 1",
    ),
    "negative restarts": (
        "spec.runPolicy.maxRestarts",
        -1,
        "spec.runPolicy.maxRestarts:",
        "greater than or equal to 0",
    ),
    "a name too long": (
        "metadata.name",
        "d" * 52,
        "metadata.name:",
        "at most 51 characters",
    ),
    "a name that starts with a digit": (
        "metadata.name",
        "2digits",
        "metadata.name:",
        "starting with a letter",
    ),
}


@pytest.mark.parametrize("fault", BAD)
def test_kubectl_apply_refuses_with_the_field_and_the_reason(cluster, namespace, fault) -> None:
    path, value, field, reason = BAD[fault]
    answer = _apply(cluster, changed(path, value))
    assert answer.returncode != 0
    assert any(field in line and reason in line for line in answer.stderr.splitlines())


@pytest.mark.parametrize("fault", BAD)
def test_the_models_refuse_the_same_at_the_same_field(fault) -> None:
    path, value, field, _ = BAD[fault]
    with pytest.raises(ValidationError) as caught:
        TrainingJob.model_validate(changed(path, value))
    assert any(sentence.startswith(field.strip('"')) for sentence in explain(caught.value))


@pytest.mark.parametrize(
    "sources",
    [{}, {"path": "/a.py", "volumePath": "a.py"}, {"inline": "1", "path": "/a.py"}],
    ids=["none", "two files", "text and file"],
)
def test_a_script_has_exactly_one_source(cluster, namespace, sources) -> None:
    spec = {"storage": {"claim": "training"}, "script": sources}
    answer = _apply(cluster, GOOD | {"spec": spec})
    assert answer.returncode != 0
    assert "spec.script: " in answer.stderr
    assert "set exactly one of inline, path and volumePath" in answer.stderr


@pytest.mark.parametrize(
    "spec",
    [
        {"storage": {"claim": "training"}, "recipe": RECIPE},
        {"storage": {"create": {"size": "1Gi"}}, "script": {"inline": "import keras"}},
        {"storage": {"claim": "training"}, "script": {"path": "/a.py", "runtime": "tf-keras"}},
        {
            "storage": {"claim": "training"},
            "recipe": RECIPE
            | {"model": {"backbone": {"name": "ResNet50"}}, "augmentation": {"rotation": 15}},
            "runPolicy": {"maxRestarts": 0},
            "tensorboard": {
                "enabled": True,
                "resources": {"limits": {"cpu": 1, "memory": "1Gi"}},
                "histograms": {},
                "profile": {"steps": [10, 19]},
            },
            "podTemplate": {"spec": {"nodeSelector": {"disk": "fast"}}},
        },
    ],
    ids=["recipe", "script", "runtime", "everything"],
)
def test_what_is_stored_is_what_the_models_read(cluster, namespace, spec) -> None:
    stored = _stored(cluster, GOOD | {"spec": spec})
    parsed = TrainingJob.model_validate(GOOD | {"spec": spec})
    assert stored["spec"] == parsed.spec.model_dump(by_alias=True, mode="json", exclude_none=True)
    assert TrainingJob.model_validate(stored).spec == parsed.spec
    assert "status" not in stored


def test_the_longest_name_is_accepted(cluster, namespace) -> None:
    assert _stored(cluster, changed("metadata.name", "d" * 51))["metadata"]["name"] == "d" * 51


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"recipe": {"training": {"epochs": 4}}}, "spec.recipe cannot be changed"),
        ({"recipe": None, "script": {"path": "/a.py"}}, "spec.recipe cannot be changed"),
        ({"storage": {"claim": "other"}}, "spec.storage cannot be changed"),
        ({"managedBy": "example.org/elsewhere"}, "spec.managedBy cannot be changed"),
    ],
)
def test_what_is_trained_cannot_change(cluster, job, spec, sentence) -> None:
    answer = _patch(cluster, job, {"spec": spec})
    assert answer.returncode != 0
    assert sentence in answer.stderr


OTHER_PODS: list[dict[str, Any]] = [
    {"image": "mine:1"},
    {"resources": {"limits": {"cpu": 2}}},
    {"podTemplate": {"spec": {"hostNetwork": True}}},
    {"scheduling": {"onePerNode": True}},
]


@pytest.mark.parametrize("spec", OTHER_PODS, ids=lambda spec: next(iter(spec)))
def test_pods_are_changed_while_suspended_only(cluster, waiting, spec) -> None:
    (field,) = spec
    refused = _patch(cluster, waiting, {"spec": spec})
    assert f"spec.{field} can be changed only while spec.runPolicy.suspend" in refused.stderr
    for suspend in (True, False):
        changed = {"spec": {**(spec if suspend else {}), "runPolicy": {"suspend": suspend}}}
        assert _patch(cluster, waiting, changed).returncode == 0
    refused = _patch(cluster, waiting, {"spec": {field: None}})
    assert f"spec.{field} can be changed only" in refused.stderr


def test_policy_and_tensorboard_can_change(cluster, job) -> None:
    spec = {"runPolicy": {"maxRestarts": 9}, "tensorboard": {"enabled": True}}
    assert _patch(cluster, job, {"spec": spec}).returncode == 0


def test_workers_change_by_scale_while_suspended_only(cluster, job) -> None:
    scale = ("-n", NAMESPACE, "scale", "trainingjob", job)
    assert _run(cluster, *scale, "--replicas=3").returncode == 0
    assert cluster.get("trainingjob", job, namespace=NAMESPACE)["spec"]["workers"] == 3
    refused = _run(cluster, *scale, "--replicas=0")
    assert "spec.workers: Invalid value: 0" in refused.stderr
    # Told to a copy that is not stored, so that nothing starts.
    awake = {"spec": {"runPolicy": {"suspend": False}}}
    assert _patch(cluster, job, awake, "--dry-run=server").returncode == 0


def test_a_running_job_is_scaled_but_not_below_its_least_workers(cluster, namespace) -> None:
    # Without a claim of that name nothing runs, with or without an operator.
    running = changed("metadata.name", "running")
    running["spec"] |= {
        "workers": 3,
        "elastic": {"minWorkers": 2},
        "runPolicy": {"suspend": False},
        "storage": {"claim": "missing"},
    }
    assert _apply(cluster, running).returncode == 0
    scale = ("-n", namespace, "scale", "tj", "running")
    scaled = _run(cluster, *scale, "--replicas=2")
    refused = _run(cluster, *scale, "--replicas=1")
    cluster.kubectl("-n", namespace, "delete", "trainingjob", "running")
    assert scaled.returncode == 0, scaled.stderr
    assert "spec.elastic.minWorkers is more than spec.workers" in refused.stderr


def _patch(cluster, job: str, body: dict[str, Any], *flags: str) -> subprocess.CompletedProcess:
    command = ("-n", NAMESPACE, "patch", "trainingjob", job, "--type=merge", *flags)
    return _run(cluster, *command, "-p", json.dumps(body))


def test_a_status_is_shown_in_the_columns(cluster, job) -> None:
    status = {
        "phase": "Running",
        "restarts": 1,
        "summary": {"ready": "2/2", "epoch": "3/10", "progress": "27%", "loss": "0.1234"},
    }
    patch = ("patch", "trainingjob", job, "--subresource=status", "--type=merge", "-p")
    deadline = time.monotonic() + 60
    cells: list[str] = []
    # An operator in this cluster may write its own status between the two commands.
    while cells[1:7] != ["Running", "2/2", "3/10", "27%", "0.1234", "1"]:
        assert time.monotonic() < deadline, cells
        cluster.kubectl("-n", NAMESPACE, *patch, json.dumps({"status": status}))
        header, row = cluster.kubectl("-n", NAMESPACE, "get", "tj", job).splitlines()
        cells = row.split()
    assert header.split() == COLUMNS


def test_a_status_cannot_be_set_with_the_spec(cluster, job) -> None:
    before = cluster.get("trainingjob", job, namespace=NAMESPACE).get("status", {})
    patched = _patch(cluster, job, {"status": {"restarts": 7}}, "--dry-run=server", "-o", "json")
    assert json.loads(patched.stdout).get("status", {}).get("restarts", 0) == before.get(
        "restarts", 0
    )


def test_jobs_are_among_all_and_have_a_short_name(cluster, job) -> None:
    assert job in _run(cluster, "-n", NAMESPACE, "get", "tj", "-o", "name").stdout
    assert f"trainingjob.kubefit.dev/{job}" in _run(cluster, "-n", NAMESPACE, "get", "all").stdout


def test_the_stored_crd_is_the_manifest(cluster, namespace) -> None:
    manifest = yaml.safe_load(MANIFEST.read_text())
    stored = cluster.get("crd", CRD)["spec"]
    assert stored["versions"] == manifest["spec"]["versions"]
    assert stored["names"] == manifest["spec"]["names"]


def test_every_field_is_explained_by_kubectl(cluster, namespace) -> None:
    text = cluster.kubectl("explain", "trainingjob.spec.recipe.training.globalBatchSize")
    assert "Images per step over all workers together" in text


@pytest.mark.parametrize(
    "settings",
    [
        [],
        ["tensorboard.enabled=true", "tensorboard.claim=training", "imagePullSecrets[0].name=pull"],
        ["rbac.scope=namespaced", f"watchNamespaces={{{NAMESPACE}}}"],
    ],
    ids=["defaults", "with tensorboard", "namespaced"],
)
def test_the_api_server_takes_every_object_of_the_chart(cluster, namespace, settings) -> None:
    options = [part for setting in settings for part in ("--set", setting)]
    objects = cluster.helm("template", "kubefit", str(CHART), "--namespace", namespace, *options)
    documents = [document for document in yaml.safe_load_all(objects) if document]
    # A pod is refused as long as its service account is not there, which a dry run does not make.
    asked = [document for document in documents if document["kind"] != "Pod"]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": asked})
    answer = _run(cluster, "apply", "--dry-run=server", "-f", "-", text=text)
    assert answer.returncode == 0, answer.stderr
    # The namespace warns about pods that Pod Security `restricted` would refuse.
    assert "PodSecurity" not in answer.stderr
    assert len(answer.stdout.splitlines()) == len(asked)


def test_pod_security_is_watched_here(cluster, namespace) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "bad", "namespace": namespace},
        "spec": {"containers": [{"name": "a", "image": "a"}]},
    }
    assert "PodSecurity" in _apply(cluster, pod, "--dry-run=server").stderr


def test_the_api_server_takes_what_is_converted_and_the_pods_that_come_of_it(
    cluster, namespace
) -> None:
    asked: list[dict[str, Any]] = []
    for file in CONVERTED:
        found = next(iter(yaml.safe_load_all(file.read_text())))
        found["metadata"] |= {"namespace": namespace, "uid": "0" * 8}
        job = read_job(found)
        asked += [found, *desired(job, Defaults(image="trainer"), spec_digest="")]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": asked})
    answer = _run(cluster, "create", "--dry-run=server", "--validate=strict", "-f", "-", text=text)
    assert (answer.returncode, len(answer.stdout.splitlines())) == (0, len(asked)), answer.stderr
