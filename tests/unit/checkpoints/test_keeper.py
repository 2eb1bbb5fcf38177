"""Snapshots reach memory and volume, or it is told why not; the thread outlives every fault."""

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kubefit.api.checkpoint import Checkpoint
from kubefit.api.contract import CheckpointReport
from kubefit_trainer.checkpoints import snapshot as snapshots
from kubefit_trainer.checkpoints import store
from kubefit_trainer.checkpoints.keeper import Keeper
from kubefit_trainer.checkpoints.snapshot import Place, Snapshot
from kubefit_trainer.failure import ConfigurationError


@dataclass
class Kept:
    """A keeper of two folders, its clock and what it has told."""

    memory: Path
    volume: Path
    settings: dict[str, Any] = field(default_factory=dict)
    now: float = 0.0
    told: list[CheckpointReport] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.keeper = Keeper(
            Checkpoint(**self.settings),
            memory=self.memory,
            volume=self.volume,
            tell=self.told.append,
            clock=lambda: self.now,
        )

    def keep(self, snapshot: Snapshot, **asked: bool) -> None:
        self.keeper.keep(snapshot, **asked)
        self.keeper.flush()


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "memory", tmp_path / "volume")


def at(step: int, *, model: int = 0, ended: bool = False, **more: Any) -> Snapshot:
    place = Place(fit=0, model=model, epoch=0, step=step, ended=ended)
    return Snapshot(place=place, arrays={"model/0": np.full(3, step, np.float32)}, **more)


def steps(folder: Path) -> list[int]:
    return [saved.step for saved in store.found(folder)]


def test_what_is_kept_is_read_back(kept: Kept) -> None:
    kept.keep(at(7), checkpoint=True)
    (saved,) = store.found(kept.volume)
    read = snapshots.read(saved.path)
    assert read.place.step == 7
    np.testing.assert_array_equal(read.arrays["model/0"], [7, 7, 7])
    assert kept.told[-1].step == 7


def test_only_what_is_due_goes_to_the_volume(kept: Kept) -> None:
    for step in (1, 2, 3):
        kept.keep(at(step))
    assert steps(kept.memory) == [3, 2]
    assert steps(kept.volume) == []
    kept.now = 600.0
    kept.keep(at(4))
    assert steps(kept.volume) == [4]


def test_the_end_of_a_model_waits_for_its_turn_while_later_ones_replace_each_other(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing, go_on = threading.Event(), threading.Event()
    write = snapshots.write

    def slow(snapshot: Snapshot, folder: Path) -> Path:
        writing.set()
        go_on.wait()
        return write(snapshot, folder)

    monkeypatch.setattr(snapshots, "write", slow)
    kept.keeper.keep(at(1))
    writing.wait()
    kept.keeper.keep(at(2, ended=True), checkpoint=True)
    for step in (3, 4, 5):
        kept.keeper.keep(at(step, model=1))
    go_on.set()
    kept.keeper.flush()
    assert [(saved.step, saved.model) for saved in store.found(kept.volume)] == [(2, 0)]
    assert steps(kept.memory) == [5, 2, 1]


def test_a_volume_that_cannot_be_written_is_told_and_ends_training_only_after_a_while(
    kept: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    kept.volume.write_text("in the way")
    kept.keep(at(1), checkpoint=True)
    kept.now = 1799.0
    kept.keep(at(2), checkpoint=True)
    assert capsys.readouterr().err.count(str(kept.volume)) == 1
    assert str(kept.volume) in kept.told[-1].failing
    kept.now = 1800.0
    kept.keep(at(3), checkpoint=True)
    with pytest.raises(ConfigurationError, match=r"failAfterSeconds"):
        kept.keep(at(4))


def test_a_volume_that_cannot_be_written_is_not_tried_at_every_snapshot(kept: Kept) -> None:
    kept.volume.write_text("in the way")
    kept.now = 600.0
    kept.keep(at(1))
    kept.volume.unlink()
    kept.now = 610.0
    kept.keep(at(2))
    assert steps(kept.volume) == []
    kept.now = 630.0
    kept.keep(at(3))
    assert steps(kept.volume) == [3]


def test_a_volume_that_can_be_written_again_is_told(kept: Kept) -> None:
    kept.volume.write_text("in the way")
    kept.keep(at(1), checkpoint=True)
    kept.volume.unlink()
    kept.keep(at(2), checkpoint=True)
    assert kept.told[-1].failing == ""
    assert steps(kept.volume) == [2]


def test_memory_that_is_full_does_not_keep_checkpoints_from_the_volume(kept: Kept) -> None:
    kept.memory.write_text("in the way")
    kept.keep(at(1), checkpoint=True)
    assert steps(kept.volume) == [1]


def test_a_snapshot_that_no_file_can_hold_is_told_and_the_next_one_is_written(
    kept: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    kept.keep(at(1, found={"rate": object()}), checkpoint=True)
    assert "step 1" in capsys.readouterr().err
    assert "step 1" in kept.told[-1].failing
    kept.keep(at(2), checkpoint=True)
    assert steps(kept.volume) == [2]


def test_a_grace_period_that_is_shorter_than_a_checkpoint_takes_is_told_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter(range(0, 1000, 40))
    keeper = Keeper(
        Checkpoint(),
        memory=None,
        volume=tmp_path,
        grace_seconds=30,
        clock=lambda: float(next(clock)),
    )
    for step in (1, 2):
        keeper.keep(at(step), checkpoint=True)
        keeper.flush()
    said = capsys.readouterr().err
    assert said.count("a checkpoint took") == 1
    assert "40 s, and a pod that is told to stop has 30 s" in said
    assert "raise terminationGracePeriodSeconds" in said


def test_a_checkpoint_that_is_wanted_soon_is_taken_after_the_next_step(kept: Kept) -> None:
    assert not kept.keeper.due(1)
    kept.keeper.soon()
    assert kept.keeper.due(1)
    assert not kept.keeper.due(2)
    kept.keep(at(2))
    assert steps(kept.volume) == [2]
    kept.keep(at(3))
    assert steps(kept.volume) == [2]
