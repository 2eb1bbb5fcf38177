"""Carries out a sweep: submits its trials, reads what they show, stops those that lose.

All that it knows is kept with the jobs, so that another process can go on where this one ended.
"""

import json
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from kubefit.api.errors import explain
from kubefit.api.names import (
    LABEL_SWEEP,
    SWEEP_CURVE,
    SWEEP_STOPPED,
    SWEEP_TRIAL,
    SWEEP_VALUES,
    Phase,
)
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.client.backend import Backend
from kubefit.client.curve import Epoch, curve_of
from kubefit.client.errors import ClientError, InvalidJobError
from kubefit.client.following import FINISHED
from kubefit.client.manifest import parse
from kubefit.client.refusals import ClusterError, ForbiddenError, UnreachableError
from kubefit.sweep import State, Sweep, Trial, child, decide, done, faults_of, name_of, values_of

_POLL_SECONDS = 2.0
_PATIENCE_SECONDS = 120.0
_OF_LINE = ("epoch", "seconds", "examples_per_second")

OnTrials = Callable[[list[Trial]], None]


def read_sweep(source: object, document: object) -> Sweep:
    """The sweep that a document describes; `source` is what people know it by.

    Raises:
        InvalidJobError: it is none, or one of its trials is no job; one sentence per fault.

    """
    try:
        sweep = Sweep.model_validate_json(json.dumps(document, default=str), strict=True)
    except ValidationError as error:
        raise InvalidJobError(*(f"{source}: {fault}" for fault in explain(error))) from error
    except (ValueError, RecursionError) as error:
        raise InvalidJobError(f"{source}: an anchor of the document refers to itself") from error
    except TypeError as error:
        raise InvalidJobError(
            f"{source}: the name of a field is no text: {error}; put it in quotes"
        ) from error
    faults = faults_of(sweep)
    if faults:
        raise InvalidJobError(*(f"{source}: {fault}" for fault in faults))
    return sweep


def run_sweep(
    sweep: Sweep, backend: Backend, *, on_trials: OnTrials, poll_seconds: float = _POLL_SECONDS
) -> list[Trial]:
    """Runs all trials that are not over yet; returns all of them at the end.

    `on_trials` gets all trials, in order, whenever they were looked at.

    Raises:
        ClientError: trials of another sweep have this one's name, or the objective is not measured.

    """
    running = _Running(sweep, backend)
    seen_at = time.monotonic()
    while True:
        try:
            trials = running.look()
            on_trials(trials)
            if done(sweep.spec, trials):
                return trials
            running.act(trials)
        except UnreachableError:
            if time.monotonic() > seen_at + _PATIENCE_SECONDS:
                raise
        else:
            seen_at = time.monotonic()
        time.sleep(poll_seconds)


