"""When snapshots are due, and the thread that writes them to memory and to the volume.

Training waits for the copy of the variables alone. While a snapshot is being written, only the
newest of those that come waits for its turn, and every one of the end of a model's training.
"""

import contextlib
import math
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kubefit.api.checkpoint import Checkpoint
from kubefit.api.contract import CheckpointReport
from kubefit_trainer.checkpoints import snapshot as snapshots
from kubefit_trainer.checkpoints import store
from kubefit_trainer.checkpoints.snapshot import Snapshot
from kubefit_trainer.failure import ConfigurationError

_IN_MEMORY = 2
"""Snapshots kept in memory: the older one is whole while the newer one is written."""
_RETRY_SECONDS = 30.0
"""Between two attempts at a volume that cannot be written."""


@dataclass(slots=True)
class _Last:
    """When something was done last."""

    step: int = 0
    time: float = 0.0

    def due(self, step: int, now: float, *, steps: int | None, seconds: float) -> bool:
        return now - self.time >= seconds or (steps is not None and step - self.step >= steps)


class Keeper:
    """Keeps snapshots of one process; only one that has a `volume` writes checkpoints there."""

    def __init__(
        self,
        settings: Checkpoint,
        *,
        memory: Path | None,
        volume: Path | None,
        grace_seconds: float = math.inf,
        tell: Callable[[CheckpointReport], None] = lambda report: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._memory, self._volume = memory, volume
        self._grace_seconds = grace_seconds
        self._tell, self._clock = tell, clock
        self._asked = _Last(time=clock())
        self._written = _Last(time=clock())
        self._report = CheckpointReport(step=0, time=0.0, seconds=0.0, size=0)
        self._failing_since: float | None = None
        self._next_try = -math.inf
        self._failed: str | None = None
        self._changed = threading.Condition()
        self._pending: deque[tuple[Snapshot, bool]] = deque()
        self._busy = False
        self._thread: threading.Thread | None = None

    def begin_at(self, step: int) -> None:
        """Counts steps from there, after a restart."""
        self._asked.step = self._written.step = step

    def soon(self) -> None:
        """Has the next snapshot taken at once, as a checkpoint."""
        self._asked, self._written = _Last(time=-math.inf), _Last(time=-math.inf)

    def due(self, step: int) -> bool:
        """Whether a snapshot should be taken after so many steps; says so once."""
        now, settings = self._clock(), self._settings
        due = self._checkpoint_due(step, now) or self._asked.due(
            step,
            now,
            steps=settings.memory_every_steps if self._memory else None,
            seconds=settings.memory_every_seconds if self._memory else math.inf,
        )
        if due:
            self._asked = _Last(step, now)
        return due

    def _checkpoint_due(self, step: int, now: float) -> bool:
        since = max(self._asked.time, self._written.time)
        last = _Last(max(self._asked.step, self._written.step), since)
        every = self._settings
        return last.due(step, now, steps=every.every_steps, seconds=every.every_seconds)

    def keep(self, snapshot: Snapshot, *, checkpoint: bool = False) -> None:
        """Has a snapshot written; as a checkpoint too if that is due or asked for.

        Raises:
            ConfigurationError: the volume could not be written for too long.

        """
        if self._failed is not None:
            raise ConfigurationError(self._failed)
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="snapshots", daemon=True)
                self._thread.start()
            if self._pending and _is_replaced(self._pending[-1][0], snapshot):
                _, asked = self._pending.pop()
                checkpoint = checkpoint or asked
            self._pending.append((snapshot, checkpoint))
            self._changed.notify_all()

    def flush(self) -> None:
        """Waits until all that was kept is written, or could not be."""
        with self._changed:
            self._changed.wait_for(lambda: not self._pending and not self._busy)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pending)
                snapshot, checkpoint = self._pending.popleft()
                self._busy = True
            try:
                self._write(snapshot, checkpoint=checkpoint)
            except Exception as error:
                # Without this thread, the end of training would wait for it for ever.
                self._fails(f"the snapshot of step {snapshot.place.step} cannot be kept: {error!r}")
            finally:
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()

    def _write(self, snapshot: Snapshot, *, checkpoint: bool) -> None:
        step, now = snapshot.place.step, self._clock()
        path = self._to_memory(snapshot)
        due = self._written.due(
            step, now, steps=self._settings.every_steps, seconds=self._settings.every_seconds
        )
        if self._volume is None:
            self._failing_since = None
            return
        if not (checkpoint or (due and now >= self._next_try)):
            return
        try:
            if path is None:
                path = snapshots.write(snapshot, self._volume)
            else:
                path = store.persist(path, self._volume)
        except OSError as error:
            why = error.strerror or error
            self._fails(f"no checkpoint can be written to {self._volume}: {why}")
            return
        store.prune(self._volume, keep=self._settings.keep)
        self._written, self._failing_since = _Last(step, now), None
        seconds = self._clock() - now
        self._warn_of_grace(seconds)
        self._report = CheckpointReport(
            step=step, time=time.time(), seconds=round(seconds, 3), size=path.stat().st_size
        )
        self._tell(self._report)

    def _to_memory(self, snapshot: Snapshot) -> Path | None:
        if self._memory is None:
            return None
        try:
            path = snapshots.write(snapshot, self._memory)
        except OSError as error:
            with contextlib.suppress(OSError):
                store.prune(self._memory, keep=1)
            _say(f"a snapshot cannot be kept in memory ({self._memory}): {error.strerror}")
            return None
        store.prune(self._memory, keep=_IN_MEMORY)
        return path

    def _fails(self, message: str) -> None:
        now = self._clock()
        self._next_try = now + _RETRY_SECONDS
        if self._failing_since is None:
            self._failing_since = now
            _say(f"{message}; training goes on, and it is tried again")
        elif now - self._failing_since >= self._settings.fail_after_seconds:
            since = now - self._failing_since
            self._failed = (
                f"spec.storage: {message}, for {since:.0f} s; free space or make the volume"
                " writable, or raise spec.checkpoint.failAfterSeconds"
            )
        self._report = self._report.model_copy(update={"failing": message})
        self._tell(self._report)

    def _warn_of_grace(self, seconds: float) -> None:
        if seconds > self._grace_seconds and self._report.step == 0:
            _say(
                f"a checkpoint took {seconds:.0f} s, and a pod that is told to stop has"
                f" {self._grace_seconds:g} s; raise terminationGracePeriodSeconds in"
                " spec.podTemplate.spec"
            )


def _is_replaced(waiting: Snapshot, new: Snapshot) -> bool:
    """Whether nobody needs the older of two snapshots; the end of a model is kept for itself."""
    same_model = new.place.ended and waiting.place.model == new.place.model
    return not waiting.place.ended or same_model


def _say(message: str) -> None:
    print(f"kubefit: {message}", file=sys.stderr, flush=True)
