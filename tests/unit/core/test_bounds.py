"""No status grows with what a program, a kubelet or the API server says."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from kubefit.api.contract import (
    AgentPhase,
    Cause,
    CheckpointReport,
    TrainerPhase,
    TrainerReport,
    WorkerStatus,
)
from kubefit.core.plan import plan

MOST_BYTES = 200_000
"""Far less than the 1.5 MiB that etcd takes."""
_ALPHABET = st.characters(exclude_categories=["Cs"])
TEXT = st.builds(
    lambda text, times: text * times,
    st.text(_ALPHABET, min_size=1, max_size=8),
    st.sampled_from([0, 1, 200, 50_000]),
)
METRICS = st.builds(
    lambda name, count: {f"{name}{i}": float(i) for i in range(count)},
    TEXT,
    st.sampled_from([0, 3, 1000]),
)


@settings(max_examples=30, deadline=None)
@given(said=TEXT, reason=TEXT, details=TEXT, metrics=METRICS, refusal=TEXT)
def test_a_status_is_bounded_valid_and_settles(
    new_scene, said, reason, details, metrics, refusal
) -> None:
    scene = new_scene()
    scene.made()
    scene.pod(0, "Running", ready=True)
    scene.ended(1, 1, said, reason=reason)
    scene.refusal = refusal
    report = TrainerReport(
        phase=TrainerPhase.TRAINING,
        metrics=metrics,
        evaluation=metrics,
        warnings=[said] * 100,
        checkpoint=CheckpointReport(step=1, time=0.0, seconds=1.0, size=1, failing=said),
        updated=0.0,
    )
    cause = Cause(rank=0, exit_code=16, reason=reason, message=said, details=details, time=1.0)
    scene.chief = WorkerStatus(
        rank=0,
        workers=2,
        attempt=2,
        phase=AgentPhase.WAITING,
        waiting_for=said,
        last_cause=cause,
        report=report,
    )
    decided = plan(scene.seen())
    wire = json.dumps(decided.status, ensure_ascii=False).encode()
    assert len(wire) < MOST_BYTES
    assert decided.event is None or len(decided.event.message) <= 1024
    scene.status = decided.status
    assert plan(scene.seen()).status is None


def test_a_long_sentence_is_cut_between_characters_and_says_so(scene) -> None:
    scene.refusal = "😀" * 5000
    status = plan(scene.seen()).status
    (accepted,) = [one for one in status["conditions"] if one["type"] == "Accepted"]
    assert accepted["message"] == "😀" * 1023 + "…"
