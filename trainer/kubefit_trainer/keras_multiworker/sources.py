"""Where epochs come from: arrays, pipelines of global batches, pipelines of each worker's own rows.

Each makes iterators over this process's shares, and can begin anywhere: `seek` moves the next one.
"""

import functools
from typing import Any

import tensorflow as tf
from keras.src import tree
from keras.src.trainers.data_adapters import array_slicing
from keras.src.trainers.data_adapters.array_data_adapter import ArrayDataAdapter
from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter
from tensorflow.python.distribute import input_lib

from kubefit_trainer.keras_multiworker import cluster, positions, seeds, shares, sums
from kubefit_trainer.keras_multiworker.iterators import (
    EndingIterator,
    ShareIterator,
    UnevenIterator,
    explicit_options,
)
from kubefit_trainer.keras_multiworker.ordered import OrderedDataset


class _Source:
    def next_pass(self) -> None:
        """Called when the data are about to be begun anew."""


class _GlobalSource(_Source):
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
            ShareIterator(self.dataset, steps=None, replicas=self._local)
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


class _PyDatasetSource(_GlobalSource):
    """A PyDataset of known length: its batches come in an order that can be begun anywhere."""

    def __init__(self, adapter: Any, strategy: Any) -> None:
        self._data = OrderedDataset(
            adapter.py_dataset, seeds.next_data_seed() if adapter.shuffle else None
        )
        for owner in (adapter, adapter.enqueuer):
            if owner is not None:
                owner.py_dataset, owner.shuffle = self._data, False
        super().__init__(adapter.get_tf_dataset(), strategy, adapter.num_batches)

    def seek(self, passes: int, drawn: int) -> bool:
        """Makes the next iteration begin after so many passes and steps; draws nothing for it."""
        self._data.seek(passes, drawn)
        self._left = drawn
        return False

    def next_pass(self) -> None:
        """The order is another one."""
        self._data.next_pass()

    def iterate(self) -> ShareIterator:
        iterator = super().iterate()
        if iterator.remaining is not None:
            iterator.remaining -= self._left
        self._left = 0
        return iterator

    _left = 0


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


class _ArraySource(_Source):
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


class _LocalSource(_Source):
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
        return not there

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


def source_of(adapter: Any, strategy: Any) -> Any:
    """What the epochs of one call of fit, evaluate or predict draw from."""
    if type(adapter) is ArrayDataAdapter:
        return _ArraySource(adapter, strategy)
    if type(adapter) is PyDatasetAdapter and adapter.num_batches is not None:
        return _PyDatasetSource(adapter, strategy)
    dataset = adapter.get_tf_dataset()
    if isinstance(dataset, input_lib.DistributedDatasetsFromFunction):
        return _LocalSource(dataset, strategy)
    if isinstance(dataset, input_lib.DistributedDataset):
        dataset = dataset._original_dataset
    return _GlobalSource(dataset, strategy, adapter.num_batches)
