"""The failures that a status keeps: each once, by its first cause, the newest last."""

import datetime

import pytest

from kubefit.api.contract import Cause, ExitCode, TrainerPhase
from kubefit.core.plan import plan

EVICTED = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}


def failures(scene) -> list[dict]:
    """Those that are kept after a pass, which is stored."""
    scene.status = plan(scene.seen()).status or scene.status
    return scene.status["failures"]


def restarted(scene, attempt: int, time: float, code=ExitCode.CRASHED, **more) -> None:
    """The agents have met again after a process of rank 1 had ended."""
    reason = "PeerLost" if code == ExitCode.PEER_LOST else "Crashed"
    words = {"message": f"killed {attempt}", "reason": reason, **more}
    cause = Cause(rank=1, exit_code=code, attempt=attempt, time=time, **words)
    scene.chief_does(TrainerPhase.TRAINING)
    change = {"restarts": attempt, "attempt": attempt + 1, "last_cause": cause}
    scene.chief = scene.chief.model_copy(update=change)


@pytest.fixture
def training(scene):
    """Two workers train."""
    scene.made()
    for rank in (0, 1):
        scene.pod(rank, "Running", ready=True)
    scene.chief_does(TrainerPhase.TRAINING)
    return scene


def test_a_failure_is_kept_with_time_attempt_rank_pod_reason_and_last_lines(training) -> None:
    restarted(training, 1, 20.7, details="\n".join(f"line {n}" for n in range(100)))
    (found,) = failures(training)
    assert found["details"].splitlines() == [f"line {n}" for n in range(80, 100)]
    del found["details"]
    assert found == {
        "time": "1970-01-01T00:00:20Z",
        "attempt": 1,
        "rank": 1,
        "pod": "digits-1-1",
        "reason": "Crashed",
        "exitCode": 16,
        "message": "rank 1 (pod digits-1-1): killed 1",
    }
    assert training.status["attempt"] == 2


def test_last_lines_have_a_bound_however_long_they_are(training) -> None:
    restarted(training, 1, 20.0, details="x" * 100_000)
    assert len(failures(training)[0]["details"]) == 1500


def test_the_last_five_are_kept_and_the_newest_is_the_failure(training) -> None:
    for attempt in range(1, 8):
        restarted(training, attempt, 20.0 * attempt)
        kept = failures(training)
    assert [failure["attempt"] for failure in kept] == [3, 4, 5, 6, 7]
    assert training.status["failure"] == kept[-1]


def test_a_later_attempt_is_later_whatever_the_clocks_of_the_nodes_say(training) -> None:
    restarted(training, 1, 100.0)
    failures(training)
    restarted(training, 2, 20.0)
    assert [failure["attempt"] for failure in failures(training)] == [1, 2]


def test_attempts_that_are_counted_anew_are_kept_too(training) -> None:
    restarted(training, 7, 100.0)
    failures(training)
    restarted(training, 1, 1000.0)
    assert [failure["attempt"] for failure in failures(training)] == [7, 1]


def test_they_outlive_pods_restarts_and_success(training) -> None:
    restarted(training, 1, 20.0)
    before = failures(training)
    training.pods.clear()
    training.chief = None
    assert failures(training) == before
    training.made("Complete")
    assert failures(training) == before
    assert "failure" not in training.status


def test_a_chief_that_does_not_answer_brings_no_old_failure_back(training) -> None:
    training.last_words(1, 16, "old", 5.0)
    training.pod(1, "Running", ready=True)
    failures(training)
    restarted(training, 2, 20.0)
    kept = failures(training)
    assert [failure["reason"] for failure in kept] == ["Said", "Crashed"]
    training.chief = None
    assert failures(training) == kept


def test_what_only_followed_gives_way_to_its_cause(training) -> None:
    training.last_words(0, 13, "worker 1 went away", 11.0)
    training.pods[-1]["status"]["containerStatuses"][0]["state"]["terminated"]["message"] = ""
    training.pods[-1]["metadata"]["creationTimestamp"] = "1970-01-01T00:00:00Z"
    changed = {"type": "Ready", "status": "False", "lastTransitionTime": "1970-01-01T00:00:11Z"}
    training.pods[-1]["status"]["conditions"] = [changed]
    assert [failure["reason"] for failure in failures(training)] == ["PeerLost"]
    training.ended(1, 137, finishedAt="1970-01-01T00:00:10Z")
    assert [failure["reason"] for failure in failures(training)] == ["Killed"]


def test_what_follows_from_a_kept_failure_is_no_failure_of_its_own(training) -> None:
    evicted = training.pods[1]
    evicted["metadata"]["deletionTimestamp"] = "1970-01-01T00:01:00Z"
    evicted["status"]["conditions"].append(
        {**EVICTED, "lastTransitionTime": "1970-01-01T00:00:30Z"}
    )
    assert [failure["reason"] for failure in failures(training)] == ["Evicted"]
    training.pods.remove(evicted)
    restarted(training, 1, 31.0, ExitCode.PEER_LOST)
    (kept,) = failures(training)
    assert (kept["reason"], kept["attempt"]) == ("Evicted", 1)


def test_pods_that_a_suspension_ends_have_not_failed(training) -> None:
    training.spec["runPolicy"] = {"suspend": True}
    training.last_words(1, 12, "the worker was told to stop", 20.0)
    assert failures(training) == []


def test_pods_that_a_smaller_job_no_longer_has_have_not_failed(training) -> None:
    training.spec["workers"] = 1
    training.last_words(1, 12, "the worker was told to stop", 20.0)
    assert failures(training) == []


def test_a_deadline_is_the_last_failure_whatever_came_before(training) -> None:
    restarted(training, 1, 20.0)
    failures(training)
    training.made("Failed")
    training.job["status"]["conditions"][0]["reason"] = "DeadlineExceeded"
    training.now += datetime.timedelta(seconds=5)
    kept = failures(training)
    assert [failure["reason"] for failure in kept] == ["Crashed", "DeadlineExceeded"]
    assert "spec.runPolicy.activeDeadlineSeconds" in training.status["failure"]["message"]
