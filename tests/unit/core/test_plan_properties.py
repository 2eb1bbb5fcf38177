"""What holds of the operator's decision for every world it may see."""

import datetime

from hypothesis import given
from hypothesis import strategies as st

from kubefit.api.contract import ExitCode, TrainerPhase
from kubefit.api.errors import read_job
from kubefit.core.desired import desired, digest
from kubefit.core.phase import in_place
from kubefit.core.plan import Plan, plan

POD = st.one_of(
    st.tuples(st.just("Pending"), st.just(False)),
    st.tuples(st.just("Running"), st.booleans()),
    st.tuples(st.just("Succeeded"), st.just(False)),
    st.sampled_from(list(ExitCode)[1:]).map(lambda code: ("Failed", code)),
)
WORLD = st.fixed_dictionaries(
    {
        "pods": st.lists(st.tuples(st.integers(0, 2), POD), max_size=6),
        "chief": st.none() | st.sampled_from(TrainerPhase),
        "ended": st.sampled_from([(), (), (), ("Complete",), ("Failed",)]),
        "failed": st.integers(0, 4),
        "claim": st.booleans(),
        "suspend": st.booleans(),
        "live": st.none() | st.integers(0, 100),
        "start": st.none() | st.integers(1, 100),
        "refused": st.booleans(),
        "queued": st.booleans(),
        "made": st.booleans(),
    }
)


def show(scene, world, status):
    """The scene of a world, with the status that earlier passes have stored."""
    scene.spec["workers"] = 3
    scene.spec["runPolicy"] = {"suspend": world["suspend"]}
    if world["live"] is not None:
        scene.spec["runPolicy"]["ttlSecondsAfterFinished"] = world["live"]
    if world["start"] is not None:
        scene.spec["runPolicy"]["startDeadlineSeconds"] = world["start"]
    scene.status = status
    scene.claim = world["claim"]
    for rank, (phase, detail) in world["pods"]:
        if phase == "Failed":
            scene.last_words(rank, int(detail), "why", float(len(scene.pods)))
        else:
            scene.pod(rank, phase, ready=bool(detail))
    if world["chief"]:
        scene.chief_does(world["chief"])
    if world["made"]:
        scene.made(*world["ended"], failed=world["failed"])
        scene.job["spec"] = {"suspend": world["queued"]}
        job = read_job(scene.seen().resource)
        *_, made = desired(job, scene.defaults, spec_digest=digest(job))
        scene.job["metadata"]["annotations"] = dict(made["metadata"]["annotations"])
    scene.refusal = "quota exceeded" if world["refused"] else ""
    return scene.seen()


def carry_out(scene, decided):
    """What the world is like once a plan has been carried out, and nothing else has happened."""
    if any(body["kind"] == "Job" for body in decided.remove):
        scene.job = None
    for body in decided.apply:
        if body["kind"] == "Job":
            body["metadata"]["uid"] = "job"
            scene.job = body
    if decided.change is not None:
        scene.job["metadata"]["annotations"] |= decided.change["metadata"].get("annotations", {})
        scene.job["spec"] = scene.job.get("spec", {}) | decided.change["spec"]
    if decided.status is not None:
        scene.status = decided.status


@given(worlds=st.lists(WORLD, min_size=1, max_size=5))
def test_whatever_comes_passes_settle_ends_stay_and_counts_only_grow(new_scene, worlds) -> None:
    status: dict = {}
    for world in worlds:
        before = status
        decided = plan(show(new_scene(), world, before))
        assert plan(show(new_scene(), world, before)) == decided
        status = before if decided.status is None else decided.status
        again = plan(show(new_scene(), world, status))
        assert (again.status, again.event, dict(again.finished)) == (None, None, {})
        if before.get("phase") in ("Succeeded", "Failed"):
            assert status == before
            assert (decided.apply, decided.change) == ((), None)
            assert not decided.remove or before["phase"] == "Failed"
        assert status.get("restarts", 0) >= before.get("restarts", 0)


@given(worlds=st.lists(WORLD, min_size=1, max_size=12))
def test_at_most_five_failures_are_kept_and_only_the_last_of_them_changes(
    new_scene, worlds
) -> None:
    kept: list = []
    status: dict = {}
    for world in worlds:
        status = plan(show(new_scene(), world, status)).status or status
        before, kept = kept, status["failures"]
        assert len(kept) <= 5
        assert len(kept) >= len(before)
        settled = before[:-1] if len(kept) == len(before) < 5 else before[1:-1]
        assert [failure for failure in settled if failure not in kept] == []


@given(world=WORLD)
def test_running_is_never_said_while_a_rank_has_no_pod(new_scene, world) -> None:
    observed = show(new_scene(), world, {})
    if str(plan(observed).phase) == "Running":
        assert {rank for rank, _ in world["pods"]} == {0, 1, 2}


@given(world=WORLD)
def test_a_failed_job_always_says_why(new_scene, world) -> None:
    status = plan(show(new_scene(), world, {})).status
    if status is not None and status["phase"] == "Failed":
        (failed,) = [c for c in status["conditions"] if c["type"] == "Failed"]
        assert failed["reason"]
        assert failed["message"] == status["failure"]["message"]


