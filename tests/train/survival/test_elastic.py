"""A job that may do with fewer workers goes on without one, and takes it in again.

Its numbers are those of one worker alone.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from faults import arrays_of, epochs_of, train
from shades import EPOCHS, recipe

from kubefit.api.checkpoint import Checkpoint, Elastic
from kubefit.api.contract import ExitCode, RunConfig
from kubefit.api.recipe import Recipe
from kubefit.client.gang import HOST, Gang, free_ports

pytestmark = pytest.mark.train

DEADLINE_SECONDS = 300.0
BLOCKS = ({"conv": 4}, {"globalPool": True})
"""Layers whose numbers do not depend on how a batch is cut."""


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
def alone(volume: Path) -> Path:
    """The folder of the same training by one worker."""
    return train(volume, "alone", workers=1, blocks=BLOCKS).job_dir


@pytest.fixture(scope="module")
def job(volume: Path, tmp_path_factory) -> Path:
    """The folder of a job that began with two of three workers and ended with all."""
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
        recipe=Recipe.model_validate(recipe(BLOCKS)),
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


def test_every_epoch_has_the_numbers_of_one_worker(job: Path, alone: Path) -> None:
    expected = numbers(alone)
    assert list(expected) == [f"{n}/{EPOCHS}" for n in range(1, EPOCHS + 1)]
    found = numbers(job)
    assert list(found) == list(expected)
    for epoch, values in expected.items():
        assert set(found[epoch]) == set(values)
        for name, value in values.items():
            np.testing.assert_allclose(found[epoch][name], value, rtol=1e-3, err_msg=name)


def test_the_weights_are_those_of_one_worker(job: Path, alone: Path) -> None:
    expected, found = arrays_of(alone), arrays_of(job)
    assert set(found) == set(expected)
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-3, atol=1e-4, err_msg=name)


def numbers(job: Path) -> dict[str, dict[str, float]]:
    """What the chief has printed of each epoch; of one that was done twice, the last."""
    lines = [dict(word.split("=") for word in line.split()) for line in epochs_of(job)]
    return {
        line["epoch"]: {name: float(value) for name, value in line.items() if name != "epoch"}
        for line in lines
    }
