"""A job's life step by step: phase, columns, conditions, and since when each of them holds."""

import datetime
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kubefit.api.contract import Cause, ExitCode, Outcome, TrainerPhase, TrainerReport
from kubefit.api.errors import read_job
from kubefit.core.desired import APPLIED, digest
from kubefit.core.plan import plan

STEP = datetime.timedelta(seconds=10)


def _submitted(scene) -> None:
    scene.job = None


def _without_nodes(scene) -> None:
    scene.made()
    for rank in (0, 1):
        scene.pod(rank, "Pending")


def _scheduled(scene) -> None:
    scene.pods.clear()
    for rank in (0, 1):
        scene.pod(rank, "Running")


def _ready(scene) -> None:
    scene.pods.clear()
    for rank in (0, 1):
        scene.pod(rank, "Running", ready=True)
    scene.chief_does(TrainerPhase.STARTING)


def _report(step: int) -> TrainerReport:
    return TrainerReport(
        phase=TrainerPhase.TRAINING,
        epoch=min(4, 1 + step // 10),
        epochs=4,
        step=step,
        steps_per_epoch=10,
        loss=1 / (1 + step),
        updated=0.0,
    )


def _trains(scene, step: int = 9) -> None:
    scene.chief_does(TrainerPhase.TRAINING)
    scene.chief = scene.chief.model_copy(update={"report": _report(step)})


def _suspended(scene) -> None:
    scene.spec["runPolicy"] = {"suspend": True}
    for pod in scene.pods:
        pod["metadata"]["deletionTimestamp"] = "2026-01-02T03:05:00Z"


def _at_rest(scene) -> None:
    scene.pods.clear()
    scene.chief = None


def _resumed(scene) -> None:
    scene.spec["runPolicy"] = {"suspend": False}


def _trains_on(scene) -> None:
    _ready(scene)
    _trains(scene, 19)


def _process_died(scene) -> None:
    cause = Cause(
        rank=1, exit_code=ExitCode.CRASHED, reason="Crashed", message="killed", attempt=2, time=80.0
    )
    scene.chief_does(TrainerPhase.STARTING)
    scene.chief = scene.chief.model_copy(update={"last_cause": cause, "report": None})


def _recovered(scene) -> None:
    cause = scene.chief.last_cause
    _trains(scene, 29)
    scene.chief = scene.chief.model_copy(update={"last_cause": cause, "restarts": 1})


def _pod_died(scene) -> None:
    scene.pods.pop()
    scene.ended(1, 137, finishedAt="2026-01-02T03:05:35Z")
    scene.pod(1, "Pending")


def _last_words(scene) -> None:
    scene.pods.clear()
    for rank in (0, 1):
        last = Outcome(rank=rank, exit_code=0, reason="Succeeded", message="", report=_report(40))
        scene.ended(rank, 0, last.model_dump_json(by_alias=True))
    scene.chief = None


def _completed(scene) -> None:
    scene.made("Complete")


def _gave_up(scene) -> None:
    scene.made("Failed")
    scene.pods.clear()
    scene.chief = None


Step = tuple[Callable[[Any], None], str, tuple[str, ...], dict[str, tuple[str, str]]]
BEGIN: list[Step] = [
    (
        _submitted,
        "Pending",
        ("0/2",),
        {"PodsReady": ("False 0", "Waiting"), "Progressing": ("False 0", "Pending")},
    ),
    (
        _without_nodes,
        "Pending",
        ("0/2",),
        {"PodsReady": ("False 0", "Waiting"), "Progressing": ("False 0", "Pending")},
    ),
    (
        _scheduled,
        "Starting",
        ("0/2",),
        {"PodsReady": ("False 0", "Waiting"), "Progressing": ("False 0", "Starting")},
    ),
    (
        _ready,
        "Starting",
        ("2/2",),
        {"PodsReady": ("True 3", "AllReady"), "Progressing": ("False 0", "Starting")},
    ),
    (
        _trains,
        "Running",
        ("2/2", "1/4", "22%", "0.1000"),
        {"PodsReady": ("True 3", "AllReady"), "Progressing": ("True 4", "Running")},
    ),
    (
        _suspended,
        "Suspended",
        ("0/2", "1/4", "22%", "0.1000"),
        {"PodsReady": ("False 5", "Suspended"), "Progressing": ("False 5", "Suspended")},
    ),
    (
        _at_rest,
        "Suspended",
        ("0/2", "1/4", "22%", "0.1000"),
        {"PodsReady": ("False 5", "Suspended"), "Progressing": ("False 5", "Suspended")},
    ),
    (
        _resumed,
        "Pending",
        ("0/2", "1/4", "22%", "0.1000"),
        {"PodsReady": ("False 5", "Waiting"), "Progressing": ("False 5", "Pending")},
    ),
    (
        _trains_on,
        "Running",
        ("2/2", "2/4", "47%", "0.0500"),
        {"PodsReady": ("True 8", "AllReady"), "Progressing": ("True 8", "Running")},
    ),
    (
        _process_died,
        "Restarting",
        ("2/2", "2/4", "47%", "0.0500"),
        {"PodsReady": ("True 8", "AllReady"), "Progressing": ("False 9", "Restarting")},
    ),
    (
        _recovered,
        "Running",
        ("2/2", "3/4", "72%", "0.0333"),
        {"PodsReady": ("True 8", "AllReady"), "Progressing": ("True 10", "Running")},
    ),
    (
        _pod_died,
        "Restarting",
        ("1/2", "3/4", "72%", "0.0333"),
        {"PodsReady": ("False 11", "Waiting"), "Progressing": ("False 11", "Restarting")},
    ),
]
ENDS: dict[str, list[Step]] = {
    "succeeds": [
        (
            _last_words,
            "Running",
            ("0/2", "4/4", "99%", "0.0244"),
            {"PodsReady": ("False 11", "Waiting"), "Progressing": ("True 12", "Running")},
        ),
        (
            _completed,
            "Succeeded",
            ("0/2", "4/4", "100%", "0.0244"),
            {
                "PodsReady": ("False 11", "Finished"),
                "Progressing": ("False 13", "Succeeded"),
                "Complete": ("True 13", "Succeeded"),
            },
        ),
    ],
    "succeeds unheard": [
        (
            lambda scene: (_gave_up(scene), _completed(scene)),
            "Succeeded",
            ("0/2", "3/4", "100%", "0.0333"),
            {
                "PodsReady": ("False 11", "Finished"),
                "Progressing": ("False 11", "Succeeded"),
                "Complete": ("True 12", "Succeeded"),
            },
        ),
    ],
    "fails": [
        (
            _gave_up,
            "Failed",
            ("0/2", "3/4", "72%", "0.0333"),
            {
                "PodsReady": ("False 11", "Finished"),
                "Progressing": ("False 11", "Failed"),
                "Failed": ("True 12", "Killed"),
            },
        ),
    ],
}


def _walk(scene, steps: list[Step]) -> Iterator[tuple[Any, ...]]:
    """After each step: phase, columns, and conditions with the number of the step they are from."""
    start = scene.now
    for step, *_ in steps:
        step(scene)
        if scene.job is not None:
            scene.job["metadata"]["annotations"][APPLIED] = digest(read_job(scene.seen().resource))
        scene.status = plan(scene.seen()).status or scene.status
        assert plan(scene.seen()).status is None
        found = {}
        for condition in scene.status["conditions"]:
            at = datetime.datetime.fromisoformat(condition["lastTransitionTime"])
            since = int((at - start) / STEP)
            found[condition["type"]] = (f"{condition['status']} {since}", condition["reason"])
        assert found.pop("Accepted") == ("True 0", "Accepted")
        columns = scene.status["summary"]
        yield scene.status["phase"], tuple(columns.values()), found
        scene.now += STEP


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_every_step_of_a_life_is_told_as_it_is(scene, end) -> None:
    steps = [*BEGIN, *end]
    for number, (told, (_, *expected)) in enumerate(zip(_walk(scene, steps), steps, strict=True)):
        assert told == tuple(expected), f"step {number}"


def _warns(scene, *warnings: str) -> None:
    _ready(scene)
    told = _report(40).model_copy(update={"phase": TrainerPhase.EVALUATING, "warnings": warnings})
    scene.chief = scene.chief.model_copy(update={"report": told})


@pytest.mark.parametrize(
    ("then", "kept"),
    [(_trains_on, []), (_process_died, ["no report"]), (_last_words, ["no report"])],
    ids=["the next attempt", "a process that died", "last words without them"],
)
def test_warnings_are_those_of_the_last_attempt_that_was_heard(scene, then, kept) -> None:
    steps = [(step,) for step in (_ready, lambda scene: _warns(scene, "no report"), then)]
    scene.made()
    for _ in _walk(scene, steps):
        pass
    assert scene.status.get("warnings", []) == kept
