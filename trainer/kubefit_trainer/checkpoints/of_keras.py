"""Snapshots of every `Model.fit` of Keras 3, and going on from one, without the program's doing.

A program that is started anew runs from its first line again. Calls of `fit` that were over before
are not run: their weights and their History come back. The one that was interrupted goes on where
it was, and those after it run as ever.
"""

import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras.src.backend.tensorflow import trainer as tf_trainer
from keras.src.callbacks import callback_list

from kubefit_trainer.callbacks import progress
from kubefit_trainer.callbacks.reporter import Reporter
from kubefit_trainer.checkpoints import callback_state, random_state, snapshot, store
from kubefit_trainer.checkpoints.keeper import Keeper
from kubefit_trainer.checkpoints.snapshot import Place, Snapshot
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.keras_multiworker import asking, cluster, model_state, positions
from kubefit_trainer.keras_multiworker.positions import Position

_OF_DATA = (
    "x",
    "y",
    "batch_size",
    "sample_weight",
    "steps_per_epoch",
    "shuffle",
    "validation_split",
    "validation_data",
    "class_weight",
)
"""Arguments of `fit` that say what it trains on."""


class StoppedError(BaseException):
    """All workers have kept their state at the same step, because one of them is to stop.

    No `Exception`, so that a program's own handlers let it pass.
    """

    def __init__(self) -> None:
        super().__init__("a worker was told to stop; the state of training is kept")


class Fits:
    """All calls of `fit` of this process."""

    def __init__(
        self, keeper: Keeper, reporter: Reporter, *, run: str, resume: Snapshot | None, ends: Path
    ) -> None:
        self.keeper, self.reporter, self.run = keeper, reporter, run
        self.resume = resume
        self.found: dict[str, Any] = dict(resume.found) if resume else {}
        self.histories: list[dict[str, Any]] = _histories(resume) if resume else []
        """`epoch` and `history` of every fit so far, the one under way included."""
        self.ends = ends
        self.current: _Fit | None = None
        self._count = 0
        self._models: list[Any] = []
        self._last = 0

    def number_of(self, model: Any) -> int:
        """Number of a model among those that were fitted."""
        for number, known in enumerate(self._models):
            if known is model:
                return number
        self._models.append(model)
        return len(self._models) - 1

    def fit(self, original: Callable[..., Any], model: Any, arguments: dict[str, Any]) -> Any:
        """Runs one call of `fit`, from where it was interrupted."""
        number, self._count = self._count, self._count + 1
        resume = self.resume
        if resume is not None and self._is_over(number, resume.place):
            return self._over(original, model, arguments, number, resume)
        mine = resume if resume is not None and number == resume.place.fit else None
        if mine is not None:
            stopped = mine.place.stopped
            arguments["initial_epoch"] = arguments.get("epochs", 1) if stopped else mine.place.epoch
        if number == len(self.histories):
            self.histories.append({"epoch": [], "history": {}})
        if self.number_of(model) != self._last:
            # What this one is trained with may come of the last: its end has to be there first.
            self.keeper.flush()
        self._last = self.number_of(model)
        self.current = _Fit(self, number, model, mine)
        positions.follow(self.current)
        try:
            history = original(model, **arguments)
            self.current.end()
        finally:
            self.current = None
            positions.follow(None)
        return history

    @staticmethod
    def _is_over(number: int, place: Place) -> bool:
        return number < place.fit or (number == place.fit and place.ended)

    def _over(
        self,
        original: Callable[..., Any],
        model: Any,
        arguments: dict[str, Any],
        number: int,
        resume: Snapshot,
    ) -> Any:
        """What a call of `fit` left behind that was over before; nothing is trained."""
        given = {name: arguments[name] for name in _OF_DATA if name in arguments}
        history = original(model, **given, epochs=0, verbose=0)
        _restore_history(history, self.histories[number])
        if number == resume.place.fit:
            _restore_model(model, resume)
            _restore_counts(self, resume)
            random_state.restore(resume.random)
            return history
        if not self._restore_end(model, number, resume.place) and (
            self.number_of(model) != resume.place.model
        ):
            raise ConfigurationError(
                f"call {number + 1} of fit was over before, and {self.ends} has no checkpoint of"
                " the end of it; set spec.checkpoint.resume to false to begin anew"
            )
        return history

    def _restore_end(self, model: Any, number: int, place: Place) -> bool:
        """Restores the end of a call; False if no end of that model's training can be read.

        Of several calls that train one model the last alone leaves weights, those that count.
        """
        of_model = self.number_of(model)
        for saved in store.found(self.ends):
            if saved.model == of_model and saved.step <= place.step:
                try:
                    if store.meta_of(saved.path)["place"]["fit"] == number:
                        _restore_model(model, snapshot.read(saved.path))
                except store.DamagedError as error:
                    _say(str(error))
                    return False
                return True
        return False


