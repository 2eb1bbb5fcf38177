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

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from keras.src.backend.tensorflow import trainer as tf_trainer
from keras.src.trainers.data_adapters.array_data_adapter import ArrayDataAdapter
from keras.src.trainers.epoch_iterator import EpochIterator

from kubefit_trainer.keras_multiworker import cluster, positions, preflight
from kubefit_trainer.keras_multiworker.patching import Patch, Target
from kubefit_trainer.keras_multiworker.positions import Position
from kubefit_trainer.keras_multiworker.sources import source_of


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
        self._position, self._start, self._sought = Position(), None, False
        self.source = source_of(self.data_adapter, distribute_strategy)
        if self._follower and self._follower.passed():
            self.source.seek(self._follower.passed(), 0)
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
    start = _start(self)
    if start is not None and start.over:
        _seek(self, start)
        if self._follower:
            self._follower.begun()
        self._start, self._sought = Position(passes=start.passes, drawn=start.drawn), True
    else:
        anew = self._sought or _move(self, start)
        self._sought = False
        self.data_adapter.on_epoch_begin()
        if anew:
            self._current_iterator = self.source.iterate()
        if start is not None and self._follower:
            self._follower.begun()
        try:
            yield from _steps(self, start.step if start else 0)
        except GeneratorExit:
            # Whether there was another step may be known only when it is to be done.
            _end(self)
            raise
        self.data_adapter.on_epoch_end()
    _end(self)


def _end(self: Any) -> None:
    if self._current_iterator is not None and self._current_iterator.remaining == 0:
        self._current_iterator = None
    if self._follower:
        self._follower.after_epoch(place(self))


def _steps(self: Any, step: int) -> Iterator[tuple[int, int, Any]]:
    size = self.steps_per_execution
    wanted = self.steps_per_epoch or self.source.steps
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


def _start(self: Any) -> Position | None:
    """Where an epoch is to begin, if it is not where the last one ended."""
    start: Position | None = self._start
    self._start = None
    return self._follower.begins() if start is None and self._follower else start


def _move(self: Any, start: Position | None) -> bool:
    """Moves to where an epoch begins; whether the data are to be iterated anew."""
    following = place(self)
    if start is not None and (start.passes or start.drawn):
        _seek(self, start)
        return True
    if following.drawn:
        return False
    if following.passes:
        self.source.next_pass()
    self._position = following
    return True


def _seek(self: Any, start: Position) -> None:
    if self.source.seek(start.passes, start.drawn) and self._follower:
        self._follower.skips(start.drawn)
    self._position = start


def place(iterator: Any) -> Position:
    """Where in its data the next epoch of an iterator begins."""
    start: Position | None = iterator._start
    if start is not None:
        return start
    here: Position = iterator._position
    if iterator._current_iterator is not None and iterator.steps_per_epoch is not None:
        return replace(here, step=0)
    return Position(passes=here.passes + bool(here.drawn))


def begin_at(iterator: Any, start: Position) -> None:
    """Has the next epoch of an iterator begin there."""
    iterator._start = start


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
