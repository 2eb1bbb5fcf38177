"""A difference or a failure of one worker ends all of them, and says whose it was."""

import re
import signal
from pathlib import Path

import pytest

pytestmark = pytest.mark.train
SCENARIOS = Path(__file__).with_name("scenarios_failing.py")


@pytest.mark.parametrize(("scenario", "failed"), [("worker_fails", 1), ("chief_fails", 0)])
def test_every_worker_shows_the_failure_of_the_one_that_failed(failing_group, scenario, failed):
    codes, outputs = failing_group(SCENARIOS, workers=2, only=scenario)
    assert all(code not in (0, None) for code in codes), outputs
    assert f"deliberate failure of worker {failed}" in outputs[failed]
    assert "PeerFailedError" not in outputs[failed]
    other = outputs[1 - failed]
    assert "PeerFailedError" in other
    assert f"worker {failed} failed" in other
    assert f"deliberate failure of worker {failed}" in other
    assert "UnavailableError" not in other


def test_a_worker_that_leaves_in_the_middle_is_not_waited_for(failing_group):
    codes, outputs = failing_group(SCENARIOS, workers=2, only="worker_leaves")
    assert codes[0] not in (0, None), outputs
    # Either the ring of gradients notices it first or the watch over calls.
    assert re.search("worker 1 has ended (without a train step, which|while) worker 0", outputs[0])


@pytest.mark.parametrize(("scenario", "frozen"), [("worker_freezes", 1), ("chief_freezes", 0)])
def test_a_worker_that_freezes_ends_the_others(failing_group, scenario, frozen):
    # It would stay as it is for ever; so nobody waits for it when the other one has ended.
    codes, outputs = failing_group(SCENARIOS, workers=2, only=scenario, grace_seconds=0.5)
    assert codes[frozen] is None
    assert codes[1 - frozen] not in (0, None, -signal.SIGABRT), outputs[1 - frozen]
    assert "heartbeat" in outputs[1 - frozen].lower() or "no answer" in outputs[1 - frozen]


@pytest.mark.parametrize("scenario", ["pipeline_fails", "interrupted", "exits"])
def test_every_way_to_fail_on_one_worker_is_that_workers_failure(failing_group, scenario):
    codes, (chief, other) = failing_group(SCENARIOS, workers=2, only=scenario)
    assert all(code not in (0, None) for code in codes), chief
    assert "deliberate failure of worker 1" in other
    assert "PeerFailedError: worker 1 failed" in chief
    assert "deliberate failure of worker 1" in chief


@pytest.mark.parametrize(
    ("scenario", "waiting", "told"),
    [
        ("chief_alone", 0, "worker 1 has ended without fit, which worker 0 waits in"),
        ("other_alone", 1, "worker 0 has ended without fit, which worker 1 waits in"),
        ("saves_alone", 1, "worker 0 has ended without the saving of"),
        ("never_comes", 0, "worker 1 has not come to fit within 3 s"),
        ("more_variables", 0, "worker 1 is at the making of the variable kernel (number "),
        ("other_shapes", 1, "with another shape than another worker: [6,9] and [6,8]"),
        ("trains_alone", 0, "worker 1 has ended without train_on_batch, which worker 0 waits in"),
        ("tests_alone", 1, "worker 1 is at test_on_batch while worker 0 is at fit"),
        (
            "predicts_alone",
            0,
            "worker 1 is at train_on_batch while worker 0 is at predict_on_batch",
        ),
        ("reads_alone", 0, "worker 1 is at evaluate while worker 0 is at the reading of the state"),
        ("loops_longer", 0, "worker 1 has ended while worker 0 waits for its gradients"),
        ("evaluates_in_fit", 1, "worker 1 is at evaluate while worker 0 is at a train step"),
    ],
)
def test_what_only_one_worker_does_ends_all_with_a_sentence(failing_group, scenario, waiting, told):
    late = scenario == "never_comes"
    patience = {"KERAS_MULTIWORKER_PATIENCE_SECONDS": "3"} if late else {}
    codes, outputs = failing_group(SCENARIOS, workers=2, only=scenario, env=patience)
    assert all(code not in (0, None) for code in codes), outputs
    assert told in outputs[waiting]
    assert told in outputs[1 - waiting]


@pytest.mark.parametrize("scenario", ["chief_ends_first", "chief_ends_last"])
def test_a_worker_that_ends_earlier_takes_no_slower_one_down(failing_group, scenario):
    codes, outputs = failing_group(SCENARIOS, workers=2, only=scenario)
    assert codes == [0, 0], outputs
    slow = 1 if scenario == "chief_ends_first" else 0
    assert "worked alone to its end" in outputs[slow]