class _Fit(keras.callbacks.Callback):  # type: ignore[misc]
    """Follows one call of `fit`: its last callback, and the follower of its data."""

    def __init__(self, fits: Fits, number: int, model: Any, resume: Snapshot | None) -> None:
        super().__init__()
        self._fits = fits
        self._number = number
        self._model_number = fits.number_of(model)
        self._resume = resume
        self._epoch = 0
        self._steps = 0
        """Steps done in the epoch under way."""
        self._before = fits.reporter.report.step
        """Steps done before the epoch under way."""
        self._examples = fits.reporter.report.examples
        """Samples before the epoch under way."""
        self._next = Position()
        self._jump: Position | None = None
        self.list: Any = None

    def on_train_begin(self, logs: Any = None) -> None:
        """State between two epochs is in place before the next one's callbacks."""
        resume = self._resume
        if resume is None:
            return
        place = resume.place
        _say(f"going on from step {place.step}, epoch {place.epoch + 1}")
        _restore_counts(self._fits, resume, within=place.epoch_step)
        self._before = place.step - place.epoch_step
        self._jump = Position(passes=place.passes, drawn=place.drawn, step=place.epoch_step)
        self._next = self._jump
        # Another callback's backup does not decide any more.
        self.model._initial_epoch = 0
        self._restore(resume)

    def _restore(self, resume: Snapshot) -> None:
        _restore_model(self.model, resume)
        self._restore_callbacks(resume)
        random_state.restore(resume.random)

    def _restore_callbacks(self, resume: Snapshot) -> None:
        # By class and order: the chief may have callbacks that the others lack.
        left = list(resume.callbacks)
        for callback in self._theirs():
            name = type(callback).__qualname__
            state = next((one for one in left if one["class"] == name), None)
            if state is not None:
                left.remove(state)
                callback_state.restore(callback, state, resume.arrays)
        _restore_history(self.model.history, self._fits.histories[self._number])

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """State within an epoch is put over what Keras and the callbacks have begun it with."""
        self._epoch, self._steps = epoch, 0
        self._examples = self._fits.reporter.report.examples
        resume, self._resume = self._resume, None
        if resume is None:
            return
        self._steps = resume.place.epoch_step
        if resume.place.epoch_step:
            self._restore(resume)
            model_state.restore_local(self.model, resume.arrays)
            _restore_counts(self._fits, resume)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Counts."""
        self._steps = batch + 1

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """A snapshot that was due at the end of an epoch is taken when all else is done."""
        self._epoch, self._before, self._steps = epoch + 1, self._before + self._steps, 0
        self._answer(self._next)

    def begins(self) -> Position | None:
        """Where the epoch that is about to begin has its first step."""
        jump, self._jump = self._jump, None
        return jump

    def between_steps(self, position: Position) -> None:
        """Takes a snapshot if all workers have agreed to, after the callbacks of the last step."""
        if getattr(self.list, "_futures", None):
            self.list._clear_futures()
        self._steps = position.step
        self._answer(position)

    def after_epoch(self, position: Position) -> None:
        """Remembers where the next epoch will begin."""
        self._next = position

    def skips(self, steps: int) -> None:
        """Says what drawing and throwing away means."""
        _say(
            f"the epoch goes on by drawing and skipping {steps} batches of its data; a shuffle"
            " without a seed, or random maps, may differ"
        )

    def _answer(self, position: Position) -> None:
        heard = asking.heard()
        stop = asking.Request.STOP in heard
        if heard:
            self._keep(position, checkpoint=stop)
        if stop:
            self._fits.keeper.flush()
            raise StoppedError
        if cluster.member().chief and self._fits.keeper.due(self._before + self._steps):
            asking.make(asking.Request.SNAPSHOT)

    def end(self) -> None:
        """Keeps the state at the end of this call."""
        if self.list is not None:
            self._keep(self._next, checkpoint=True, ended=True)

    def _keep(self, position: Position, *, checkpoint: bool, ended: bool = False) -> None:
        fits = self._fits
        arrays = model_state.capture(self.model)
        callbacks = [
            callback_state.of(callback, f"callback/{index}", arrays)
            for index, callback in enumerate(self._theirs())
        ]
        fits.histories[self._number] = _history(self.model)
        histories = [
            callback_state.plain(history, f"history/{number}", arrays)
            for number, history in enumerate(fits.histories)
        ]
        kept = Snapshot(
            place=Place(
                fit=self._number,
                model=self._model_number,
                epoch=self._epoch,
                step=self._before + self._steps,
                examples=self._examples if self._steps else fits.reporter.report.examples,
                epoch_step=self._steps,
                passes=position.passes,
                drawn=position.drawn,
                ended=ended,
                stopped=bool(self.model.stop_training),
            ),
            run=fits.run,
            names=model_state.describe(self.model),
            callbacks=callbacks,
            histories=histories,
            random=random_state.capture(),
            found=dict(fits.found),
            arrays=arrays,
        )
        fits.keeper.keep(kept, checkpoint=checkpoint)

    def _theirs(self) -> list[Any]:
        """Callbacks of the program; those that are ours, or write files, begin anew."""
        none = (
            keras.callbacks.TensorBoard,
            keras.callbacks.ProgbarLogger,
            keras.callbacks.CSVLogger,
            keras.callbacks.RemoteMonitor,
            keras.callbacks.BackupAndRestore,
            keras.callbacks.History,
            progress.Progress,
            _Fit,
        )
        return [
            callback
            for callback in self.list.callbacks
            if not isinstance(callback, none)
            and not type(callback).__module__.startswith("kubefit_trainer.keras_multiworker")
        ]


def _history(model: Any) -> dict[str, Any]:
    """What History has of a fit; metrics of many numbers are arrays, and programs add their own."""
    history = model.history
    values = {name: [_plain(value) for value in kept] for name, kept in history.history.items()}
    return {"epoch": [int(epoch) for epoch in history.epoch], "history": values}


def _plain(value: Any) -> Any:
    found = np.asarray(value) if keras.ops.is_tensor(value) else value
    try:
        callback_state.plain(found, "", {})
    except callback_state.NotPlainError:
        return repr(found)
    return found


def _histories(resume: Snapshot) -> list[dict[str, Any]]:
    return [callback_state.restored(history, resume.arrays) for history in resume.histories]


def _restore_history(history: Any, kept: Mapping[str, Any]) -> None:
    history.epoch = list(kept["epoch"])
    history.history = {name: list(values) for name, values in kept["history"].items()}


def _restore_model(model: Any, resume: Snapshot) -> None:
    states = sum(key.startswith("optimizer/") for key in resume.arrays)
    if states > len(model.optimizer.variables):
        # The one that a model with optimizers of its own never uses is never built.
        with model.distribute_strategy.scope():
            model.optimizer.build(model.trainable_variables)
    try:
        model_state.check(model, resume.arrays, resume.names)
    except model_state.OtherModelError as error:
        raise ConfigurationError(
            f"the checkpoint of step {resume.place.step} is that of another model: {error};"
            " set spec.checkpoint.resume to false to begin anew"
        ) from error
    model_state.restore(model, resume.arrays)


def _restore_counts(fits: Fits, resume: Snapshot, *, within: int = 0) -> None:
    """Steps and samples that were told before; less those of an epoch that counts its own."""
    place = resume.place
    step = place.step
    fits.reporter.update(step=step - within, examples=place.examples, resumed_from=step)
    fits.keeper.begin_at(place.step)


def _say(message: str) -> None:
    if cluster.member().chief:
        print(f"kubefit: {message}", file=sys.stderr, flush=True)


def install(fits: Fits) -> None:
    """Makes `fit` of every model keep snapshots; after everything else that changes Keras."""
    trainer = tf_trainer.TensorFlowTrainer
    original = trainer.fit
    signature = inspect.signature(original)
    list_init = callback_list.CallbackList.__init__

    @functools.wraps(original)
    def followed(self: Any, *args: Any, **kwargs: Any) -> Any:
        ours = cluster.is_ours(self.distribute_strategy)
        if not ours or fits.current is not None or progress.is_trial():
            return original(self, *args, **kwargs)
        arguments = dict(signature.bind(self, *args, **kwargs).arguments)
        arguments.pop("self")
        return fits.fit(original, self, arguments)

    def with_follower(self: Any, *args: Any, **kwargs: Any) -> None:
        list_init(self, *args, **kwargs)
        current = fits.current
        if current is not None and current.list is None:
            current.list = self
            current.set_params(self.params)
            current.set_model(self.model)
            self.callbacks.append(current)

    trainer.fit = followed
    callback_list.CallbackList.__init__ = with_follower
