"""What a sweep's file may say, the jobs it makes, and what is told of one that cannot be run."""

import copy
import datetime
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubefit.api.errors import read_job
from kubefit.client.errors import InvalidJobError
from kubefit.client.sweeping import read_sweep
from kubefit.sweep import child, values_of
from kubefit.sweep.definition import SweepSpec
from kubefit.sweep.draws import all_values
from kubefit.sweep.places import PathError, with_value

RATE = "spec.recipe.training.phases[0].learningRate"
JOB = {
    "metadata": {"labels": {"team": "vision"}},
    "spec": {
        "storage": {"claim": "training"},
        "recipe": {
            "data": {
                "train": {"folder": "digits/train"},
                "imageSize": [16, 16],
                "channels": 1,
                "validationSplit": 0.1,
            },
            "model": {"blocks": [{"conv": 32}, {"flatten": True}]},
            "training": {"phases": [{"epochs": 4, "learningRate": 0.001}]},
        },
    },
}


def document(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "kubefit.dev/v1alpha1",
        "kind": "Sweep",
        "metadata": {"name": "rates"},
        "spec": {
            "parameters": [
                {"path": RATE, "log": {"min": 0.0001, "max": 0.1}},
                {"path": "spec.recipe.training.optimizer", "values": ["adam", "sgd"]},
            ],
            "trials": 4,
            "objective": {"metric": "val_accuracy", "goal": "maximize"},
            "job": JOB,
            **spec,
        },
    }


def test_each_trial_is_the_job_with_its_values_and_knows_its_sweep():
    sweep = read_sweep("sweep.yaml", document())
    values = values_of(sweep)
    assert len(values) == 4
    for number, one in enumerate(values):
        job = read_job(child(sweep, number, one))
        assert job.metadata.name == f"rates-{number}"
        assert job.metadata.labels == {"team": "vision", "kubefit.dev/sweep": "rates"}
        assert json.loads(job.metadata.annotations["kubefit.dev/sweep-values"]) == one
        assert job.spec.recipe is not None
        assert job.spec.recipe.training.phases is not None
        assert job.spec.recipe.training.phases[0].learning_rate == one[RATE]
        assert job.spec.recipe.training.optimizer == one["spec.recipe.training.optimizer"]
    assert JOB["spec"]["recipe"]["training"] == {"phases": [{"epochs": 4, "learningRate": 0.001}]}


def test_a_trial_takes_nothing_over_from_an_older_one_of_its_name_unless_it_is_told_to():
    (first, *_) = values_of(sweep := read_sweep("s", document()))
    assert child(sweep, 0, first)["spec"]["checkpoint"] == {"resume": False}
    for asked, told in [
        (None, {"resume": False}),
        ({"keep": 2}, {"keep": 2, "resume": False}),
        ({"resume": True}, {"resume": True}),
    ]:
        job = {**JOB, "spec": {**JOB["spec"], "checkpoint": asked}}
        assert child(read_sweep("s", document(job=job)), 0, first)["spec"]["checkpoint"] == told


def test_more_trials_keep_those_that_there_are():
    few, many = (values_of(read_sweep("s", document(trials=n))) for n in (3, 12))
    assert many[:3] == few
    assert values_of(read_sweep("s", document(trials=3, seed=1))) != few


def test_a_grid_has_all_combinations_with_both_ends_of_its_ranges():
    parameters = [
        {"path": RATE, "log": {"min": 0.001, "max": 0.1, "points": 3}},
        {"path": "spec.workers", "integer": {"min": 1, "max": 2}},
    ]
    given = {"search": "grid", "parameters": parameters}
    spec = document(**given)
    del spec["spec"]["trials"]
    found = [tuple(one.values()) for one in values_of(read_sweep("s", spec))]
    assert found == [(0.001, 1), (0.001, 2), (0.01, 1), (0.01, 2), (0.1, 1), (0.1, 2)]


@given(st.integers(0, 1000), st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.booleans())
def test_what_is_drawn_lies_within_its_bounds(seed: int, low: float, size: float, log: bool):
    low = abs(low) + 1e-6 if log else low
    high = low + size + 1e-6 * abs(low)
    kind = "log" if log else "linear"
    spec = SweepSpec.model_validate(
        {
            "parameters": [
                {"path": "spec.a", kind: {"min": low, "max": high}},
                {"path": "spec.b", "integer": {"min": -2, "max": 2}},
            ],
            "trials": 5,
            "seed": seed,
            "objective": {"metric": "loss", "goal": "minimize"},
            "job": {},
        }
    )
    found = all_values(spec)
    assert found == all_values(spec)
    assert len({json.dumps(one) for one in found}) == 5
    for one in found:
        assert low <= one["spec.a"] <= high
        assert one["spec.b"] in range(-2, 3)


