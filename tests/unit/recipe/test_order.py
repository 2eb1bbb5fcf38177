import itertools

import numpy as np
import pytest

from kubefit_trainer.images.randomness import Stream, permutation, uniforms
from kubefit_trainer.recipe import order
from kubefit_trainer.recipe.order import Shard


def one_pass(shards: list[Shard], samples: np.ndarray, *, seed: int, batch: int, epoch: int):
    """Ids that each shard gets, step by step, in that pass."""
    stream = order.training_stream(samples, seed=seed, global_batch=batch)
    steps = order.steps(len(samples), batch)
    for _, ids in itertools.islice(stream, epoch * steps, (epoch + 1) * steps):
        yield [list(part) for shard in shards for part in shard.parts(ids)]


@pytest.mark.parametrize("workers", [1, 2, 3, 5])
@pytest.mark.parametrize(("samples", "batch"), [(32, 8), (33, 8), (31, 8), (7, 8), (30, 7)])
def test_every_sample_is_seen_once_a_pass(workers: int, samples: int, batch: int) -> None:
    ids = np.arange(samples) * 10
    shards = [Shard(rank=r, workers=workers) for r in range(workers)]
    for epoch in range(3):
        seen = [
            i
            for step in one_pass(shards, ids, seed=1, batch=batch, epoch=epoch)
            for part in step
            for i in part
        ]
        assert sorted(seen) == list(ids)


@pytest.mark.parametrize("workers", [2, 3, 4])
def test_global_batches_hold_the_same_samples_on_any_number_of_workers(workers: int) -> None:
    ids = np.arange(50)
    alone = list(one_pass([Shard(rank=0, workers=1)], ids, seed=4, batch=12, epoch=1))
    shards = [Shard(rank=r, workers=workers) for r in range(workers)]
    together = list(one_pass(shards, ids, seed=4, batch=12, epoch=1))
    joined = [sorted(i for part in step for i in part) for step in together]
    assert joined == [sorted(step[0]) for step in alone]


def test_all_workers_have_the_same_number_of_steps_though_rows_run_out() -> None:
    shards = [Shard(rank=r, workers=4) for r in range(4)]
    *_, last = one_pass(shards, np.arange(9), seed=0, batch=8, epoch=0)
    assert [len(part) for part in last] == [1, 0, 0, 0]


def test_replicas_of_a_worker_share_its_rows() -> None:
    batch = np.arange(10)
    parts = [p for r in range(2) for p in Shard(rank=r, workers=2, replicas=2).parts(batch)]
    assert len(parts) == 4
    assert sorted(np.concatenate(parts)) == list(batch)


def test_order_is_a_function_of_seed_and_pass() -> None:
    first = permutation(100, Stream.ORDER, seed=3, epoch=5)
    assert list(first) == list(permutation(100, Stream.ORDER, seed=3, epoch=5))
    others = [
        permutation(100, Stream.ORDER, seed=4, epoch=5),
        permutation(100, Stream.ORDER, seed=3, epoch=6),
        permutation(100, Stream.SPLIT, seed=3, epoch=5),
    ]
    for other in others:
        assert list(first) != list(other)
        assert sorted(first) == sorted(other)


def test_order_never_changes_between_versions() -> None:
    drawn = permutation(8, Stream.ORDER, seed=1, epoch=2).tolist()
    assert drawn == [5, 0, 6, 4, 7, 2, 1, 3]


def test_random_numbers_are_uniform_and_unrelated() -> None:
    u = uniforms(np.arange(4000), 3, stream=Stream.AUGMENTATION, seed=0, epoch=0)
    assert u.shape == (4000, 3)
    assert u.min() >= 0
    assert u.max() < 1
    counts = np.stack([np.histogram(column, bins=10, range=(0, 1))[0] for column in u.T])
    assert np.abs(counts - 400).max() < 100
    assert np.abs(np.corrcoef(u.T) - np.eye(3)).max() < 0.06


LABELS = np.repeat(np.arange(3, dtype=np.int32), [4, 12, 24])


@pytest.mark.parametrize("test", [0.0, 0.1])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.25, 0.8])
def test_splits_part_the_samples(share: float, test: float) -> None:
    parts = order.split(LABELS, validation=share, test=test, seed=2)
    assert sorted([*parts.training, *parts.validation, *parts.test]) == list(range(40))
    assert len(parts.test) == 40 * test
    assert len(parts.validation) == (0 if share == 0 else max(1, round(40 * share)))
    again = order.split(LABELS, validation=share, test=test, seed=2)
    assert list(parts.validation) == list(again.validation)


def test_splits_take_of_each_class_as_its_size_demands() -> None:
    parts = order.split(LABELS, validation=0.25, test=0.25, seed=2)
    for samples in (parts.validation, parts.test):
        assert np.bincount(LABELS[samples]).tolist() == [1, 3, 6]


def test_the_last_sample_of_a_class_is_trained_on() -> None:
    labels = np.array([0, 1, 2, 3], np.int32)
    parts = order.split(labels, validation=0.5, test=0.0, seed=0)
    assert parts.training.tolist() == [0, 1, 2, 3]


def test_another_seed_is_another_split() -> None:
    one, other = (order.split(LABELS, validation=0.3, test=0.0, seed=s) for s in (0, 1))
    assert list(one.validation) != list(other.validation)


def test_steps_per_epoch_go_on_where_the_last_epoch_ended() -> None:
    stream = order.training_stream(np.arange(10), seed=0, global_batch=4)
    batches = list(itertools.islice(stream, 6))
    assert [epoch for epoch, _ in batches] == [0, 0, 0, 1, 1, 1]
    assert sorted(np.concatenate([ids for _, ids in batches[3:]])) == list(range(10))
