"""What keeps pods from being ready, told for the lowest rank that has trouble."""

from kubefit.core.diagnose import not_ready


def test_pods_without_trouble_say_nothing(scene) -> None:
    scene.pod(0, "Running", ready=True)
    waiting = {"name": "trainer", "state": {"waiting": {"reason": "ContainerCreating"}}}
    scene.pod(1, "Pending", containerStatuses=[waiting])
    assert not_ready(scene.pods) is None


def test_only_the_latest_pod_of_a_rank_counts(scene) -> None:
    condition = {"type": "PodScheduled", "status": "False", "message": "no"}
    scene.pod(0, "Failed", conditions=[condition])
    scene.pod(0, "Running", ready=True)
    assert not_ready(scene.pods) is None


def test_fetching_is_told(scene) -> None:
    running = {"name": "fetch", "state": {"running": {}}}
    waiting = {"name": "trainer", "state": {"waiting": {"reason": "PodInitializing"}}}
    scene.pod(0, "Pending", initContainerStatuses=[running], containerStatuses=[waiting])
    assert not_ready(scene.pods) == (
        "Fetching",
        "rank 0 (pod digits-0-0): spec.fetch is carried out",
    )
