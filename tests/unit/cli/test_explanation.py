"""What `kubefit explain` says of a job: one row for each state that a job can be in."""

import datetime
from typing import Any

import pytest

from kubefit.api.v1alpha1 import TrainingJob
from kubefit.cli.explanation import Seen, explained
from kubefit.client.pods import Warned, WorkerPod

NOW = datetime.datetime(2026, 1, 1, 12, 0, tzinfo=datetime.UTC)
EARLIER = "2026-01-01T11:55:00Z"
SINCE = "2026-01-01 11:55:00 UTC"
LOGS = (
    "Output: `kubefit logs digits -n team`; all attempts are on the claim training in"
    " team/digits/logs."
)
FRESH = "No restarts charged so far; more than 3 within 3600 s end the job."


def _condition(kind: str, status: str, reason: str, message: str) -> dict[str, str]:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": EARLIER,
    }


def _seen(
    status: dict[str, Any],
    *,
    spec: dict[str, Any] | None = None,
    pods: tuple[WorkerPod, ...] = (),
    warnings: tuple[Warned, ...] = (),
) -> Seen:
    base = {"workers": 2, "storage": {"claim": "training"}, "script": {"inline": "print(1)"}}
    metadata = {"name": "digits", "namespace": "team", "creationTimestamp": EARLIER}
    job = {"metadata": metadata | {"generation": 1}, "spec": base | (spec or {}), "status": status}
    return Seen(job=TrainingJob.model_validate(job), pods=pods, warnings=warnings, now=NOW)


def _pod(rank: int, *, state: str = "Pending", ready: bool = False) -> WorkerPod:
    return WorkerPod(
        name=f"digits-{rank}-x",
        uid=str(rank),
        rank=rank,
        restarts=0,
        started=ready,
        ended=False,
        created=EARLIER,
        ready=ready,
        state=state,
    )


def _warned(name: str = "digits-1-x", time: str = "2026-01-01T11:59:00Z") -> Warned:
    message = 'MountVolume.SetUp failed for volume "token": secret "digits-token" not found'
    return Warned(kind="Pod", name=name, reason="FailedMount", message=message, time=time)


UNSCHEDULABLE = "rank 0 (pod digits-0-x): no node takes it: 1 Insufficient cpu; add nodes"
PENDING = {
    "phase": "Pending",
    "waitStartTime": EARLIER,
    "conditions": [_condition("PodsReady", "False", "Unschedulable", UNSCHEDULABLE)],
}
STARTING = {
    "phase": "Starting",
    "waitStartTime": EARLIER,
    "readyWorkers": 1,
    "conditions": [
        _condition("PodsReady", "False", "Waiting", "1 of 2 workers are ready"),
        _condition("Progressing", "False", "Starting", "workers start and meet"),
    ],
}
FAILURE = {
    "reason": "UserError",
    "message": "rank 1 (pod digits-1-x): KeyError: 'price' (train.py, line 2)",
    "rank": 1,
    "attempt": 2,
    "time": EARLIER,
}
CHECKPOINTED = _condition("Checkpointed", "True", "Written", "step 120 is on the volume")
RUNNING = {
    "phase": "Running",
    "readyWorkers": 2,
    "attempt": 2,
    "restarts": 1,
    "progress": {
        "epoch": 3,
        "epochs": 10,
        "step": 120,
        "totalSteps": 400,
        "loss": 0.25,
        "updateTime": "2026-01-01T11:59:58Z",
    },
    "conditions": [_condition("Progressing", "True", "Running", "2 of 2 workers train")],
}

