"""All calls of `Model.fit` of a program, which goes on in the midst of one.

A program that is started anew runs from its first line again. Calls of `fit` that were over before
are not run: their weights and their History come back. The one that was interrupted goes on where
it was, and those after it run as ever.
"""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kubefit_trainer.callbacks.reporter import Reporter
from kubefit_trainer.checkpoints import csv_log, history, random_state, snapshot, store
from kubefit_trainer.checkpoints.followed_fit import FollowedFit, Program, StoppedError
from kubefit_trainer.checkpoints.initial import Initial
from kubefit_trainer.checkpoints.keeper import Keeper
from kubefit_trainer.checkpoints.restoring import restore_counts, restore_model, say
from kubefit_trainer.checkpoints.snapshot import Place, Snapshot
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.keras_multiworker import asking, positions
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


class Fits:
    """All calls of `fit` of this process."""

    def __init__(
        self,
        keeper: Keeper,
        reporter: Reporter,
        *,
        run: str,
        resume: Snapshot | None,
        ends: Path,
        initial: Initial,
    ) -> None:
        self.keeper, self.initial = keeper, initial
        self.found: dict[str, Any] = dict(resume.found) if resume else {}
        self.current: FollowedFit | None = None
        self._resume, self._ends = resume, ends
        self._program = Program(
            keeper=keeper,
            reporter=reporter,
            run=run,
            found=self.found,
            histories=history.all_of(resume) if resume else [],
        )
        self._count = 0
        self._models: list[Any] = []
        self._last = 0

    @property
    def go_on(self) -> bool:
        """Whether they go on from a snapshot."""
        return self._resume is not None

    def _number_of(self, model: Any) -> int:
        """Number of a model among those that were fitted."""
        for number, known in enumerate(self._models):
            if known is model:
                return number
        self._models.append(model)
        return len(self._models) - 1

    def fit(self, original: Callable[..., Any], model: Any, arguments: dict[str, Any]) -> Any:
        """Runs one call of `fit`, from where it was interrupted."""
        number, self._count = self._count, self._count + 1
        resume = self._resume
        if resume is not None and self._is_over(number, resume.place):
            return self._over(original, model, arguments, number, resume)
        mine = resume if resume is not None and number == resume.place.fit else None
        logs: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
        if mine is not None:
            first = arguments.get("initial_epoch", 0)
            logs = csv_log.going_on(arguments.get("callbacks"), mine.place.epoch, first=first)
            stopped = mine.place.stopped and not mine.place.over
            arguments["initial_epoch"] = arguments.get("epochs", 1) if stopped else mine.place.epoch
            random_state.restore(mine.random_before)
        if number == len(self._program.histories):
            self._program.histories.append({"epoch": [], "history": {}})
        if self._number_of(model) != self._last:
            # What this one is trained with may come of the last: its end has to be there first.
            with self._program.reporter.keeping():
                self.keeper.flush()
        self._last = self._number_of(model)
        self.current = FollowedFit(
            self._program,
            number=number,
            model=self._last,
            resume=mine,
            random_before=random_state.capture(),
        )
        positions.follow(self.current)
        try:
            with logs:
                found = original(model, **arguments)
            self.current.end()
        finally:
            self.current = None
            positions.follow(None)
        if asking.made(asking.Request.STOP):
            # Too late for the others to hear of it.
            self.stop()
        return found

    def stop(self) -> None:
        """Ends this process between two calls of `fit`, when the end of the last one is kept.

        Raises:
            StoppedError: always.

        """
        self.keeper.flush()
        raise StoppedError

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
        positions.follow(_Over(self._program.histories[number].get("passes", 0)))
        found = original(model, **given, epochs=0, verbose=0)
        history.restore(found, self._program.histories[number])
        if number == resume.place.fit:
            restore_model(model, resume)
            restore_counts(self._program.reporter, self.keeper, resume)
            random_state.restore(resume.random)
            return found
        if not self._restore_end(model, number, resume.place) and (
            self._number_of(model) != resume.place.model
        ):
            raise ConfigurationError(
                f"call {number + 1} of fit was over before, and {self._ends} has no checkpoint of"
                " the end of it; set spec.checkpoint.resume to false (kubefit run --fresh) to begin"
                " anew"
            )
        random_state.restore(self._program.histories[number].get("random", {}))
        return found

    def _restore_end(self, model: Any, number: int, place: Place) -> bool:
        """Restores the end of a call; False if no end of that model's training can be read.

        Of several calls that train one model the last alone leaves weights, those that count.
        """
        of_model = self._number_of(model)
        for saved in store.found(self._ends):
            if saved.model == of_model and saved.step <= place.step:
                try:
                    if store.meta_of(saved.path)["place"]["fit"] == number:
                        restore_model(model, snapshot.read(saved.path))
                except store.DamagedError as error:
                    say(str(error))
                    return False
                return True
        return False


class _Over:
    """Follows the data of a call of `fit` that was over before: a shuffle goes on after them."""

    def __init__(self, passes: int) -> None:
        self._passes = passes

    def passed(self) -> int:
        """Those that were done."""
        return self._passes

    def begins(self) -> Position | None:
        """No epoch begins."""
        return None

    def begun(self) -> None:
        """No epoch begins."""

    def between_steps(self, position: Position) -> None:
        """No steps are done."""

    def after_epoch(self, position: Position) -> None:
        """No epochs either."""

    def skips(self, steps: int) -> None:
        """Nothing is skipped."""
