"""The cause of a failure is the failure that came first, not one that followed from it."""

from kubefit.api.contract import Outcome
from kubefit.core.causes import first_cause


def cause(scene):
    return first_cause(tuple(scene.pods))


def test_pods_that_have_not_failed_have_no_cause(scene) -> None:
    scene.pod(0, "Running", ready=True)
    scene.ended(1, 0)
    assert cause(scene) is None


def test_the_earliest_of_two_failures_is_the_cause(scene) -> None:
    scene.last_words(0, 16, "late", 20.0)
    scene.last_words(1, 16, "early", 10.0)
    found = cause(scene)
    assert (found.rank, found.message) == (1, "rank 1 (pod digits-1-1): early")


def test_a_lost_peer_never_hides_the_one_that_left(scene) -> None:
    scene.last_words(0, 13, "worker 1 went away", 10.0)
    scene.last_words(1, 10, "ValueError: no", 20.0)
    found = cause(scene)
    assert (found.rank, found.exit_code) == (1, 10)


def test_a_wrong_field_is_named_first(scene) -> None:
    scene.last_words(0, 11, "spec.recipe.data.train.folder: /mnt/x does not exist", 1.0)
    assert cause(scene).message == "spec.recipe.data.train.folder: /mnt/x does not exist"


def test_what_could_not_be_fetched_is_told_in_the_words_of_the_container_that_tried(scene) -> None:
    sentence = "spec.fetch[0].from: there is no s3://pets/none"
    words = Outcome(rank=0, exit_code=11, reason="ConfigurationError", message=sentence, ended=1.0)
    state = {"terminated": {"exitCode": 11, "message": words.model_dump_json(by_alias=True)}}
    waiting = {"name": "trainer", "state": {"waiting": {"reason": "PodInitializing"}}}
    scene.pod(
        0,
        "Failed",
        initContainerStatuses=[{"name": "fetch", "state": state}],
        containerStatuses=[waiting],
    )
    found = cause(scene)
    assert (found.message, found.exit_code) == (sentence, 11)


def test_a_container_that_has_fetched_hides_no_failure_of_the_trainer(scene) -> None:
    pod = scene.last_words(0, 10, "ValueError: no", 20.0)
    fetched = {"name": "fetch", "state": {"terminated": {"exitCode": 0}}}
    pod["status"]["initContainerStatuses"] = [fetched]
    assert cause(scene).message == "rank 0 (pod digits-0-0): ValueError: no"


def test_a_signal_has_its_name(scene) -> None:
    scene.ended(0, 137)
    assert "SIGKILL" in cause(scene).message


def test_an_exit_code_of_the_table_speaks_without_last_words(scene) -> None:
    scene.ended(0, 12)
    assert cause(scene).reason == "Preempted"


def test_a_pod_that_was_taken_away_is_the_cause_though_it_had_time_to_say_that_it_stops(
    scene,
) -> None:
    scene.last_words(0, 13, "worker 1 went away", 10.0)
    marked = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
    scene.last_words(1, 12, "told to stop", 11.0)["status"]["conditions"].append(marked)
    found = cause(scene)
    assert (found.reason, found.rank, found.exit_code) == ("Evicted", 1, 12)


def test_an_error_of_the_program_is_not_hidden_by_an_eviction(scene) -> None:
    marked = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
    scene.last_words(1, 10, "ValueError: no", 11.0)["status"]["conditions"].append(marked)
    assert cause(scene).message.endswith("ValueError: no")


def test_the_end_of_a_pod_without_last_words_is_when_its_conditions_changed(scene) -> None:
    scene.last_words(0, 16, "late", 20.0)
    changed = {"type": "ContainersReady", "status": "False"}
    changed["lastTransitionTime"] = "1970-01-01T00:00:10Z"
    scene.pod(1, "Failed", reason="NodeLost", conditions=[changed])
    assert cause(scene).rank == 1


def test_a_code_that_is_no_signal_is_told_as_a_number(scene) -> None:
    scene.ended(0, 255)
    assert "signal 127" in cause(scene).message


def test_the_cause_is_that_of_the_last_attempt(scene) -> None:
    scene.last_words(1, 16, "first attempt", 0.5)
    scene.pod(1, "Running", ready=True)
    scene.last_words(0, 10, "second attempt", 20.0)
    assert cause(scene).message == "rank 0 (pod digits-0-2): second attempt"


def test_a_replacement_that_lost_its_peers_does_not_hide_why_it_was_made(scene) -> None:
    scene.last_words(1, 16, "crashed", 0.5)
    scene.last_words(1, 13, "worker 0 went away", 20.0)
    assert cause(scene).message == "rank 1 (pod digits-1-0): crashed"


def test_a_failed_pod_whose_trainer_ended_well_is_not_told_as_a_success(scene) -> None:
    pod = scene.ended(0, 0)
    pod["status"]["phase"] = "Failed"
    assert cause(scene).reason == "PodFailed"


def test_what_ended_before_it_was_made_by_the_clock_of_its_node_is_told_all_the_same(scene) -> None:
    for rank in (0, 1):
        scene.last_words(rank, 13, "worker 2 went away", -600.0)
    assert cause(scene).message == "rank 0 (pod digits-0-0): worker 2 went away"
