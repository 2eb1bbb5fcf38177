"""A job that may do with fewer workers goes on without one, and takes it in again."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from shades import recipe, write_images

from kubefit.api.checkpoint import Checkpoint, Elastic
from kubefit.api.contract import ExitCode, RunConfig
from kubefit.api.recipe import Recipe
from kubefit.client.gang import HOST, Gang, free_ports

pytestmark = pytest.mark.train

DEADLINE_SECONDS = 300.0


class LateGang(Gang):
    """A gang whose last worker does not come by itself."""

    late = True

    def start(self, rank: int) -> None:
        if rank < self._config.workers - 1 or not self.late:
            super().start(rank)

    def ended(self):
        return [self._outcome(rank) for rank in self._agents if self._outcome(rank)]


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def job(tmp_path_factory) -> Path:
    """The folder of a job that began with two of three workers and ended with all."""
    volume = tmp_path_factory.mktemp("volume")
    write_images(volume / "train")
    config = RunConfig(
        namespace="ml",
        name="elastic",
        workers=3,
        hosts=HOST,
        agent_ports=free_ports(3),
        volume_dir=str(volume),
        job_dir=str(volume / "runs" / "elastic"),
        run="this",
        elastic=Elastic(min_workers=2, shrink_after_seconds=1),
        checkpoint=Checkpoint(memory_every_steps=5),
        recipe=Recipe.model_validate(recipe()),
    )
    folder = tmp_path_factory.mktemp("gang")
    with LateGang(config, folder=folder) as gang:

        def trains() -> bool:
            return any(s.report and s.report.step > 20 for s in statuses(gang))

        until(trains, "training by two")
        gang.late = False
        gang.start(2)
        until(lambda: len(gang.ended()) == 3, "the end")
        assert {outcome.exit_code for outcome in gang.ended()} == {ExitCode.SUCCESS}
    return Path(config.job_dir)


def statuses(gang: Gang) -> list:
    found = [gang._status(rank) for rank in gang._agents]
    return [status for status in found if status is not None]


def test_two_began_and_three_ended(job: Path) -> None:
    attempts = json.loads((job / "attempts.json").read_text())["attempts"]
    assert [attempt["size"] for attempt in attempts] == [2, 3]
    assert attempts[0]["cause"]["reason"] == "Preempted"
    assert not attempts[0]["charged"]
    assert attempts[1]["firstStep"] >= 20


def test_no_epoch_is_lost(job: Path) -> None:
    logs = sorted((job / "logs").glob("attempt-*/worker-0.log"))
    lines = [line for log in logs for line in log.read_text().splitlines()]
    epochs = [line.split()[0] for line in lines if line.startswith("epoch=")]
    assert list(dict.fromkeys(epochs)) == [f"epoch={n}/24" for n in range(1, 25)]
