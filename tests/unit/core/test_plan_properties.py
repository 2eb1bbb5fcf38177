"""What holds of the operator's decision for every world it may see."""

from hypothesis import given
from hypothesis import strategies as st

from kubefit.api.contract import ExitCode, TrainerPhase
from kubefit.api.errors import read_job
from kubefit.core.desired import APPLIED, digest
from kubefit.core.plan import plan

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
        "made": st.booleans(),
    }
)


def show(scene, world, status):
    """The scene of a world, with the status that earlier passes have stored."""
    scene.spec["workers"] = 3
    scene.spec["runPolicy"] = {"suspend": world["suspend"]}
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
        scene.job["metadata"]["annotations"][APPLIED] = digest(read_job(scene.seen().resource))
    return scene.seen()


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
        assert status.get("restarts", 0) >= before.get("restarts", 0)


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