@given(world=WORLD)
def test_nothing_is_made_for_a_job_that_is_not_accepted(new_scene, world) -> None:
    decided = plan(show(new_scene(), world, {}))
    if decided.status is not None:
        (accepted,) = [c for c in decided.status["conditions"] if c["type"] == "Accepted"]
        assert accepted["status"] == "True" or (decided.apply, decided.change) == ((), None)


@given(worlds=st.lists(WORLD, min_size=1, max_size=3))
def test_a_plan_that_was_carried_out_leaves_nothing_to_do(new_scene, worlds) -> None:
    status: dict = {}
    for world in worlds:
        scene = new_scene()
        decided = plan(show(scene, world, status))
        carry_out(scene, decided)
        scene.refusal = ""
        status = scene.status
        again = plan(scene.seen())
        if world["refused"]:  # so that nothing was written, and all is now
            carry_out(scene, again)
            status = scene.status
            again = plan(scene.seen())
        assert (again.apply, again.change, again.remove, again.secret) == ((), None, (), None)
        assert (again.status, again.event) == (None, None)


@given(world=WORLD)
def test_a_job_that_ends_is_looked_at_again_when_its_time_to_live_is_over(new_scene, world) -> None:
    scene = new_scene()
    decided = plan(show(scene, world, {}))
    carry_out(scene, decided)
    if decided.phase in ("Succeeded", "Failed") and world["live"] is not None:
        assert decided.requeue_after is not None
        assert 0 <= decided.requeue_after <= world["live"]
        scene.now += datetime.timedelta(seconds=world["live"])
        assert plan(scene.seen()).delete
    elif decided.phase in ("Succeeded", "Failed"):
        assert decided.requeue_after is None or world["refused"]


@given(world=WORLD, later=st.integers(0, 120))
def test_a_job_ends_at_its_start_deadline_unless_it_may_train_or_rests(
    new_scene, world, later
) -> None:
    scene = new_scene()
    decided = plan(show(scene, world, {}))
    carry_out(scene, decided)
    waits = "waitStartTime" in scene.status
    seen = scene.seen()
    unheard = seen.chief is None and in_place(read_job(seen.resource), seen)
    scene.now += datetime.timedelta(seconds=later)
    if waits and not unheard and world["start"] is not None:
        assert decided.requeue_after <= world["start"]
        assert (plan(scene.seen()).phase == "Failed") == (later >= world["start"])
    elif decided.phase not in ("Succeeded", "Failed"):
        assert plan(scene.seen()).phase == decided.phase


@given(world=WORLD)
def test_a_job_that_is_not_over_is_looked_at_again_unless_it_rests(new_scene, world) -> None:
    decided = plan(show(new_scene(), world, {}))
    if decided.phase not in ("Succeeded", "Failed", "Suspended", "Queued"):
        assert decided.requeue_after is not None
        assert 0 < decided.requeue_after <= 30


@given(world=WORLD, creates=st.booleans(), tensorboard=st.booleans())
def test_whatever_is_written_is_the_jobs_own(new_scene, world, creates, tensorboard) -> None:
    scene = new_scene()
    if creates:
        claim = {"size": "1Gi", "deletionPolicy": "Delete"}
        scene.spec["storage"] = {"create": claim}
    scene.spec["tensorboard"] = {"enabled": tensorboard}
    decided = plan(show(scene, world, {}))
    changed = [decided.change] if decided.change else []
    made = [*decided.apply, *([decided.secret] if decided.secret else [])]
    for body in (*made, *decided.remove, *changed):
        assert body["metadata"]["namespace"] == "team"
        assert body["metadata"]["name"].split("-")[0] == "digits"
    for body in made:
        (owner,) = body["metadata"]["ownerReferences"]
        assert (owner["uid"], owner["controller"]) == ("owner", True)


@given(world=WORLD)
def test_a_job_that_exists_is_never_told_to_start_or_to_stop(new_scene, world) -> None:
    decided = plan(show(new_scene(), world, {}))
    assert "suspend" not in ((decided.change or {}).get("spec") or {})
    assert all(body["kind"] != "Job" for body in decided.apply) or not world["made"]


@given(world=WORLD)
def test_a_job_of_another_controller_is_left_alone(new_scene, world) -> None:
    scene = new_scene()
    observed = show(scene, world, {"phase": "Succeeded"} if world["ended"] else {})
    scene.spec["managedBy"] = "example.org/elsewhere"
    assert plan(observed) == Plan()


@given(world=WORLD)
def test_a_suspended_job_that_is_not_over_has_no_indexed_job(new_scene, world) -> None:
    decided = plan(show(new_scene(), world, {}))
    if str(decided.phase) == "Suspended":
        assert all(body["kind"] != "Job" for body in decided.apply)
        stops = world["made"] and not world["refused"]
        assert [body["kind"] for body in decided.remove] == ["Job"] * stops
