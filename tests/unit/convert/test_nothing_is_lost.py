"""What stands in a manifest shows in the TrainingJob or in a note, or says nothing of the job."""

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubefit.api.errors import read_job
from kubefit.convert import Given, UnconvertibleError, convert
from kubefit.core.observed import Defaults
from kubefit.core.pods import pod_template

MANIFESTS = sorted((Path(__file__).parent / "manifests").glob("*.yaml"))
GIVEN = {"workers": Given(script="/opt/train.py")}
SAYS_NOTHING = re.compile(
    r"""status\b
    | metadata\.(uid|resourceVersion|generation|creationTimestamp|managedFields)
    | metadata\.annotations\.kubectl\.kubernetes\.io/last-applied-configuration
    | .*\.template\.metadata\.creationTimestamp
    | .*\.metadata\.labels\.training\.kubeflow\.org/
    | spec\.successPolicy                          # "" or AllWorkers
    | spec\.enableDynamicWorker$                   # false
    | spec\.runPolicy\.cleanPodPolicy              # Running
    | spec\.managedBy                              # Kubeflow's own operator
    | spec\.runtimeRef\.apiGroup
    | spec\.runtimePatches\[\d\]\.(manager|time)
    | .*\.Chief\.replicas                          # 1, which is the default
    | .*\.containers\[0\]\.name                    # there is one, however it is called
    | .*\.ports\[\d\]\.(name|containerPort)        # TensorFlow's own
    | .*\.command\[0\]                            # python, before a file in Python
    | .*\.matchExpressions\[1\]\.values\[\d\]      # roles, which are all workers
    """,
    re.VERBOSE,
)


def _document(file: Path) -> dict[str, Any]:
    document = yaml.safe_load(file.read_text())
    return document["items"][0] if "items" in document else document


def _leaves(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, dict) and value:
        for key, part in value.items():
            yield from _leaves(part, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list) and value:
        for i, part in enumerate(value):
            yield from _leaves(part, f"{path}[{i}]")
    elif value not in ({}, []):
        yield path


def _without(value: Any, leaf: str, path: str = "") -> Any:
    """The value without that leaf."""
    if isinstance(value, dict):
        paths = {key: f"{path}.{key}".lstrip(".") for key in value}
        return {k: _without(v, leaf, paths[k]) for k, v in value.items() if paths[k] != leaf}
    if isinstance(value, list):
        items = enumerate(value)
        return [_without(v, leaf, f"{path}[{i}]") for i, v in items if f"{path}[{i}]" != leaf]
    return value


def _outcome(document: dict[str, Any], given: Given) -> Any:
    try:
        found = convert(document, given)
    except UnconvertibleError as error:
        return str(error)
    return found.job, {str(note) for note in found.notes}


@pytest.mark.parametrize("file", MANIFESTS, ids=lambda file: file.stem)
def test_every_field_shows_in_the_job_or_in_a_note(file: Path) -> None:
    document, given = _document(file), GIVEN.get(file.stem, Given())
    before = copy.deepcopy(document)
    whole = _outcome(document, given)
    assert document == before
    noted = [note.path for note in convert(document, given).notes]
    lost = [
        leaf
        for leaf in _leaves(document)
        if leaf not in ("apiVersion", "kind")
        and not any(re.match(re.escape(path) + r"(\.|\[|$)", leaf) for path in noted)
        and _outcome(_without(document, leaf), given) == whole
        and not SAYS_NOTHING.match(leaf)
    ]
    assert lost == []


@pytest.mark.parametrize("file", MANIFESTS, ids=lambda file: file.stem)
def test_a_field_that_nobody_knows_is_told_wherever_it_stands(file: Path) -> None:
    document, given = _document(file), GIVEN.get(file.stem, Given())
    for path, mapping in _mappings(document):
        mapping["somethingNew"] = "marked"
        job, notes = _outcome(document, given)
        del mapping["somethingNew"]
        assert "marked" in str(job) or "somethingNew" in str(notes) or _told(path, notes), path


def _mappings(value: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Mappings whose entries are fields of the API, not names that people give."""
    if isinstance(value, dict) and not re.search(r"^status|managedFields|finalizers", path):
        free = re.search(r"(labels|annotations|requests|limits|minResources|env\[\d+\])$", path)
        if not free:
            yield path, value
        for key, part in list(value.items()):
            yield from _mappings(part, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for i, part in enumerate(value):
            yield from _mappings(part, f"{path}[{i}]")


def _told(path: str, notes: set[str]) -> bool:
    """Whether a note is about the whole of it."""
    return any(path.startswith(note.partition(": ")[0]) for note in notes)


@pytest.mark.parametrize("file", MANIFESTS, ids=lambda file: file.stem)
def test_the_pods_have_every_mount_and_variable_of_the_manifest(file: Path) -> None:
    document, given = _document(file), GIVEN.get(file.stem, Given())
    found = convert(document, given).job
    pod = pod_template(read_job(found), Defaults(image="trainer"), labels={}, claim="results")[
        "spec"
    ]
    volumes = {volume.pop("name"): volume for volume in copy.deepcopy(pod["volumes"])}
    trainer = pod["containers"][0]
    mounted = {mount["mountPath"]: mount for mount in trainer["volumeMounts"]}
    assert len(mounted) == len(trainer["volumeMounts"])
    for other in pod.get("initContainers", []):
        assert {mount["name"] for mount in other.get("volumeMounts", [])} <= set(volumes)
    variables = {variable["name"] for variable in trainer["env"]}
    for container, sources in _training(document):
        for mount in container.get("volumeMounts", []):
            there = mounted[mount["mountPath"].rstrip("/")]
            assert there.get("subPath") == mount.get("subPath")
            wanted, got = sources[mount["name"]], volumes[there["name"]]
            assert wanted.keys() == got.keys()
            claim = wanted.get("persistentVolumeClaim", {}).get("claimName")
            assert claim == got.get("persistentVolumeClaim", {}).get("claimName")
        set_by_kubefit = {"TF_CONFIG", "KERAS_BACKEND", "TF_USE_LEGACY_KERAS"}
        names = {variable["name"] for variable in container.get("env", [])}
        assert names - set_by_kubefit <= variables


def _training(value: Any) -> Iterator[tuple[dict[str, Any], dict[str, dict[str, Any]]]]:
    """Containers that train, each with the volumes of its pod."""
    if isinstance(value, dict):
        volumes = {v["name"]: {k: v[k] for k in v if k != "name"} for v in value.get("volumes", [])}
        for container in value.get("containers", []):
            if container["name"] in ("tensorflow", "node", "main"):
                yield container, volumes
        value = [part for key, part in value.items() if key not in ("PS", "Ps", "Evaluator")]
    if isinstance(value, list):
        for part in value:
            yield from _training(part)
