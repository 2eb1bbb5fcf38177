"""Batches of samples that are numbers at once: the shard's rows are chosen first, read afterwards.

Images have `pipeline`, which makes theirs in place by many threads.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from kubefit.api.recipe import Recipe
from kubefit_trainer.export.serving import Answers
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.recipe import order, pipeline
from kubefit_trainer.recipe.labelled import Labelled
from kubefit_trainer.recipe.order import Shard

_AHEAD = 2
"""Batches that are made while one is waited for."""

Make = Callable[[NDArray[np.int64], int | None], NDArray[Any]]
"""What the network is given for these samples in that pass; None for samples as they are."""
Rows = Iterator[tuple[NDArray[np.int64], int | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """How samples of a source become batches."""

    source: Labelled
    samples: NDArray[np.int64]
    recipe: Recipe
    shard: Shard
    make: Make
    shape: tuple[int, ...]
    """Of what the network is given for one sample."""
    dtype: tf.DType

    def training(self, *, weights: NDArray[np.float32] | None, start: int) -> tf.data.Dataset:
        """Endless (inputs, labels[, weights]) from the global batch `start` on.

        Nothing before it is read. A shard's batch may be shorter than another's, or empty, at the
        end of a pass over the samples.
        """
        training = self.recipe.training

        def rows() -> Rows:
            stream = order.training_stream(
                self.samples,
                seed=training.seed,
                global_batch=training.images_per_step,
                start=start,
            )
            for epoch, batch in stream:
                for ids in self.shard.parts(batch):
                    yield ids, epoch

        return self._dataset(rows, weights)

    def evaluation(self) -> tf.data.Dataset:
        """Endless (inputs, labels) of the samples as they are, in fixed order."""
        size = self.recipe.training.images_per_step

        def rows() -> Rows:
            while True:
                for batch in order.fixed_stream(self.samples, global_batch=size):
                    for ids in self.shard.parts(batch):
                        yield ids, None

        return self._dataset(rows, None)

    def _dataset(
        self, rows: Callable[[], Rows], weights: NDArray[np.float32] | None
    ) -> tf.data.Dataset:
        def elements() -> Iterator[tuple[Any, ...]]:
            try:
                for ids, epoch in rows():
                    yield self._batch(ids, epoch, weights)
            except ConfigurationError as error:
                self.source.failures.append(error)
                raise ValueError(str(error)) from error

        signature = self._signature(weighted=weights is not None)
        dataset = tf.data.Dataset.from_generator(elements, output_signature=signature)
        return pipeline.endless(dataset, ahead=_AHEAD)

    def _batch(
        self, ids: NDArray[np.int64], epoch: int | None, weights: NDArray[np.float32] | None
    ) -> tuple[Any, ...]:
        none = np.empty((0, *self.shape), self.dtype.as_numpy_dtype)
        given = self.make(ids, epoch) if len(ids) else none
        return given, self.source.labels[ids], *(() if weights is None else (weights[ids],))

    def _signature(self, *, weighted: bool) -> tuple[Any, ...]:
        """Shapes and types of a batch."""
        return (
            tf.TensorSpec((None, *self.shape), self.dtype),
            tf.TensorSpec((None, *self.source.labels.shape[1:]), tf.int32),
            *([tf.TensorSpec((None,), tf.float32)] if weighted else []),
        )


class Streamed(ABC):
    """What is alike of the kinds of samples that become batches by a `Stream`; see `Modality`."""

    _recipe: Recipe

    def build(self, strategy: tf.distribute.Strategy, *, volume: Path, classes: int) -> keras.Model:
        """The model, with the same initial weights on every worker."""
        keras.utils.set_random_seed(self._recipe.training.seed)
        with strategy.scope():
            return self._network(classes)

    def training_batches(
        self,
        source: Labelled,
        samples: NDArray[np.int64],
        *,
        shard: Shard,
        weights: NDArray[np.float32] | None,
        start: int,
    ) -> tf.data.Dataset:
        """What `Stream.training` gives."""
        return self._stream(source, samples, shard).training(weights=weights, start=start)

    def evaluation_batches(
        self, source: Labelled, samples: NDArray[np.int64], *, shard: Shard
    ) -> tf.data.Dataset:
        """What `Stream.evaluation` gives."""
        return self._stream(source, samples, shard).evaluation()

    def answering(self, model: keras.Model) -> keras.Model:
        """The same."""
        return model

    def answers(self, exported: keras.Model, source: Labelled) -> Answers | None:
        """Nothing: outputs are no texts."""
        return None

    @abstractmethod
    def _network(self, classes: int) -> keras.Model:
        """The model, made in the scope of the strategy."""

    @abstractmethod
    def _stream(self, source: Labelled, samples: NDArray[np.int64], shard: Shard) -> Stream:
        """The batches of a worker."""
