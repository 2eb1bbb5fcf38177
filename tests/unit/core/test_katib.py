"""The Experiment of the page on Katib fits what the operator makes and says of a trial."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubefit.api.contract import TrainerPhase
from kubefit.api.errors import read_job
from kubefit.core.plan import plan

ROOT = Path(__file__).parents[3]
_CONDITION = re.compile(r'status\.conditions\.#\((\w+)=="(\w+)"\)#\|#\((\w+)=="(\w+)"\)#')


@pytest.fixture(scope="module")
def experiment() -> dict[str, Any]:
    blocks = re.findall(
        r"^```yaml\n(.*?)^```", (ROOT / "docs/how-to/tuners.md").read_text(), re.M | re.S
    )
    (found,) = [block for block in map(yaml.safe_load, blocks) if "kind" in block]
    assert (found["apiVersion"], found["kind"]) == ("kubeflow.org/v1beta1", "Experiment")
    return found


@pytest.fixture
def template(experiment) -> dict[str, Any]:
    return experiment["spec"]["trialTemplate"]


def _met(condition: str, status: dict[str, Any]) -> list[Any]:
    """What GJSON gives for a condition of the form that Katib's own defaults have."""
    match = _CONDITION.fullmatch(condition)
    assert match, f"{condition} is of another form"
    first, second = (match[1], match[2]), (match[3], match[4])
    found = [one for one in status.get("conditions", []) if one[first[0]] == first[1]]
    return [one for one in found if one[second[0]] == second[1]]


def _status(scene) -> dict[str, Any]:
    found = plan(scene.seen()).status
    assert found is not None
    return found


def test_a_trial_that_trains_has_neither_succeeded_nor_failed(scene, template):
    scene.made()
    for rank in (0, 1):
        scene.pod(rank, "Running", ready=True)
    scene.chief_does(TrainerPhase.TRAINING)
    status = _status(scene)
    assert status["phase"] == "Running"
    assert not _met(template["successCondition"], status)
    assert not _met(template["failureCondition"], status)


def test_a_trial_whose_workers_have_finished_has_succeeded(scene, template):
    scene.made("Complete", succeeded=2)
    for rank in (0, 1):
        scene.ended(rank, 0)
    status = _status(scene)
    assert status["phase"] == "Succeeded"
    assert _met(template["successCondition"], status)
    assert not _met(template["failureCondition"], status)


def test_a_trial_whose_program_has_failed_has_failed_with_the_first_cause(scene, template):
    scene.made("Failed", failed=1)
    scene.last_words(0, 10, "KeyError: 'price'", 1.0)
    status = _status(scene)
    assert status["phase"] == "Failed"
    (failed,) = _met(template["failureCondition"], status)
    assert "KeyError" in failed["message"]
    assert not _met(template["successCondition"], status)


def test_every_value_of_the_search_space_makes_a_job(experiment, template):
    (parameter,) = experiment["spec"]["parameters"]
    (reference,) = template["trialParameters"]
    assert reference["reference"] == parameter["name"]
    text = yaml.safe_dump(template["trialSpec"])
    space = parameter["feasibleSpace"]
    for value in (space["min"], space["max"]):
        filled = yaml.safe_load(text.replace(f"${{trialParameters.{reference['name']}}}", value))
        filled["metadata"] = {"name": "digits-abcdefgh"}
        assert read_job(filled).spec.recipe.training.learning_rate == float(value)


def test_the_collector_finds_worker_0_its_container_and_its_command(scene, template):
    scene.spec = {**scene.spec, "podTemplate": template["trialSpec"]["spec"]["podTemplate"]}
    (job,) = [one for one in plan(scene.seen()).apply if one["kind"] == "Job"]
    pod = job["spec"]["template"]
    wanted = dict(template["primaryPodLabels"])
    # This one is given by Kubernetes, to the pods of every Indexed Job.
    assert wanted.pop("batch.kubernetes.io/job-completion-index") == "0"
    assert job["spec"]["completionMode"] == "Indexed"
    assert wanted.items() <= pod["metadata"]["labels"].items()
    containers = {one["name"]: one for one in pod["spec"]["containers"]}
    entrypoint = re.findall(
        r"^ENTRYPOINT (\[.*trainer\.agent.*\])$", (ROOT / "Dockerfile").read_text(), re.M
    )
    command = containers[template["primaryContainerName"]]["command"]
    assert [yaml.safe_load(one) for one in entrypoint] == [command] * len(entrypoint)
    assert entrypoint