class _Running:
    """A sweep under way, and the curves that were read already."""

    def __init__(self, sweep: Sweep, backend: Backend) -> None:
        self._sweep = sweep
        self._backend = backend
        self._values = values_of(sweep)
        self._metric = sweep.spec.objective.metric
        self._read: dict[str, tuple[int, dict[int, float]]] = {}
        """By the name of a job: the epoch that was under way, and the curve until then."""

    def look(self) -> list[Trial]:
        """All trials as they are now; writes down the curves of those that are over."""
        jobs = self._jobs()
        trials = [Trial(number=number, state=State.WAITING) for number in range(len(self._values))]
        for number, job in jobs.items():
            trials[number] = self._trial(number, job)
        return trials

    def act(self, trials: list[Trial]) -> None:
        """Stops and starts what is to be."""
        decision = decide(self._sweep.spec, trials)
        for number, reason in decision.stop.items():
            notes = {SWEEP_STOPPED: reason, **_kept(trials[number].curve, self._metric)}
            self._backend.note(name_of(self._sweep, number), notes, suspend=True)
        for number in decision.start:
            document = child(self._sweep, number, self._values[number])
            self._backend.submit(document, parse(f"trial {number}", document))

    def _jobs(self) -> dict[int, TrainingJob]:
        """The jobs that there are, by the numbers of their trials.

        Raises:
            ClientError: they were made of another file.

        """
        name = self._sweep.metadata.name
        found: dict[int, TrainingJob] = {}
        for job in self._backend.jobs({LABEL_SWEEP: name}):
            number, values = _of_sweep(job)
            if number >= len(self._values):
                raise ClientError(
                    f"job {job.metadata.name} is a trial of a sweep {name} with more than"
                    f" {len(self._values)} trials",
                    hint="trials may only become more; raise their number, or delete that job",
                )
            known = number >= 0
            if not known or json.loads(json.dumps(self._values[number])) != values:
                raise ClientError(
                    f"job {job.metadata.name} is of a sweep {name} with other parameters",
                    hint="give this sweep another metadata.name, or delete the jobs of that one",
                )
            found[number] = job
        return found

    def _trial(self, number: int, job: TrainingJob) -> Trial:
        notes, status = job.metadata.annotations, job.status
        failure = status.failure.message if status.failure else "nothing tells why"
        if SWEEP_STOPPED in notes:
            state, note = State.STOPPED, notes[SWEEP_STOPPED]
        elif status.phase is Phase.SUCCEEDED:
            state, note = State.SUCCEEDED, ""
        elif status.phase is Phase.FAILED:
            again = self._backend.resumable(job)
            state, note = (State.WAITING, "") if again else (State.FAILED, failure)
        else:
            state, note = State.RUNNING, ""
        curve = {} if state is State.WAITING else self._curve(job)
        if state is State.SUCCEEDED and not curve:
            state, note = State.FAILED, f"it has told no {self._metric}"
        return Trial(number=number, state=state, curve=curve, note=note)

    def _curve(self, job: TrainingJob) -> dict[int, float]:
        """The objective by epoch; what is written down is not read again."""
        name, status = job.metadata.name, job.status
        kept = _curve_in(job.metadata.annotations.get(SWEEP_CURVE, "{}"), self._metric)
        if kept:
            return kept
        over = status.phase in FINISHED
        under_way = status.progress.epoch if status.progress else None
        before = self._read.get(name)
        if before is not None and before[0] == under_way and not over:
            return before[1]
        known = before[1] if before is not None else {}
        try:
            lines = [line for _, line in self._backend.logs(name, rank=0, follow=False)]
        except ForbiddenError:
            raise
        except ClusterError as error:
            if over and isinstance(error, UnreachableError):
                raise
            # The pod is lost, or its node does not answer: others go on meanwhile.
            if not over:
                return known
            lines = []
        epochs = curve_of(lines, over=over)
        # A pod that was replaced begins its output anew.
        curve = known | {
            int(epoch["epoch"]): epoch[self._metric] for epoch in epochs if self._metric in epoch
        }
        if over and not curve:
            curve = self._last(job)
        if status.phase is Phase.SUCCEEDED and epochs and not curve:
            raise self._unmeasured(name, epochs)
        if under_way is not None:
            self._read[name] = (under_way, curve)
        if over and curve:
            self._backend.note(name, _kept(curve, self._metric))
        return curve

    def _unmeasured(self, name: str, epochs: list[Epoch]) -> ClientError:
        keys = dict.fromkeys(key for epoch in epochs for key in epoch)
        told = ", ".join(key for key in keys if key not in _OF_LINE)
        return ClientError(
            f"spec.objective.metric: {self._metric} is not among what {name} measures: {told}",
            hint="name one of these; the same sweep then goes on",
        )

    def _last(self, job: TrainingJob) -> dict[int, float]:
        """What the status says at the end, of a program that prints nothing."""
        progress = job.status.progress
        if progress is None:
            return {}
        logs = {"loss": progress.loss, **progress.metrics}
        value = logs.get(self._metric)
        return {} if value is None else {progress.epoch or 1: value}


def _of_sweep(job: TrainingJob) -> tuple[int, Any]:
    notes = job.metadata.annotations
    try:
        return int(notes.get(SWEEP_TRIAL, "")), json.loads(notes.get(SWEEP_VALUES, ""))
    except ValueError:
        return -1, None


def _kept(curve: Mapping[int, float], metric: str) -> dict[str, str]:
    """The annotation that keeps a curve; JSON has no NaN."""
    told = {str(n): value if math.isfinite(value) else None for n, value in curve.items()}
    return {SWEEP_CURVE: json.dumps({"metric": metric, "epochs": told})}


def _curve_in(text: str, metric: str) -> dict[int, float]:
    """The curve that was kept; empty if it is one of something else."""
    kept: dict[str, Any] = json.loads(text)
    epochs: dict[str, float | None] = kept["epochs"] if kept.get("metric") == metric else {}
    return {int(n): math.nan if value is None else value for n, value in epochs.items()}
