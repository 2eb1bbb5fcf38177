"""A profile of some steps for TensorBoard; knows neither Keras.

TensorFlow names the folder of a profile by the time; here it has the name of its steps, so that
steps that are done again after a restart have one profile and not two. It appears when it is whole.
"""

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from kubefit_trainer.callbacks.reporter import Reporter


class Tracer:
    """Traces this process from one step to another, once."""

    def __init__(self, folder: Path, *, first: int, last: int) -> None:
        """Steps are counted from 1 over all calls of `fit`; the folder is that of TensorBoard."""
        self._first, self._last = first, last
        self._written = folder / "plugins" / "profile" / f"steps-{first}-{last}"
        self._scratch = folder / ".profile"
        self._tracing = self._ended = False
        self._step: Any = None
        self._reached = 0

    def before(self, steps: range) -> None:
        """Begins when the first step is to come, or a later one after a restart without a trace."""
        self._leave_step()  # `fit` may have failed within it
        if not self._tracing and self._is_due(steps):
            self._tracing = self._tried(self._begin)
        if self._tracing:
            self._step = tf.profiler.experimental.Trace("train", step_num=steps.start, _r=1)
            self._step.__enter__()

    def after(self, step: int) -> None:
        """Ends after the last step."""
        self._leave_step()
        if self._tracing:
            self._reached = step
        if step >= self._last:
            self.end()

    def end(self) -> None:
        """Writes what was traced; no further steps are."""
        if self._tracing:
            self._tracing, self._ended = False, True
            self._tried(self._write)

    def _leave_step(self) -> None:
        if self._step is not None:
            self._step.__exit__(None, None, None)
            self._step = None

    def _is_due(self, steps: range) -> bool:
        if self._ended or steps.stop <= self._first or self._last < steps.start:
            return False
        return self._first in steps or not self._written.exists()

    def _begin(self) -> None:
        shutil.rmtree(self._scratch, ignore_errors=True)
        tf.profiler.experimental.start(str(self._scratch))

    def _write(self) -> None:
        tf.profiler.experimental.stop()
        (made,) = (self._scratch / "plugins" / "profile").iterdir()
        self._written.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self._written, ignore_errors=True)
        made.rename(self._written)
        shutil.rmtree(self._scratch, ignore_errors=True)
        ended = "" if self._reached >= self._last else ", where this call of fit ended"
        print(
            f"kubefit: the profile up to step {self._reached}{ended} is in {self._written}",
            file=sys.stderr,
            flush=True,
        )

    def _tried(self, work: Any) -> bool:
        """Whether it could be done; a profile is not worth the training."""
        try:
            work()
        except (OSError, ValueError, tf.errors.OpError) as error:
            self._ended = True
            text = (str(error).splitlines() or [type(error).__name__])[0]
            print(f"no profile is written for TensorBoard: {text}", flush=True)
            return False
        return True


class Profile:
    """Tells a `Tracer` of the steps of one call of `fit`; a Keras's `Callback` goes with it."""

    model: Any

    def __init__(self, tracer: Tracer, reporter: Reporter) -> None:
        super().__init__()
        self._tracer, self._reporter = tracer, reporter
        self._step_before = 0

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Batches of an epoch that is gone on with are counted from its begin, too."""
        self._step_before = self._reporter.report.step

    def on_train_batch_begin(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Steps that are run in one go are traced in one go."""
        step = self._step_before + batch + 1
        self._tracer.before(range(step, step + self.steps_at_once()))

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Comes after the callback that counts steps."""
        self._tracer.after(self._reporter.report.step)

    def steps_at_once(self) -> int:
        """How many steps the model runs between two calls of its callbacks."""
        return int(getattr(self.model, "steps_per_execution", None) or 1)

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """What comes after a call of `fit` is no step."""
        self._tracer.end()
