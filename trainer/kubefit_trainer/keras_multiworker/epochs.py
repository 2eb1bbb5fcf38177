"""Input of fit, evaluate and predict: each sample once an epoch, in one order for any N.

Broken: an array that is shuffled is shuffled by every worker in another order and then sharded by
position, so that samples are seen twice and others never; tf.data pipelines with an unseeded
shuffle, generators and PyDatasets likewise; every step of a finite dataset costs a collective to
agree that there is a next one; deleting an iterator may take a minute.
Cause: keras/src/trainers/data_adapters/array_data_adapter.py shuffles with `tf.random.shuffle`;
`TFEpochIterator` in keras/src/backend/tensorflow/trainer.py hands everything to
`experimental_distribute_dataset`.
Upstream: https://github.com/keras-team/keras/issues/20585
Instead: an epoch is a sequence of global batches, the same on all workers, of which every replica
takes its rows. Arrays are permuted by (seed, epoch) and only the own rows are gathered. A dataset
of `distribute_datasets_from_function` is taken as cut by its program already. Different global
batches on different workers are found by their fingerprints and refused.
"""

import functools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import tensorflow as tf
from keras.src import tree
from keras.src.backend.tensorflow import trainer as tf_trainer
from keras.src.trainers.data_adapters import array_slicing
from keras.src.trainers.data_adapters.array_data_adapter import ArrayDataAdapter
from keras.src.trainers.epoch_iterator import EpochIterator
from tensorflow.python.distribute import input_lib

from kubefit_trainer.keras_multiworker import cluster, positions, preflight, seeds, shares, sums
from kubefit_trainer.keras_multiworker.iterators import (
    EndingIterator,
    ShareIterator,
    UnevenIterator,
    explicit_options,
    release,
)
from kubefit_trainer.keras_multiworker.patching import Patch, Target


def _apply() -> None:
    original_init = tf_trainer.TFEpochIterator.__init__
    original_reset = tf_trainer.TFEpochIterator.reset
    original_enumerate = tf_trainer.TFEpochIterator._enumerate_iterator

    def __init__(  # noqa: N807
        self: Any, distribute_strategy: Any = None, *args: Any, **kwargs: Any
    ) -> None:
        if not cluster.is_ours(distribute_strategy):
            original_init(self, distribute_strategy, *args, **kwargs)
            return
        EpochIterator.__init__(self, *args, **kwargs)
        self._distribute_strategy = distribute_strategy
        self._follower = positions.claimed()
        self._position = positions.Position()
        self.source = _source(self.data_adapter, distribute_strategy)
        self._num_batches = self.source.steps
        preflight.data(self.source)

    def reset(self: Any) -> None:
        original_reset(self)
        if cluster.is_ours(self._distribute_strategy):
            self._num_batches = self.source.steps

    def _enumerate_iterator(self: Any) -> Iterator[tuple[int, int, Any]]:
        if not cluster.is_ours(self._distribute_strategy):
            yield from original_enumerate(self)
            return
        yield from _enumerate(self)

    tf_trainer.TFEpochIterator.__init__ = __init__
    tf_trainer.TFEpochIterator.reset = reset
    tf_trainer.TFEpochIterator._enumerate_iterator = _enumerate_iterator


def _enumerate(self: Any) -> Iterator[tuple[int, int, Any]]:
    """One epoch as Keras counts it: until the data end, or `steps_per_epoch` steps."""
    self.data_adapter.on_epoch_begin()
    size = self.steps_per_execution
    wanted = self.steps_per_epoch or self.source.steps
    step = _begin(self)
    self._steps_seen = 0
    first = True
    while wanted is None or step < wanted:
        if self._current_iterator.remaining == 0:
            if self.steps_per_epoch:
                self._interrupted_warning()
            break
        if self._follower and not first and self._current_iterator.has_more:
            self._follower.between_steps(replace(self._position, step=step))
        first = False
        self._steps_seen = step + size
        yield step, step + size - 1, self._current_iterator
        step += size
        self._position = replace(self._position, drawn=self._position.drawn + size)
    if self._current_iterator is not None and self._current_iterator.remaining == 0:
        self._current_iterator = None
    if self._follower:
        anew = self._current_iterator is None or self.steps_per_epoch is None
        here = self._position
        self._follower.after_epoch(
            positions.Position(passes=here.passes + 1) if anew else replace(here, step=0)
        )
    self.data_adapter.on_epoch_end()


def _begin(self: Any) -> int:
    """Has the iterator of an epoch ready; returns the first step that is left to do."""
    start = self._follower.begins() if self._follower else None
    if start is not None and (start.passes or start.drawn):
        if self.source.seek(start.passes, start.drawn):
            self._follower.skips(start.drawn)
        self._position = start
        self._current_iterator = self.source.iterate()
    elif self._current_iterator is None or self.steps_per_epoch is None:
        begun = self._current_iterator is not None or self._position.drawn
        self._position = positions.Position(passes=self._position.passes + bool(begun))
        self._current_iterator = self.source.iterate()
    return start.step if start else 0


