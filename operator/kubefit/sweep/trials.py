"""The jobs of a sweep: a TrainingJob for each trial, and what of a trial is kept with its job."""

import json
from typing import Any

from pydantic import ValidationError

from kubefit.api.errors import explain, read_job
from kubefit.api.names import API_VERSION, KIND, LABEL_SWEEP, SWEEP_TRIAL, SWEEP_VALUES
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.sweep.definition import Sweep
from kubefit.sweep.draws import TooFewError, Values, all_values
from kubefit.sweep.places import PathError, with_value

_TOLD = 10
"""Faults that are told; those of the other trials are mostly the same."""


def values_of(sweep: Sweep) -> list[Values]:
    """The values of every trial, by its number.

    Raises:
        TooFewError: there are fewer combinations than trials.

    """
    return all_values(sweep.spec)


def name_of(sweep: Sweep, number: int) -> str:
    """The name of the job of that trial."""
    return f"{sweep.metadata.name}-{number}"


def child(sweep: Sweep, number: int, values: Values) -> dict[str, Any]:
    """The job of that trial.

    It begins anew, unless the sweep says otherwise: checkpoints of that name are of a trial with
    other values. Restarts of the trial itself go on from its own, whatever this says.

    Raises:
        PathError: the job has no such field.

    """
    document = sweep.spec.job
    for path, value in values.items():
        document = with_value(document, path, value)
    given = document.get("metadata")
    metadata = given if isinstance(given, dict) else {}
    notes = {SWEEP_TRIAL: str(number), SWEEP_VALUES: json.dumps(values)}
    own = {
        "name": name_of(sweep, number),
        "labels": _with(metadata.get("labels"), {LABEL_SWEEP: sweep.metadata.name}),
        "annotations": _with(metadata.get("annotations"), notes),
    }
    space = {"namespace": sweep.metadata.namespace} if sweep.metadata.namespace else {}
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        **_anew(document),
        "metadata": {**metadata, **own, **space},
    }


def _anew(document: dict[str, Any]) -> dict[str, Any]:
    """The job without what older jobs of its name have left, where it says nothing of that."""
    spec = document.get("spec")
    if not isinstance(spec, dict):
        return document
    checkpoint = spec.get("checkpoint")
    if isinstance(checkpoint, dict) and "resume" in checkpoint:
        return document
    return {**document, "spec": {**spec, "checkpoint": _with(checkpoint, {"resume": False})}}


def _with(given: Any, more: dict[str, Any]) -> Any:
    """Both together; what is no mapping stays as it is, for the check of the job to tell."""
    if given is None or isinstance(given, dict):
        return {**(given or {}), **more}
    return given


def faults_of(sweep: Sweep) -> list[str]:
    """Why not every trial can be run, one sentence a fault; empty when all can."""
    try:
        found = values_of(sweep)
    except TooFewError as error:
        return [str(error)]
    faults: dict[str, str] = {}
    for number, values in enumerate(found):
        for sentence in _faults_of_one(sweep, number, values):
            faults.setdefault(sentence, f"trial {number} ({told(values)}): {sentence}")
    return list(faults.values())[:_TOLD]


def _faults_of_one(sweep: Sweep, number: int, values: Values) -> list[str]:
    try:
        job = read_job(child(sweep, number, values))
    except PathError as error:
        return [str(error)]
    except ValidationError as error:
        return explain(error)
    return _unmeasured(sweep, job)


def _unmeasured(sweep: Sweep, job: TrainingJob) -> list[str]:
    """A recipe that holds nothing out has no metrics of validation."""
    recipe, metric = job.spec.recipe, sweep.spec.objective.metric
    if recipe is None or not metric.startswith("val_"):
        return []
    if recipe.samples.validation is not None or recipe.samples.validation_split:
        return []
    return [
        f"spec.objective.metric: {metric} needs {recipe.kind} that are held out; set"
        f" spec.recipe.{recipe.subject}.validation or validationSplit of the job"
    ]


def told(values: Values) -> str:
    """`spec.recipe.training.learningRate=0.01 spec.workers=2`."""
    return " ".join(f"{path}={value}" for path, value in values.items())
