"""Batches for training and evaluation: the shard's rows are chosen first, decoded afterwards."""

import os
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from kubefit.api.recipe import Augmentation, Recipe
from kubefit_trainer.recipe import augmentation, order
from kubefit_trainer.recipe.order import Shard
from kubefit_trainer.recipe.sources import Source

_Element = tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]


def training_batches(
    source: Source, samples: NDArray[np.int64], recipe: Recipe, *, shard: Shard
) -> tf.data.Dataset:
    """Endless (images, labels) batches: float32 (rows, height, width, channels) and int32 (rows,).

    A shard's batch may be shorter than another's, or empty, at the end of a pass over the samples.
    """
    height, width = recipe.data.image_size
    training = recipe.training

    def elements() -> Iterator[_Element]:
        stream = order.training_stream(
            samples, seed=training.seed, global_batch=training.global_batch_size
        )
        for epoch, batch in stream:
            for ids in shard.parts(batch):
                drawn = augmentation.draw(
                    recipe.augmentation, ids, size=(height, width), seed=training.seed, epoch=epoch
                )
                yield ids, drawn.transforms, drawn.contrast

    return _dataset(elements, source, recipe.augmentation)


def evaluation_batches(
    source: Source, samples: NDArray[np.int64], recipe: Recipe, *, shard: Shard
) -> tf.data.Dataset:
    """The same without augmentation, in fixed order; it starts anew after each pass."""
    transforms = np.zeros((0, 8), np.float32)
    contrast = np.zeros(0, np.float32)

    def elements() -> Iterator[_Element]:
        while True:
            for batch in order.fixed_stream(
                samples, global_batch=recipe.training.global_batch_size
            ):
                for ids in shard.parts(batch):
                    yield ids, transforms, contrast

    return _dataset(elements, source, Augmentation())


def _dataset(
    elements: Callable[[], Iterator[_Element]], source: Source, spec: Augmentation
) -> tf.data.Dataset:
    labels = tf.constant(source.labels)

    def load(
        ids: tf.Tensor, transforms: tf.Tensor, contrast: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        images = tf.cast(source.load(ids), tf.float32)
        images = augmentation.apply(spec, images, transforms=transforms, contrast=contrast)
        return images, tf.gather(labels, ids)

    # The agent sets it from the CPU limit of the container, which the affinity does not show.
    threads = int(os.environ.get("TF_NUM_INTRAOP_THREADS") or len(os.sched_getaffinity(0)))
    dataset = tf.data.Dataset.from_generator(
        elements,
        output_signature=(
            tf.TensorSpec((None,), tf.int64),
            tf.TensorSpec((None, 8), tf.float32),
            tf.TensorSpec((None,), tf.float32),
        ),
    )
    # Endless, so the strategy need not ask every worker at each step whether there is more.
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))
    dataset = dataset.map(load, num_parallel_calls=threads).prefetch(2)
    return dataset.with_options(_options(threads))


def _options(threads: int) -> tf.data.Options:
    options = tf.data.Options()
    # The autotuner can sleep through its own cancellation, up to a minute, when an iterator ends.
    options.autotune.enabled = False
    options.deterministic = True
    options.threading.private_threadpool_size = threads
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return options
