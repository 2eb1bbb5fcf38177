"""The condition Checkpointed."""

from kubefit.api.contract import CheckpointReport, TrainerPhase
from kubefit.core.plan import plan


def _checkpointed(scene) -> dict[str, str]:
    decided = plan(scene.seen())
    scene.status = decided.status or scene.status
    (found,) = [c for c in scene.status["conditions"] if c["type"] == "Checkpointed"]
    return found


def _tells(scene, failing: str) -> None:
    scene.chief_does(TrainerPhase.TRAINING)
    told = CheckpointReport(step=3, time=1.0, seconds=0.1, size=9, failing=failing)
    report = scene.chief.report.model_copy(update={"checkpoint": told})
    scene.chief = scene.chief.model_copy(update={"report": report})


def test_what_is_known_of_checkpoints_outlives_a_restart(scene) -> None:
    scene.made()
    failing = "no checkpoint can be written to /mnt/kubefit: No space left on device"
    _tells(scene, failing)
    before = _checkpointed(scene)
    assert (before["status"], before["message"]) == ("False", failing)
    scene.chief_does(TrainerPhase.STARTING)
    assert _checkpointed(scene) == before


def test_a_job_that_waits_to_be_made_anew_keeps_what_is_known_of_it(scene) -> None:
    scene.made()
    for rank in range(2):
        scene.pod(rank, "Running", ready=True)
    scene.last_words(1, 16, "killed", 5.0)
    _tells(scene, "")
    before = _checkpointed(scene)
    failure = scene.status["failure"]
    scene.job, scene.chief, scene.leftovers = None, None, ("digits-0-0",)
    scene.pods.clear()
    assert _checkpointed(scene) == before
    assert scene.status["failure"] == failure
    said = {c["type"]: (c["status"], c["reason"]) for c in scene.status["conditions"]}
    del said["Checkpointed"]
    assert set(said.values()) == {("False", "NameInUse")}
    assert set(said) == {"Accepted", "PodsReady", "Progressing"}