class _GlobalSource:
    """A tf.data pipeline of global batches that every worker runs whole."""

    def __init__(self, dataset: Any, strategy: Any, steps: int | None) -> None:
        self.element_spec = dataset.element_spec
        first, local, replicas = cluster.replicas(strategy)
        self._local = local
        options = tf.data.Options()
        options.deterministic = True
        dataset = dataset.with_options(options)
        if local == 1:
            dataset = dataset.map(lambda *data: shares.share_of(_one(data), first, replicas))
        else:
            dataset = dataset.flat_map(
                lambda *data: _in_turn(
                    [shares.share_of(_one(data), first + i, replicas) for i in range(local)]
                )
            )
        self.dataset = dataset.prefetch(2 * local)
        self.steps = steps
        self._may_be_empty = replicas > 1 and not _has_rows(self.element_spec, replicas)
        self.endless = steps is None and dataset.cardinality() == tf.data.INFINITE_CARDINALITY
        self._skipped = 0

    def seek(self, passes: int, drawn: int) -> bool:
        """Makes the next iteration begin after so many passes and steps.

        Returns whether batches are drawn and thrown away for it, in an order that may be another.
        """
        for _ in range(passes):
            # A shuffle that is seeded takes its next order when it is iterated again.
            release(iter(self.dataset))
        self._skipped = drawn
        return bool(passes or drawn)

    def iterate(self) -> ShareIterator:
        dataset, skipped = self.dataset, self._skipped
        self._skipped = 0
        if skipped:
            dataset = dataset.skip(skipped * self._local)
        if self.steps is not None or self.endless:
            return ShareIterator(
                dataset,
                steps=None if self.steps is None else self.steps - skipped,
                replicas=self._local,
                may_be_empty=self._may_be_empty,
            )
        return EndingIterator(dataset, replicas=self._local)


def _has_rows(spec: Any, wanted: int) -> bool:
    """Whether a batch of that specification is sure to have so many rows."""
    sides = [
        leaf.shape[0] for leaf in tf.nest.flatten(spec) if leaf is not None and leaf.shape.rank
    ]
    return bool(sides) and all((side or 0) >= wanted for side in sides)


def _one(data: tuple[Any, ...]) -> Any:
    return data if len(data) > 1 else data[0]


def _in_turn(parts: list[Any]) -> Any:
    dataset = tf.data.Dataset.from_tensors(parts[0])
    for part in parts[1:]:
        dataset = dataset.concatenate(tf.data.Dataset.from_tensors(part))
    return dataset