PARAGRAPHS: dict[str, tuple[Seen, list[str]]] = {
    "nobody has looked": (
        _seen({}),
        [
            "team/digits was made at 2026-01-01 11:55:00 UTC (5m ago) and has no state yet.",
            "No operator has looked at it.",
            "One that runs does so within seconds: `kubefit doctor` tells whether it does.",
        ],
    ),
    "managed by another": (
        _seen({}, spec={"managedBy": "kueue.x-k8s.io/multikueue"}),
        [
            "team/digits was made at 2026-01-01 11:55:00 UTC (5m ago) and has no state yet.",
            "spec.managedBy gives it to kueue.x-k8s.io/multikueue, so that KubeFit leaves it"
            " alone.",
        ],
    ),
    "no node": (
        _seen(PENDING, pods=(_pod(0), _pod(1))),
        [
            f"team/digits is Pending since {SINCE} (for 5m): 0 of 2 workers are ready.",
            f"It waits: {UNSCHEDULABLE}.",
            "It goes on by itself as soon as it can, and need not be submitted again.",
            FRESH,
        ],
    ),
    "a claim that is missing": (
        _seen(
            {
                "phase": "Pending",
                "waitStartTime": EARLIER,
                "conditions": [
                    _condition("Accepted", "False", "ClaimNotFound", "spec.storage.claim: no c")
                ],
            },
            spec={"runPolicy": {"startDeadlineSeconds": 600}},
        ),
        [
            f"team/digits is Pending since {SINCE} (for 5m): 0 of 2 workers are ready.",
            "It waits: spec.storage.claim: no c.",
            "It starts by itself once that is mended. It fails when it does not train within"
            " 600 s.",
            FRESH,
        ],
    ),
    "a mount that fails": (
        _seen(
            STARTING,
            pods=(_pod(0, ready=True, state="Running"), _pod(1, state="ContainerCreating")),
            warnings=(_warned("another"), _warned()),
        ),
        [
            f"team/digits is Starting since {SINCE} (for 5m): 1 of 2 workers are ready.",
            "It waits: workers start and meet; rank 1 (pod digits-1-x) is not ready"
            " (ContainerCreating).",
            "The newest warning about pod digits-1-x is FailedMount: MountVolume.SetUp failed for"
            ' volume "token": secret "digits-token" not found.',
            "It goes on by itself as soon as it can, and need not be submitted again.",
            FRESH,
        ],
    ),
    "queued": (
        _seen(
            {
                "phase": "Queued",
                "conditions": [
                    _condition("PodsReady", "False", "Queued", "waits until the queue admits it"),
                    _condition("Progressing", "False", "Queued", "waits until the queue admits it"),
                ],
            }
        ),
        [
            f"team/digits is Queued since {SINCE} (for 5m): 0 of 2 workers are ready.",
            "It waits until the queue admits it.",
            "It starts by itself once it is admitted.",
            FRESH,
        ],
    ),
    "running after a restart": (
        _seen({**RUNNING, "failure": {**FAILURE, "reason": "Crashed", "message": "rank 1: died"}}),
        [
            f"team/digits is Running since {SINCE} (for 5m): 2 of 2 workers are ready, epoch 3 of"
            " 10, step 120 of 400, loss 0.2500.",
            f"It was last restarted at {SINCE} (5m ago) because of Crashed, attempt 2: rank 1:"
            " died.",
            "Nothing is to be done; `kubefit watch digits -n team` shows it to its end.",
            "1 restart charged so far; more than 3 within 3600 s end the job.",
            "No checkpoint was written to the volume.",
            LOGS,
        ],
    ),
    "running, and nothing heard": (
        _seen({**RUNNING, "progress": {"step": 7, "updateTime": EARLIER}, "restarts": 0}),
        [
            f"team/digits is Running since {SINCE} (for 5m): 2 of 2 workers are ready, step 7.",
            "Nothing was heard of its progress for 5m.",
            "The workers train on without an operator; `kubefit doctor` tells whether one runs.",
            FRESH,
            "No checkpoint was written to the volume.",
            LOGS,
        ],
    ),
    "suspended": (
        _seen(
            {
                "phase": "Suspended",
                "conditions": [
                    _condition("Progressing", "False", "Suspended", "spec.runPolicy.suspend"),
                    CHECKPOINTED,
                ],
            }
        ),
        [
            f"team/digits is Suspended since {SINCE} (for 5m): 0 of 2 workers are ready.",
            "It rests until spec.runPolicy.suspend is false: `kubectl patch tj digits -n team"
            ' --type=merge -p \'{"spec":{"runPolicy":{"suspend":false}}}\'`.',
            FRESH,
            "Newest checkpoint: step 120 is on the volume.",
        ],
    ),
    "failed": (
        _seen(
            {
                "phase": "Failed",
                "completionTime": EARLIER,
                "failure": FAILURE,
                "restarts": 2,
                "conditions": [CHECKPOINTED],
            }
        ),
        [
            f"team/digits failed at {SINCE} (5m ago).",
            "It failed because of UserError, attempt 2: rank 1 (pod digits-1-x): KeyError:"
            " 'price' (train.py, line 2).",
            "Correct the program, which would fail again; then `kubefit delete digits -n team` and"
            " submit it again: it goes on from its last checkpoint.",
            "2 restarts charged so far; more than 3 within 3600 s end the job.",
            "Newest checkpoint: step 120 is on the volume.",
            LOGS.replace("-n team`", "-n team --rank 1`"),
        ],
    ),
    "succeeded": (
        _seen(
            {"phase": "Succeeded", "completionTime": EARLIER, "evaluation": {"loss": 0.25}},
            spec={"runPolicy": {"ttlSecondsAfterFinished": 3600}},
        ),
        [
            f"team/digits succeeded at {SINCE} (5m ago), with loss 0.2500.",
            "Results are on the claim training in team/digits; the job is deleted 3600 s after its"
            " end.",
        ],
    ),
}


@pytest.mark.parametrize(("seen", "paragraph"), PARAGRAPHS.values(), ids=PARAGRAPHS.keys())
def test_a_job_is_explained_in_one_paragraph(seen: Seen, paragraph: list[str]) -> None:
    assert " ".join(explained(seen).sentences) == " ".join(paragraph)


def test_a_warning_of_long_ago_is_over() -> None:
    old = _warned(time="2026-01-01T11:30:00Z")
    pods = (_pod(1, state="ContainerCreating"),)
    assert "FailedMount" not in explained(_seen(STARTING, pods=pods, warnings=(old,))).cause


def test_a_change_that_no_operator_has_taken_in_is_told() -> None:
    seen = _seen({**RUNNING, "observedGeneration": 0})
    assert "newest change of its specification was not taken in" in explained(seen).cause


def test_checkpoints_that_cannot_be_written_are_told() -> None:
    failing = _condition("Checkpointed", "False", "CannotBeWritten", "no space left on device")
    told = explained(_seen({**RUNNING, "conditions": [failing]}))
    assert told.checkpoint == "Checkpoints cannot be written: no space left on device."


def test_the_document_has_the_same_sentences() -> None:
    seen, _ = PARAGRAPHS["failed"]
    told = explained(seen)
    document = told.document()
    assert document["phase"] == "Failed"
    assert document["since"] == "2026-01-01T11:55:00+00:00"
    assert [document[name] for name in ("state", "cause", "next", "logs")] == [
        told.state,
        told.cause,
        told.next,
        told.logs,
    ]
