"""`globalBatchSize: auto`: sizes doubled step by step, as long as they fit and pay.

Whether a size fits, every worker finds out for itself before the step that all take together: one
that ran out of memory there would leave the others waiting. What the workers measure is put
together, so that all choose the same.
"""

import math
import resource
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from kubefit.api.recipe import Recipe
from kubefit_trainer import keras_multiworker
from kubefit_trainer.agent import cgroup
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.keras_multiworker import sums

STEPS = 6
"""Steps at each size."""
_UNTIMED = 3
"""The first ones trace the network and find batches that were made ahead."""
_SMALLEST = 8
_LARGEST = 8192
_STEPS_AN_EPOCH = 20
"""Fewer updates of the weights than that would cost more than they save."""
_PAYS = 1.1
"""A size that is not a tenth faster than half of it does not pay."""
_SECONDS = 60.0
"""A size whose steps would take longer is not tried."""
_MARGIN = 1.25
"""Images of the trial of memory to those of a step."""


def sizes(workers: int, images: int) -> Iterator[int]:
    """Global batch sizes to try, each twice the one before, for so many training images."""
    size = workers * 2 ** max(0, math.ceil(math.log2(_SMALLEST / workers)))
    yield size
    while 2 * size <= min(_LARGEST, images // _STEPS_AN_EPOCH):
        size *= 2
        yield size


def choose(
    tried: Iterator[int], *, fits: Callable[[int], bool], seconds: Callable[[int], float]
) -> int:
    """The largest size that fits and pays; 0 if not even the first one fits.

    Args:
        tried: Sizes, each twice the one before.
        fits: Whether a step of that size has enough memory.
        seconds: Time of a step of that size, which fits.

    """
    best, speed, taken = 0, 0.0, 0.0
    for size in tried:
        if 2 * taken * STEPS > _SECONDS or not fits(size):
            break
        taken = seconds(size)
        if size / taken < _PAYS * speed:
            break
        best, speed = size, size / taken
    return best


def enough(peaks: Sequence[int], *, ceiling: int) -> bool:
    """Whether twice the images are sure not to exceed the ceiling (bytes).

    `peaks` are the largest sizes of this process, the last two with half and with all of the
    images: what came on top comes twice on top of that.
    """
    return peaks[-1] + 2 * (peaks[-1] - peaks[-2]) <= ceiling


class Memory:
    """Tries whether the gradients of a step fit, on this worker alone."""

    def __init__(self, model: keras.Model) -> None:
        self._peaks = [_peak()]
        self._model = model
        self._gradients = tf.function(self._backward, reduce_retracing=True, autograph=False)

    def fits(self, images: int) -> bool:
        """Whether a step of so many images on each device has enough memory.

        A GPU says so itself. The kernel kills whoever takes too much main memory, so there the size
        before must have left enough.
        """
        # Another process of this job may be about to take the other half of what is free.
        ceiling = _size() + cgroup.free_memory() // 2
        if len(self._peaks) > 1 and not enough(self._peaks, ceiling=ceiling):
            return False
        number = math.ceil(_MARGIN * images)
        inputs = [tf.zeros((number, *one.shape[1:]), tf.uint8) for one in self._model.inputs]
        try:
            with keras_multiworker.outside_strategy():
                self._gradients(inputs if len(inputs) > 1 else inputs[0])
        except tf.errors.ResourceExhaustedError:
            return False
        self._peaks.append(_peak())
        return True

    def _backward(self, images: Any) -> Any:
        weights = [variable.value for variable in self._model.trainable_variables]
        with tf.GradientTape() as tape:
            tape.watch(weights)
            answers = tf.reduce_sum(self._model(images, training=True))
        gradients = tape.gradient(answers, weights)
        return [tf.norm(gradient) for gradient in gradients if gradient is not None]


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _size() -> int:
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * resource.getpagesize()


class _Clock(keras.callbacks.Callback):  # type: ignore[misc]
    """Seconds of each step."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._last = 0.0

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        self._last = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        float((logs or {})["loss"])  # A step has ended once its loss is known.
        now = time.monotonic()
        self.seconds.append(now - self._last)
        self._last = now


def find(
    model: keras.Model,
    recipe: Recipe,
    *,
    images: int,
    replicas: int,
    train: Callable[[Recipe, int, list[keras.callbacks.Callback]], object],
) -> int:
    """Finds a global batch size for a compiled model, whose weights it changes.

    Every worker must call it.

    Args:
        model: Compiled for the phase in which most of it learns.
        recipe: The recipe without a batch size.
        images: Training images.
        replicas: Devices of all workers together.
        train: Trains a recipe for so many steps.

    Raises:
        ConfigurationError: there is not enough memory even for the smallest.

    """
    memory = Memory(model)

    def fits(size: int) -> bool:
        return not sums.any_worker(not memory.fits(math.ceil(size / replicas)))

    def seconds(size: int) -> float:
        clock = _Clock()
        train(sized(recipe, size), STEPS, [clock])
        mine = statistics.median(clock.seconds[_UNTIMED:])
        (total,) = sums.sum_over_workers([mine])
        return total / keras_multiworker.workers()

    found = choose(sizes(replicas, images), fits=fits, seconds=seconds)
    if not found:
        first = next(sizes(replicas, images))
        what, smaller = recipe.kind, "sample or network"
        if recipe.data is not None:
            height, width = recipe.data.image_size
            what, smaller = f"images of {height}x{width}", "imageSize or network"
        raise ConfigurationError(
            f"spec.recipe.training.globalBatchSize: auto finds no size that fits into memory, not"
            f" even {first} {what}; give the workers more memory, or take a smaller {smaller}"
        )
    return found


def sized(recipe: Recipe, size: int) -> Recipe:
    """The recipe with that global batch size."""
    training = recipe.training.model_copy(update={"global_batch_size": size})
    return recipe.model_copy(update={"training": training})
