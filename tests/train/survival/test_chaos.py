"""Thirty faults at random hit a job of four workers; it ends as if nothing had happened."""

import itertools
import json
import os
import random
import signal
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from faults import (
    AGENT,
    TRAINER,
    Faults,
    Statuses,
    When,
    epochs_of,
    process,
    steps_done,
    train,
    weights_of,
)

from kubefit.api.contract import AgentPhase
from kubefit.client.local import LocalResult

pytestmark = [pytest.mark.train, pytest.mark.timeout(1800)]

SEED, FAULTS, WORKERS, JOB = 30, 30, 4, "chaos"
POLICY = {"maxRestarts": 1000, "warmSpare": True}
FROZEN_SECONDS = 20.0
"""Longer than a member may be silent."""


def steps_later(count: int) -> When:
    """When training has gone on for so many steps, counted from the first look."""
    first: list[int] = []

    def come(statuses: Statuses) -> bool:
        done = steps_done(statuses)
        if done and not first:
            first.append(done)
        return bool(first) and done >= first[0] + count

    return come


def while_starting() -> When:
    """When trainers of an attempt are there and none trains; if that was missed, a bit later."""
    missed = steps_later(5)

    def come(statuses: Statuses) -> bool:
        running = [s for s in statuses if s.phase is AgentPhase.RUNNING]
        starting = len(running) == WORKERS and not steps_done(statuses)
        return starting or missed(statuses)

    return come


def signalled(module: str | tuple[str, ...], ranks: list[int], number: int) -> None:
    for pid in [process(module, rank, JOB) for rank in ranks]:
        os.kill(pid, number)


def frozen(rank: int) -> None:
    """Stops an agent; when it may run again, the others have long gone on without it."""
    pid = process(AGENT, rank, JOB)
    os.kill(pid, signal.SIGSTOP)
    threading.Timer(FROZEN_SECONDS, os.kill, (pid, signal.SIGCONT)).start()


def damaged(volume: Path) -> None:
    """Damages the newest checkpoint of the volume, and kills all agents and their memory."""
    kept = sorted((volume / "runs" / JOB / "checkpoints").glob("*.npz"))
    if not kept:
        raise LookupError("no checkpoint yet")
    content = bytearray(kept[-1].read_bytes())
    content[len(content) // 2] ^= 0xFF
    kept[-1].write_bytes(content)
    signalled(AGENT, list(range(WORKERS)), signal.SIGKILL)


def plan(volume: Path) -> list[tuple[When, Callable[[], None]]]:
    """Faults of every kind in a random order, most of them while an attempt starts."""
    chance = random.Random(SEED)

    def one(module: str | tuple[str, ...], number: int, ranks: int = 1) -> Callable[[], None]:
        return partial(signalled, module, chance.sample(range(WORKERS), ranks), number)

    faults = [one(TRAINER, signal.SIGKILL) for _ in range(15)]
    faults += [one(TRAINER, signal.SIGKILL, ranks) for ranks in (2, 3, 4)]
    faults += [one(TRAINER, signal.SIGTERM)]
    faults += [one(TRAINER, signal.SIGSTOP) for _ in range(2)]
    faults += [one(AGENT, signal.SIGKILL) for _ in range(3)]
    faults += [one(AGENT, signal.SIGTERM) for _ in range(3)]
    faults += [partial(frozen, rank) for rank in (0, 2)]
    chance.shuffle(faults)
    # Near the end: steps that are done again are no progress, and without it pauses grow.
    faults.insert(-2, partial(damaged, volume))
    moments = [
        while_starting() if i % 3 else steps_later(chance.randrange(8)) for i in range(FAULTS)
    ]
    return list(zip(moments, faults, strict=True))


@pytest.fixture(scope="module")
def undisturbed(volume: Path) -> LocalResult:
    return train(volume, "undisturbed", workers=WORKERS, **POLICY)


@pytest.fixture(scope="module")
def disturbed(volume: Path) -> tuple[LocalResult, Faults]:
    faults = Faults(plan(volume))
    return train(volume, JOB, faults, workers=WORKERS, **POLICY), faults


def test_all_faults_have_happened(disturbed) -> None:
    _, faults = disturbed
    assert faults.happened == FAULTS


def test_the_weights_are_those_of_an_undisturbed_run_to_the_last_bit(
    undisturbed, disturbed
) -> None:
    assert weights_of(disturbed[0].job_dir) == weights_of(undisturbed.job_dir)


def test_every_epoch_has_the_numbers_of_an_undisturbed_run(undisturbed, disturbed) -> None:
    expected = epochs_of(undisturbed.job_dir)
    assert set(epochs_of(disturbed[0].job_dir)) == set(expected)


def test_no_two_generations_ran_at_a_time(disturbed) -> None:
    told = json.loads((disturbed[0].job_dir / "attempts.json").read_text())["attempts"]
    for before, after in itertools.pairwise(told):
        assert before["number"] < after["number"]
        assert before["ended"] <= after["began"]


@pytest.mark.parametrize("module", [AGENT, TRAINER])
def test_no_process_is_left(disturbed, module) -> None:
    for rank in range(WORKERS):
        with pytest.raises(LookupError):
            process(module, rank, JOB)
