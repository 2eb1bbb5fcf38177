"""Running means that all ranks are in place and the chief trains; nothing less."""

import datetime

import pytest

from kubefit.api.contract import AgentPhase, Cause, ExitCode, TrainerPhase
from kubefit.core.plan import plan


def phase(scene) -> str:
    return str(plan(scene.seen()).phase)


def test_without_pods_a_job_is_pending(scene) -> None:
    scene.made()
    assert phase(scene) == "Pending"


def test_one_pod_without_a_node_keeps_the_job_pending(scene) -> None:
    scene.made()
    scene.pod(0, "Running", ready=True)
    scene.pod(1, "Pending")
    assert phase(scene) == "Pending"


def test_pods_that_fetch_are_on_their_nodes_and_start(scene) -> None:
    scene.made()
    for rank in (0, 1):
        fetching = {"name": "fetch", "state": {"running": {}}}
        scene.pod(rank, "Pending", initContainerStatuses=[fetching])
    assert phase(scene) == "Starting"


@pytest.mark.parametrize("ready", [(True, False), (False, True), (True, True)])
def test_pods_that_run_only_start_until_the_chief_trains(scene, ready) -> None:
    scene.made()
    for rank in (0, 1):
        scene.pod(rank, "Running", ready=ready[rank])
    scene.chief_does(TrainerPhase.STARTING)
    assert phase(scene) == "Starting"


@pytest.mark.parametrize("doing", sorted(set(TrainerPhase) - {TrainerPhase.STARTING}))
def test_all_ready_and_a_chief_at_work_is_running(scene, doing) -> None:
    scene.made()
    scene.pod(0, "Running", ready=True)
    scene.pod(1, "Running", ready=True)
    scene.chief_does(doing)
    assert phase(scene) == "Running"


def test_a_worker_that_is_not_ready_holds_running_back(scene) -> None:
    scene.made()
    scene.pod(0, "Running", ready=True)
    scene.pod(1, "Running")
    scene.chief_does(TrainerPhase.TRAINING)
    assert phase(scene) == "Starting"


def test_a_running_job_stays_running_while_its_workers_end(scene) -> None:
    scene.made()
    scene.status = {"phase": "Running"}
    scene.ended(0, 0)
    scene.pod(1, "Running")
    assert phase(scene) == "Running"


@pytest.fixture
def running(scene):
    """A job that runs, whose pods are ready; the chief has not been asked."""
    scene.made()
    scene.status = {"phase": "Running"}
    for rank in (0, 1):
        scene.pod(rank, "Running", ready=True)
    return scene


def test_a_chief_that_cannot_be_asked_does_not_end_running(running) -> None:
    assert phase(running) == "Running"


def waits(scene, doing: TrainerPhase, *, failed: bool) -> None:
    """The chief's agent has no trainer, and tells what its last one did."""
    scene.chief_does(doing)
    code = ExitCode.PEER_LOST
    cause = Cause(rank=1, exit_code=code, reason="PeerLost", message="lost", attempt=1, time=80.0)
    told = {"phase": AgentPhase.WAITING, "waiting_for": "worker 1"}
    told["last_cause"] = cause if failed else None
    scene.chief = scene.chief.model_copy(update=told)


@pytest.mark.parametrize("doing", [TrainerPhase.TRAINING, TrainerPhase.DONE])
def test_a_chief_that_waits_for_a_lost_worker_does_not_run_though_its_pods_do(scene, doing) -> None:
    scene.made()
    scene.status = {"phase": "Running"}
    scene.pod(0, "Running", ready=True)
    scene.pod(1, "Running")
    waits(scene, doing, failed=True)
    assert phase(scene) == "Restarting"


def test_a_chief_that_is_done_and_waits_for_the_others_to_end_is_running(running) -> None:
    waits(running, TrainerPhase.DONE, failed=False)
    assert phase(running) == "Running"
    waits(running, TrainerPhase.TRAINING, failed=False)
    assert phase(running) == "Starting"


def test_pods_that_do_not_answer_for_a_minute_do_not_run_unless_the_chief_says_so(scene) -> None:
    scene.made()
    scene.status = {"phase": "Running"}
    for rank in (0, 1):
        pod = scene.pod(rank, "Running")
        pod["status"]["conditions"][-1]["lastTransitionTime"] = scene.now.isoformat()
    scene.now += datetime.timedelta(seconds=60)
    assert phase(scene) == "Running"
    scene.now += datetime.timedelta(seconds=1)
    assert phase(scene) == "Starting"
    scene.chief_does(TrainerPhase.TRAINING)
    assert phase(scene) == "Running"


def test_a_failed_pod_whose_successor_waits_means_restarting(scene) -> None:
    scene.made()
    scene.pod(0, "Running", ready=True)
    scene.ended(1, 16)
    scene.pod(1, "Pending")
    assert phase(scene) == "Restarting"


def test_a_restarted_job_runs_again(scene) -> None:
    scene.made()
    scene.pod(0, "Running", ready=True)
    scene.ended(1, 16)
    scene.pod(1, "Running", ready=True)
    scene.chief_does(TrainerPhase.TRAINING)
    assert phase(scene) == "Running"


@pytest.fixture
def elastic(scene):
    """A job of three workers, of which two may train, and the chief says that they do."""
    scene.spec |= {"workers": 3, "elastic": {"minWorkers": 2}}
    scene.made()
    scene.pod(0, "Running", ready=True)
    scene.chief_does(TrainerPhase.TRAINING)
    return scene


def test_an_elastic_job_that_trains_without_a_worker_is_running_and_says_with_how_many(
    elastic,
) -> None:
    elastic.pod(1, "Failed")
    elastic.pod(1, "Pending")
    elastic.pod(2, "Running", ready=True)
    assert phase(elastic) == "Running"
    conditions = {c["type"]: c for c in plan(elastic.seen()).status["conditions"]}
    assert conditions["Progressing"]["message"] == "2 of 3 workers train"
    assert conditions["PodsReady"]["status"] == "False"
    assert plan(elastic.seen()).status["summary"]["ready"] == "2/3"


def test_an_elastic_job_that_has_just_lost_a_worker_does_not_run(elastic) -> None:
    elastic.chief = elastic.chief.model_copy(update={"workers": 3})
    elastic.ended(1, 16)
    elastic.pod(2, "Running", ready=True)
    assert phase(elastic) == "Restarting"


def test_an_elastic_job_does_not_run_below_its_minimum_though_its_chief_is_silent(elastic) -> None:
    elastic.status = {"phase": "Running"}
    elastic.chief = None
    elastic.ended(1, 16)
    assert phase(elastic) == "Restarting"
    elastic.pod(2, "Running", ready=True)
    assert phase(elastic) == "Running"


def test_nothing_runs_without_its_chief(elastic) -> None:
    elastic.pods.clear()
    elastic.pod(1, "Running", ready=True)
    elastic.pod(2, "Running", ready=True)
    assert phase(elastic) == "Pending"


@pytest.mark.parametrize(
    ("condition", "expected"), [("Complete", "Succeeded"), ("Failed", "Failed")]
)
def test_the_end_of_the_indexed_job_is_the_end(scene, condition, expected) -> None:
    scene.made(condition)
    scene.pod(0, "Running", ready=True)
    assert phase(scene) == expected


def test_suspended_is_said_whatever_the_pods_do(scene) -> None:
    scene.made()
    scene.spec["runPolicy"] = {"suspend": True}
    scene.pod(0, "Running", ready=True)
    assert phase(scene) == "Suspended"
