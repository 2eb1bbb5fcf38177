"""Batches for training and evaluation: the shard's rows are chosen first, decoded afterwards.

Images are decoded and augmented by threads, in OpenCV, which does not hold Python's lock. They stay
uint8: the network makes floating-point numbers of them, on the device, with a quarter of the
copying.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from kubefit.api.recipe import ImageRecipe
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.images import augment, draws, memory
from kubefit_trainer.images.decode import Pixels
from kubefit_trainer.recipe import cpus, order, targets
from kubefit_trainer.recipe.order import Shard
from kubefit_trainer.recipe.sources import Source

_AHEAD = 3
"""Batches that are being made while one is waited for."""
_ALIGNMENT = 64
"""Bytes."""
_CHUNK = 4
"""Images that a thread makes at a time."""


@dataclass(frozen=True, slots=True)
class _Work:
    """A batch to be made."""

    images: list[Callable[[], Pixels]]
    """How each image is made."""
    answers: tuple[NDArray[Any], ...]
    """What the network is to answer, and perhaps the weight of each image in the loss."""


def training_batches(
    source: Source,
    samples: NDArray[np.int64],
    recipe: ImageRecipe,
    *,
    shard: Shard,
    weights: NDArray[np.float32] | None = None,
    start: int = 0,
) -> tf.data.Dataset:
    """Endless (images, targets) batches: uint8 (rows, height, width, channels), see `targets`.

    The first is the global batch of number `start`; nothing before it is read.

    With `weights`, one of each sample of the source, they are (images, targets, weights).

    A shard's batch may be shorter than another's, or empty, at the end of a pass over the samples.
    """
    training = recipe.training

    def works() -> Iterator[_Work]:
        stream = order.training_stream(
            samples, seed=training.seed, global_batch=training.images_per_step, start=start
        )
        for epoch, batch in stream:
            # The partner is the next of the global batch, whichever worker that one belongs to.
            partners = shard.parts(np.roll(batch, -1))
            for ids, others in zip(shard.parts(batch), partners, strict=True):
                work = _training_work(source, ids, others, recipe, epoch=epoch)
                extra = () if weights is None else (weights[ids],)
                yield _Work(work.images, (*work.answers, *extra))

    return _dataset(works, source, recipe, weighted=weights is not None)


def evaluation_batches(
    source: Source, samples: NDArray[np.int64], recipe: ImageRecipe, *, shard: Shard
) -> tf.data.Dataset:
    """The same without augmentation, in fixed order; it starts anew after each pass."""

    def works() -> Iterator[_Work]:
        while True:
            for batch in order.fixed_stream(samples, global_batch=recipe.training.images_per_step):
                for ids in shard.parts(batch):
                    yield _plain_work(source, ids, recipe)

    return _dataset(works, source, recipe)


def pixels(source: Source, samples: NDArray[np.int64], recipe: ImageRecipe) -> Pixels:
    """The samples without augmentation, uint8 (samples, height, width, channels)."""
    return np.stack([make() for make in _plain_work(source, samples, recipe).images])


def _plain_work(source: Source, ids: NDArray[np.int64], recipe: ImageRecipe) -> _Work:
    size = _size(recipe)

    def make(sample: int) -> Pixels:
        return augment.resized(source.picture(sample), size=size)

    answer = targets.plain(source.labels[ids], recipe, classes=len(source.classes))
    return _Work([partial(make, sample) for sample in ids.tolist()], (answer,))


def _training_work(
    source: Source,
    ids: NDArray[np.int64],
    partners: NDArray[np.int64],
    recipe: ImageRecipe,
    *,
    epoch: int,
) -> _Work:
    spec, size, seed = recipe.augmentation, _size(recipe), recipe.training.seed
    changes = draws.changes(spec, ids, size=size, seed=seed, epoch=epoch)
    mixes = draws.mixes(spec, ids, size=size, seed=seed, epoch=epoch)
    others = (
        draws.changes(spec, partners, size=size, seed=seed, epoch=epoch) if any(mixes) else changes
    )

    def make(row: int) -> Pixels:
        picture = source.picture(int(ids[row]))
        image = augment.augmented(picture, changes[row], size=size, fill=spec.fill)
        mix = mixes[row]
        if mix is None:
            return image
        picture = source.picture(int(partners[row]))
        other = augment.augmented(picture, others[row], size=size, fill=spec.fill)
        return augment.mixed(image, other, mix)

    answer = targets.mixed(
        source.labels[ids], source.labels[partners], mixes, recipe, classes=len(source.classes)
    )
    return _Work([partial(make, row) for row in range(len(ids))], (answer,))


def _size(recipe: ImageRecipe) -> tuple[int, int]:
    height, width = recipe.data.image_size
    return height, width


def _dataset(
    works: Callable[[], Iterator[_Work]],
    source: Source,
    recipe: ImageRecipe,
    *,
    weighted: bool = False,
) -> tf.data.Dataset:
    shape = (*_size(recipe), recipe.data.channels)

    def elements() -> Iterator[tuple[NDArray[Any], ...]]:
        try:
            yield from _made(works(), shape, threads=cpus.threads())
        except ConfigurationError as error:
            source.failures.append(error)
            raise ValueError(str(error)) from error

    answer = (
        tf.TensorSpec((None, targets.units(recipe, classes=len(source.classes))), tf.float32)
        if targets.are_rows(recipe)
        else tf.TensorSpec((None,), tf.int32)
    )
    images, weights = tf.TensorSpec((None, *shape), tf.uint8), tf.TensorSpec((None,), tf.float32)
    dataset = tf.data.Dataset.from_generator(
        elements, output_signature=(images, answer, *([weights] if weighted else []))
    )
    return endless(dataset, ahead=1)


def endless(dataset: tf.data.Dataset, *, ahead: int) -> tf.data.Dataset:
    """A data set that does not end, some batches made ahead, as the strategy is to take it."""
    # Else the strategy asks every worker at each step whether there is more.
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))
    return dataset.prefetch(ahead).with_options(_options())


def _made(
    works: Iterator[_Work], shape: tuple[int, int, int], *, threads: int
) -> Iterator[tuple[NDArray[Any], ...]]:
    """Batches in order, made by threads some batches ahead."""
    memory.kept()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="images")
    ahead: deque[tuple[tuple[NDArray[Any], ...], list[Future[None]]]] = deque()
    try:
        for work in works:
            batch = _aligned((len(work.images), *shape))
            chunks = range(0, len(work.images), _CHUNK)
            parts = [pool.submit(_fill, batch, work.images, first) for first in chunks]
            ahead.append(((batch, *work.answers), parts))
            if len(ahead) > _AHEAD:
                yield _finished(*ahead.popleft())
        while ahead:
            yield _finished(*ahead.popleft())
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _aligned(shape: tuple[int, ...]) -> Pixels:
    """An array that TensorFlow takes as it is; one that begins elsewhere it copies."""
    size = math.prod(shape)
    room = np.empty(size + _ALIGNMENT, np.uint8)
    begin = -room.ctypes.data % _ALIGNMENT
    return room[begin : begin + size].reshape(shape)


def _fill(batch: Pixels, images: list[Callable[[], Pixels]], first: int) -> None:
    for row in range(first, min(first + _CHUNK, len(images))):
        batch[row] = images[row]()


def _finished(
    batch: tuple[NDArray[Any], ...], parts: list[Future[None]]
) -> tuple[NDArray[Any], ...]:
    for part in parts:
        part.result()
    return batch


def _options() -> tf.data.Options:
    options = tf.data.Options()
    # The autotuner can sleep through its own cancellation, up to a minute, when an iterator ends.
    options.autotune.enabled = False
    options.deterministic = True
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return options
