"""One call of `Model.fit` of Keras 3: where it is, its snapshots, and going on from one."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import keras

from kubefit_trainer.callbacks import histograms, profile, progress
from kubefit_trainer.callbacks.reporter import Reporter
from kubefit_trainer.checkpoints import callback_state, history, random_state
from kubefit_trainer.checkpoints.callback_state import Settings
from kubefit_trainer.checkpoints.keeper import Keeper
from kubefit_trainer.checkpoints.restoring import restore_counts, restore_model, say
from kubefit_trainer.checkpoints.snapshot import Place, Snapshot
from kubefit_trainer.keras_multiworker import asking, cluster, epochs, model_state
from kubefit_trainer.keras_multiworker.positions import Position


class StoppedError(BaseException):
    """All workers have kept their state at the same step, because one of them is to stop.

    No `Exception`, so that a program's own handlers let it pass.
    """

    def __init__(self) -> None:
        super().__init__("a worker was told to stop; the state of training is kept")


@dataclass(slots=True, kw_only=True)
class Program:
    """What all calls of `fit` of a program share."""

    keeper: Keeper
    reporter: Reporter
    run: str
    found: dict[str, Any] = field(default_factory=dict)
    """What was found out before training."""
    histories: list[dict[str, Any]] = field(default_factory=list)
    """What is left of every fit so far, the one under way included."""
    settings: Settings = field(default_factory=Settings)


class FollowedFit(keras.callbacks.Callback):  # type: ignore[misc]
    """Follows one call of `fit`: its last callback, and the follower of its data."""

    def __init__(
        self,
        program: Program,
        *,
        number: int,
        model: int,
        resume: Snapshot | None,
        random_before: Mapping[str, Any],
    ) -> None:
        super().__init__()
        self._program = program
        self._number = number
        self._model_number = model
        self._resume = resume
        self._random_before = random_before
        self._epoch = 0
        self._steps = 0
        """Steps done in the epoch under way."""
        self._before = program.reporter.report.step
        """Steps done before the epoch under way."""
        self._examples = program.reporter.report.examples
        """Samples before the epoch under way."""
        self._next = Position()
        self._jump: Position | None = None
        self._logs: Any = None
        """Results of the steps of the epoch, once they are done."""
        self._validations = 0
        self._validating = False
        self._skipped = False
        self._drawing: dict[str, Any] = {}
        """Random numbers as data are drawn from that are begun anew."""
        self._going_on: dict[str, Any] = {}
        """Random numbers as they were at the snapshot."""
        self._kept = -1
        """Step of the last snapshot: two of one step would meet on different workers."""
        self.list: Any = None

    def on_train_begin(self, logs: Any = None) -> None:
        """State between two epochs is in place before the next one's callbacks."""
        for callback in self._theirs():
            self._program.settings.see(callback)
        resume = self._resume
        if resume is None:
            return
        place = resume.place
        self._drawing = random_state.capture()
        say(f"going on from step {place.step}, epoch {place.epoch + 1}")
        restore_counts(
            self._program.reporter, self._program.keeper, resume, within=place.epoch_step
        )
        self._before = place.step - place.epoch_step
        self._kept = place.step
        self._validations = place.validations
        self._jump = Position(
            passes=place.passes, drawn=place.drawn, step=place.epoch_step, over=place.over
        )
        self._next = self._jump
        # Another callback's backup does not decide any more.
        self.model._initial_epoch = 0
        self._restore(resume)

    def _restore(self, resume: Snapshot) -> None:
        restore_model(self.model, resume)
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
                if not callback_state.restore(callback, state, resume.arrays):
                    say(f"{name} begins anew, as it watched {state['monitor']} before")
        history.restore(self.model.history, self._program.histories[self._number])

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """State within an epoch is put over what Keras and the callbacks have begun it with."""
        self._epoch, self._steps = epoch, 0
        self._examples = self._program.reporter.report.examples
        resume, self._resume = self._resume, None
        if resume is None:
            return
        self._steps = resume.place.epoch_step
        if resume.place.epoch_step:
            self._restore(resume)
            model_state.restore_local(self.model, resume.arrays)
            restore_counts(self._program.reporter, self._program.keeper, resume)
        if resume.place.over:
            self._logs = callback_state.restored(resume.logs, resume.arrays)
            self.model.stop_training = resume.place.stopped

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Counts."""
        self._steps = batch + 1

    def results(self, logs: Any) -> Any:
        """What the steps of an epoch gave, of which some may have been done before a restart."""
        if self._validating:
            return logs
        self._logs = logs or self._logs
        return self._logs

    def on_test_begin(self, logs: Any = None) -> None:
        """Validation data are where they would be."""
        self._validating = True
        iterator = self.model._eval_epoch_iterator
        if epochs.place(iterator).passes < self._validations:
            epochs.begin_at(iterator, Position(passes=self._validations))

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """A validation may take long: a worker that is to stop does not wait for its end."""
        if asking.is_heard(asking.Request.STOP):
            self._answer(self._next, over=True)

    def on_test_end(self, logs: Any = None) -> None:
        """Counts."""
        self._validating, self._validations = False, self._validations + 1

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """A snapshot that was due at the end of an epoch is taken when all else is done."""
        self._epoch, self._before, self._steps = epoch + 1, self._before + self._steps, 0
        self._logs = None
        self._answer(self._next)

    def passed(self) -> int:
        """All passes over the data are to be done."""
        return 0

    def begins(self) -> Position | None:
        """Where the epoch that is about to begin has its first step."""
        jump, self._jump = self._jump, None
        if jump is not None:
            self._going_on = random_state.capture()
            random_state.restore(self._drawing)
        return jump

    def begun(self) -> None:
        """Random numbers go on where they were; drawing the data may have brought them there."""
        going_on, self._going_on = self._going_on, {}
        if going_on and not (self._skipped and random_state.capture() != self._drawing):
            random_state.restore(going_on)

    def between_steps(self, position: Position) -> None:
        """Takes a snapshot if all workers have agreed to, after the callbacks of the last step."""
        self._steps = position.step
        self._answer(position)

    def after_epoch(self, position: Position) -> None:
        """Remembers where the next epoch will begin."""
        self._next = position

    def skips(self, steps: int) -> None:
        """Says what drawing and throwing away means."""
        self._skipped, self._drawing = True, random_state.capture()
        if steps:
            say(
                f"the epoch goes on by drawing and skipping {steps} batches of its data; a shuffle"
                " without a seed, or random maps, may differ"
            )

    def _answer(self, position: Position, *, over: bool = False) -> None:
        heard, step = asking.heard(), self._before + self._steps
        stop = asking.Request.STOP in heard
        if heard and step != self._kept:
            self._keep(replace(position, over=over), checkpoint=stop)
            self._kept = step
        if stop:
            with self._program.reporter.keeping():
                self._program.keeper.flush()
            raise StoppedError
        if cluster.member().chief and self._program.keeper.due(step):
            asking.make(asking.Request.SNAPSHOT)

    def end(self) -> None:
        """Keeps the state at the end of this call."""
        if self.list is not None:
            self._keep(self._next, checkpoint=True, ended=True)

    def _keep(self, position: Position, *, checkpoint: bool, ended: bool = False) -> None:
        with self._program.reporter.keeping():
            kept = self._snapshot(position, ended=ended)
            self._program.keeper.keep(kept, checkpoint=checkpoint)

    def _snapshot(self, position: Position, *, ended: bool) -> Snapshot:
        program = self._program
        arrays = model_state.capture(self.model)
        callbacks = [
            callback_state.of(
                callback, f"callback/{index}", arrays, program.settings, only=_only(callback)
            )
            for index, callback in enumerate(self._theirs())
        ]
        random = random_state.capture()
        program.histories[self._number] = history.of(self.model) | {
            "passes": position.passes,
            # Most fits draw nothing from the generators that a program has of its own.
            "random": random if random != self._random_before else {},
        }
        histories = [
            callback_state.plain(one, f"history/{number}", arrays)
            for number, one in enumerate(program.histories)
        ]
        return Snapshot(
            place=Place(
                fit=self._number,
                model=self._model_number,
                epoch=self._epoch,
                step=self._before + self._steps,
                examples=self._examples if self._steps else program.reporter.report.examples,
                epoch_step=self._steps,
                passes=position.passes,
                drawn=position.drawn,
                over=position.over,
                validations=self._validations,
                ended=ended,
                stopped=bool(self.model.stop_training),
            ),
            run=program.run,
            names=model_state.describe(self.model),
            callbacks=callbacks,
            histories=histories,
            logs=callback_state.plain(history.logs_of(self._logs or {}), "logs", arrays)
            if position.over
            else {},
            random=random,
            random_before=self._random_before,
            found=dict(program.found),
            arrays=arrays,
        )

    def _theirs(self) -> list[Any]:
        """Callbacks of the program; those that are ours, or write files, begin anew."""
        none = (
            keras.callbacks.ProgbarLogger,
            keras.callbacks.CSVLogger,
            keras.callbacks.RemoteMonitor,
            keras.callbacks.BackupAndRestore,
            keras.callbacks.History,
            histograms.Histograms,
            profile.Profile,
            progress.Progress,
            FollowedFit,
        )
        return [
            callback
            for callback in self.list.callbacks
            if not isinstance(callback, none)
            and not type(callback).__module__.startswith("kubefit_trainer.keras_multiworker")
        ]


def _only(callback: Any) -> tuple[str, ...] | None:
    """Attributes to keep, where others are about files that the callback opens anew."""
    if isinstance(callback, keras.callbacks.TensorBoard):
        return ("_global_train_batch", "_global_test_batch")
    return None