class _ArraySource:
    """Arrays that every worker holds; only the own rows are gathered.

    The pipeline goes on over epochs, so that the next one is prefetched while one ends.
    """

    def __init__(self, adapter: Any, strategy: Any) -> None:
        self._first, self._local, self._replicas = cluster.replicas(strategy)
        self._rows, self._batch = int(adapter._num_samples), int(adapter._batch_size)
        self._shuffle = adapter._shuffle
        self.steps = int(adapter.num_batches)
        inputs = array_slicing.convert_to_sliceable(adapter._inputs, target_backend="tensorflow")
        self._inputs = tree.lists_to_tuples(inputs)
        self._signs = shares.signs_of_arrays(adapter._inputs)
        smallest = min(self._batch, self._rows % self._batch or self._batch)
        self._may_be_empty = smallest < self._replicas
        self._stream: ShareIterator | None = None
        self._seed = seeds.next_data_seed() if self._shuffle else 0
        self._drawn = 0
        self.dataset = self._pipeline()
        self.element_spec = self.dataset.element_spec[0]

    def seek(self, passes: int, drawn: int) -> bool:
        """Makes the next iteration begin after so many passes and steps; draws nothing for it."""
        self._stream, self._drawn = None, drawn
        self.dataset = self._pipeline(passes, drawn)
        return False

    def iterate(self) -> ShareIterator:
        if self._stream is None or self._stream.remaining != 0:
            self._stream = ShareIterator(
                self.dataset, steps=0, replicas=self._local, may_be_empty=self._may_be_empty
            )
        self._stream.remaining = self.steps - self._drawn
        self._drawn = 0
        return self._stream

    def _pipeline(self, passes: int = 0, drawn: int = 0) -> Any:
        turns = tf.data.Dataset.range(self.steps * self._local)
        data = tf.data.Dataset.from_tensors(self._inputs).repeat()
        order = tf.data.Dataset.counter(passes).flat_map(
            lambda epoch: tf.data.Dataset.zip(
                turns, tf.data.Dataset.from_tensors(self._order(self._seed, epoch)).repeat()
            )
        )
        order = order.skip(drawn * self._local)
        dataset = tf.data.Dataset.zip(order, data).map(
            lambda order, data: self._share(order[0], order[1], data), num_parallel_calls=2
        )
        return dataset.prefetch(2 * self._local).with_options(explicit_options())

    def _order(self, seed: int, epoch: Any) -> Any:
        rows = tf.range(self._rows, dtype=tf.int64)
        if not self._shuffle:
            return rows
        key = tf.stack([tf.constant(seed, tf.int64), epoch])
        mixed = tf.random.experimental.stateless_shuffle(rows, seed=key)
        if self._shuffle != "batch":
            return mixed
        # A stable sort by batch keeps the batches in place and the order within them mixed.
        return tf.gather(mixed, tf.argsort(mixed // self._batch, stable=True))

    def _share(self, turn: Any, order: Any, data: Any) -> Any:
        replica = self._first + tf.cast(turn % self._local, tf.int32)
        batch = order[(turn // self._local) * self._batch :][: self._batch]
        total = tf.size(batch)
        # A replica without rows gathers one of another's; its count of 0 makes it weigh nothing.
        rows = batch[tf.minimum(replica, total - 1) :: self._replicas]
        if self._rows % self._batch == 0 and self._local == 1:
            rows.set_shape([max(1, -(-(self._batch - self._first) // self._replicas))])
        count = tf.maximum(0, (total - replica + self._replicas - 1) // self._replicas)
        share = tree.traverse(lambda leaf: _gather(leaf, rows), data)
        return share, shares.note(count, self._signs, total)


def _gather(leaf: Any, rows: Any) -> Any:
    if isinstance(leaf, array_slicing.TensorflowSparseWrapper):
        return array_slicing.slice_tensorflow_sparse_wrapper(leaf, rows)
    if isinstance(leaf, (list, tuple, dict)):
        return None
    return tf.gather(leaf, rows, axis=0) if tf.is_tensor(leaf) else leaf


class _LocalSource:
    """A dataset of `distribute_datasets_from_function`: each worker's own rows."""

    def __init__(self, distributed: Any, strategy: Any) -> None:
        _, self._local, replicas = cluster.replicas(strategy)
        context = tf.distribute.InputContext(
            num_input_pipelines=cluster.member().workers,
            input_pipeline_id=cluster.member().rank,
            num_replicas_in_sync=replicas,
        )
        self._build = functools.partial(distributed._dataset_fn, context)
        dataset = self._build()
        self.element_spec = dataset.element_spec
        own = int(dataset.cardinality())
        known = sums.max_over_workers(0 if own >= 0 else 1) == 0
        self.endless = sums.max_over_workers(own != tf.data.INFINITE_CARDINALITY) == 0
        self.steps: int | None = None
        if known:
            self.steps = -(-sums.max_over_workers(own) // self._local)
        self._left = self.steps
        self._rest: Any = None
        self.dataset = self._shares(dataset)

    def _shares(self, dataset: Any) -> Any:
        dataset = dataset.map(lambda *data: shares.local_share(_one(data)))
        if self.steps is not None:
            dataset = dataset.concatenate(self._empties())
        return dataset.prefetch(2 * self._local)

    def seek(self, passes: int, drawn: int) -> bool:
        """Makes the next iteration begin after so many passes and steps.

        Returns whether batches are drawn and thrown away for it, because the program does not build
        its pipeline from there.
        """
        dataset, there = positions.build_from(drawn, self._build)
        dataset = self._shares(dataset)
        self._rest = dataset if there else dataset.skip(drawn * self._local)
        self._left = None if self.steps is None else self.steps - drawn
        return not there or passes > 0

    def _empties(self) -> Any:
        return tf.data.Dataset.from_tensors(shares.empty_share(self.element_spec)).repeat()

    def iterate(self) -> ShareIterator:
        dataset, self._rest = self.dataset if self._rest is None else self._rest, None
        if self.steps is not None or self.endless:
            left, self._left = self._left, self.steps
            return ShareIterator(dataset, steps=left, replicas=self._local)
        return UnevenIterator(
            dataset,
            replicas=self._local,
            empty=shares.empty_share(self.element_spec),
            any_worker=sums.any_worker,
        )


def _source(adapter: Any, strategy: Any) -> Any:
    if type(adapter) is ArrayDataAdapter:
        return _ArraySource(adapter, strategy)
    dataset = adapter.get_tf_dataset()
    if isinstance(dataset, input_lib.DistributedDatasetsFromFunction):
        return _LocalSource(dataset, strategy)
    if isinstance(dataset, input_lib.DistributedDataset):
        dataset = dataset._original_dataset
    return _GlobalSource(dataset, strategy, adapter.num_batches)


PATCH = Patch(
    name="epochs",
    targets=(
        Target(
            owner=tf_trainer.TFEpochIterator,
            name="__init__",
            parameters=("self", "distribute_strategy", "args", "kwargs"),
        ),
        Target(owner=tf_trainer.TFEpochIterator, name="_enumerate_iterator", parameters=("self",)),
        Target(owner=tf_trainer.TFEpochIterator, name="reset", parameters=("self",)),
        Target(owner=ArrayDataAdapter, name="get_tf_dataset", parameters=("self",)),
    ),
    apply=_apply,
)