def test_a_range_of_orders_of_magnitude_gives_each_of_them_its_share():
    spec = document(parameters=[{"path": RATE, "log": {"min": 0.0001, "max": 1}}], trials=400)
    drawn = [one[RATE] for one in values_of(read_sweep("s", spec))]
    orders = [math.floor(math.log10(value)) for value in drawn]
    assert all(70 <= orders.count(order) <= 130 for order in (-4, -3, -2, -1))


CIRCULAR: dict[str, Any] = {}
CIRCULAR["spec"] = CIRCULAR
PARAMETERS = document()["spec"]["parameters"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {
                "parameters": [{"path": "spec.recipe.training.lerningRate", "values": [1]}],
                "trials": 1,
            },
            "(spec.recipe.training.lerningRate=1): spec.recipe.training.lerningRate: unknown field",
        ),
        (
            {"parameters": [{"path": RATE, "values": [0.1, -1]}], "trials": 2},
            f"trial 1 ({RATE}=-1): {RATE}: -1 is neither auto nor a number",
        ),
        (
            {
                "parameters": [{"path": "spec.recipe.training.phases[3].epochs", "values": [1]}],
                "trials": 1,
            },
            "spec.recipe.training.phases of the job has 1 items",
        ),
        (
            {"parameters": [{"path": "metadata.name", "values": ["a"]}], "trials": 1},
            "metadata.name: is not a path such as",
        ),
        (
            {"parameters": [{"path": "spec.workers[0]", "values": [1]}], "trials": 1},
            "spec.workers of the job is not a list",
        ),
        ({"parameters": [{"path": RATE}]}, "set exactly one of values, log, linear, integer"),
        ({"parameters": [*PARAMETERS, PARAMETERS[0]]}, f"parameters: {RATE} is there twice"),
        (
            {"parameters": [{"path": RATE, "log": {"min": 0, "max": 1}}]},
            "log.min: 0 is not more than 0",
        ),
        (
            {"parameters": [{"path": RATE, "linear": {"min": 2, "max": 1}}]},
            "min 2 is not less than max 1",
        ),
        ({"parameters": [{"path": RATE, "values": [1, 1]}]}, "one of them is there twice"),
        ({"search": "grid"}, "parameters[0].log.points: a grid needs their number"),
        ({"trials": None}, "spec.trials: a random search needs their number"),
        (
            {"parameters": [{"path": RATE, "values": [0.1, 0.2]}], "trials": 5},
            "5 trials were asked for, but the parameters have hardly more than 2 combinations",
        ),
        ({"objective": {"metric": "m", "goal": "best"}}, "spec.objective.goal: 'best' is not one"),
        (
            {
                "parameters": [{"path": RATE, "linear": {"min": 1, "max": 1.00001, "points": 9}}],
                "search": "grid",
                "trials": None,
            },
            "spec.parameters[0].linear.points: 9 points were asked for, but numbers of 6 digits",
        ),
        (
            {"parameters": [{"path": "spec.workers", "integer": {"min": 1, "max": 10**320}}]},
            "is more than 9007199254740992",
        ),
        (
            {"job": {**JOB, "metadata": {"labels": ["team"]}}},
            "metadata.labels: a list is not a mapping",
        ),
        (
            {"job": {**JOB, "metadata": {"annotations": "team"}}},
            "metadata.annotations: 'team' is not a mapping",
        ),
        ({"job": {**JOB, datetime.date(2026, 1, 2): 1}}, "the name of a field is no text: keys"),
        ({"job": CIRCULAR}, "an anchor of the document refers to itself"),
        ({"parallel": 0}, "spec.parallel: 0 is less than 1"),
        ({"job": {"spec": {"recipe": JOB["spec"]["recipe"]}}}, "spec.storage: is required"),
    ],
)
def test_what_cannot_be_run_is_told_before_any_trial_is_submitted(changes: Any, told: str):
    with pytest.raises(InvalidJobError) as refused:
        read_sweep("sweep.yaml", document(**changes))
    assert told in str(refused.value)
    assert str(refused.value).startswith("sweep.yaml: ")


def test_a_metric_of_validation_needs_images_that_are_held_out():
    job = copy.deepcopy(JOB)
    del job["spec"]["recipe"]["data"]["validationSplit"]
    with pytest.raises(InvalidJobError, match="val_accuracy needs images that are held out"):
        read_sweep("s", document(job=job))


def test_a_name_leaves_room_for_the_numbers_of_trials():
    with pytest.raises(InvalidJobError, match="is not a name of at most 46"):
        read_sweep("s", {**document(), "metadata": {"name": "x" * 47}})


def test_arguments_of_programs_are_texts():
    job = {"spec": {"script": {"args": ["--rate", "0.1"]}}}
    assert with_value(job, "spec.script.args[1]", 0.01)["spec"]["script"]["args"][1] == "0.01"
    assert job["spec"]["script"]["args"][1] == "0.1"
    with pytest.raises(PathError, match=r"spec\.script\.args of the job has 2 items"):
        with_value(job, "spec.script.args[2]", 1)


def test_mappings_on_the_way_are_made():
    assert with_value({}, "spec.a.b", 1) == {"spec": {"a": {"b": 1}}}
