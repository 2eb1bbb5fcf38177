"""Progress of every `Model.fit` and `Model.evaluate`, told to the agent without the user's doing.

Knows neither Keras: `of_keras` and `of_tf_keras` put it into theirs.

Logs of a batch are converted only when a report is due. They are the results of the step that all
workers ran together, so that reading them starts no collective.
"""

import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kubefit.api.contract import TrainerPhase
from kubefit_trainer.callbacks.epochs import next_number
from kubefit_trainer.callbacks.reporter import Reporter, numbers
from kubefit_trainer.callbacks.samples import Samples, announced, samples_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Place of one call of fit among several that are one training."""

    epochs: int | None
    done: int
    """Epochs before it."""
    trial: bool = False
    """Whether its steps are thrown away, and so are not told."""


_plan: list[Plan] = []


def announce(*, epochs: int, done: int, trial: bool = False) -> None:
    """Tells that the next call of fit is part of a training of so many epochs, or only a trial."""
    _plan[:] = [Plan(epochs=epochs, done=done, trial=trial)]


def is_trial() -> bool:
    """Whether the next call of fit is a trial."""
    return bool(_plan) and _plan[0].trial


class Progress:
    """Tells a `Reporter` what one call of fit or evaluate does; a Keras's `Callback` goes with it.

    Callback lists of Keras give it `params` and `model`.
    """

    params: Mapping[str, Any]
    model: Any

    def __init__(self, reporter: Reporter, *, workers: int) -> None:
        super().__init__()
        self._reporter = reporter
        self._workers = workers
        self._step_before = 0
        self._examples_before = 0
        self._ended = 0.0
        self._silent = False

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Enters the phase Training; what an earlier evaluation gave is not that of this model."""
        self._reporter.fitting = True
        plan = _plan.pop() if _plan else Plan(epochs=self.params.get("epochs"), done=0)
        self._silent = plan.trial
        if self._silent:
            return
        self._reporter.phase(
            TrainerPhase.TRAINING,
            epoch=plan.done,
            epochs=plan.epochs,
            steps_per_epoch=self.params.get("steps"),
            metrics=self._reporter.report.metrics if plan.done else {},
            evaluation={},
        )

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Epochs are told from 1."""
        if self._silent:
            return
        self._step_before = self._reporter.report.step
        self._examples_before = self._reporter.report.examples
        self._ended = time.monotonic()
        self._reporter.update(epoch=epoch + 1)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """A step took the time since the end of the one before: waiting for data included."""
        if self._silent:
            return
        now = time.monotonic()
        seconds, self._ended = now - self._ended, now
        samples = getattr(self.model, _SAMPLES, None)
        seen = samples.after(batch + 1) // self._workers if isinstance(samples, Samples) else 0
        due = self._reporter.step(
            step=self._step_before + batch + 1,
            examples=self._examples_before + seen,
            seconds=max(0.0, seconds),
        )
        if due:
            self._tell(logs)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Logs of an epoch have those of validation too."""
        if self._silent:
            return
        self._reporter.epochs = next_number(self._reporter.epochs, epoch)
        done = self._reporter.report.step - self._step_before
        self._tell(logs, steps_per_epoch=self.params.get("steps") or done)

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """The last logs must not be lost to the interval."""
        self._reporter.fitting = False
        if not self._silent:
            self._reporter.phase(TrainerPhase.TRAINING)

    def on_test_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Validation within fit is part of training."""
        if not self._reporter.fitting:
            self._reporter.phase(TrainerPhase.EVALUATING)

    def on_test_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """A sign of life: evaluations may take long."""
        self._reporter.update()

    def on_predict_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Predictions too."""
        self._reporter.update()

    def on_test_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """What `evaluate` gives outside of fit is the evaluation, loss among it."""
        if not self._reporter.fitting:
            self._reporter.phase(TrainerPhase.EVALUATING, evaluation=numbers(logs))

    def _tell(self, logs: Mapping[str, Any] | None, **changes: Any) -> None:
        found = numbers(logs)
        loss = found.pop("loss", None)
        # Logs of a batch lack those of the last validation.
        latest = {**self._reporter.report.metrics, **found}
        diverged = loss is None and "loss" in (logs or {})
        self._reporter.update(loss=loss, diverged=diverged, metrics=latest, **changes)


def _as_export(method: Callable[..., Any], reporter: Reporter) -> Callable[..., Any]:
    """Saving a model is the phase Exporting, unless a callback does it in the midst of training."""

    @functools.wraps(method)
    def exporting(self: Any, *args: Any, **kwargs: Any) -> Any:
        before = reporter.report.phase
        if reporter.fitting or before is TrainerPhase.EXPORTING:
            return method(self, *args, **kwargs)
        reporter.phase(TrainerPhase.EXPORTING)
        try:
            return method(self, *args, **kwargs)
        finally:
            reporter.phase(before)

    return exporting


_SAMPLES = "_kubefit_samples"


def report_exports(model: Any, reporter: Reporter) -> None:
    """Makes `save` and `export` of a class of models the phase Exporting."""
    for name in ("save", "export"):
        setattr(model, name, _as_export(getattr(model, name), reporter))


def counting(fit: Callable[..., Any], reporter: Reporter) -> Callable[..., Any]:
    """`fit` of a Keras that remembers the samples of its steps for `Progress`."""

    @functools.wraps(fit)
    def counted(self: Any, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        batch_size = args[0] if args else kwargs.get("batch_size")
        samples = samples_of(x, batch_size, split=kwargs.get("validation_split", 0.0))
        samples = samples or announced()
        object.__setattr__(self, _SAMPLES, samples)
        try:
            return fit(self, x, y, *args, **kwargs)
        finally:
            reporter.fitting = False

    return counted
