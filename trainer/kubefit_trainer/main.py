"""The TensorFlow process of one worker: the recipe or the user's program on the common strategy.

Started by the agent, which it tells by files how far it is and why it failed. Ends together with
all other workers, or at once when it fails, so that they notice.
"""

import atexit
import contextlib
import faulthandler
import os
import signal
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubefit.api.contract import ExitCode, Failure, RunConfig, TrainerPhase
from kubefit.api.names import Env
from kubefit.api.version import __version__
from kubefit_trainer import lifeline, report, restarts, runtimes, script, which_keras
from kubefit_trainer.callbacks.reporter import Reporter
from kubefit_trainer.failure import ConfigurationError

_LAST_BARRIER_SECONDS = 24 * 3600.0
"""The chief may export and evaluate for long while the others wait; a death ends the waiting."""
_LINGER_SECONDS = 0.5
_EXIT_SECONDS = 10.0
_STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What the agent gave this process."""

    config: RunConfig
    rank: int
    progress_file: Path
    failure_file: Path

    @property
    def folder(self) -> Path:
        """A folder of this process's own, which the agent removes."""
        return self.failure_file.parent


def _start() -> Start:
    return Start(
        config=RunConfig.model_validate_json(Path(os.environ[Env.RUN_CONFIG]).read_bytes()),
        rank=int(os.environ[Env.RANK]),
        progress_file=Path(os.environ[Env.PROGRESS_FILE]),
        failure_file=Path(os.environ[Env.FAILURE_FILE]),
    )


def main() -> None:
    """Trains, then leaves the process with 0 or, after writing a `Failure`, its exit code."""
    # The agent made this process the leader of its group: the program's own children go with it.
    lifeline.watch(lambda: os.killpg(0, signal.SIGKILL))
    lifeline.die_with_parent()
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    start = _start()
    reporter = Reporter(start.progress_file, reached=int(os.environ.get(Env.REACHED, "0")))
    reporter.phase(TrainerPhase.STARTING)
    program = script.load(start.config) if start.config.script else None
    path = script.place(program, start.folder) if program else None
    runtime = None
    try:
        runtime = runtimes.load(start.config.runtime)
        _train(start, reporter, runtime, program, path)
        failure = None
    except BaseException as error:
        from kubefit_trainer import classify

        failure = classify.failure_of(
            error,
            rank=start.rank,
            workers=start.config.workers,
            program=path,
            label=program.label if program else "",
            explained=runtime.explained if runtime else {},
        )
        if runtime is not None and failure is not None:
            _end_together(failure, runtime)
        if failure is not None and _worth_a_traceback(error, failure):
            frames = classify.of_program(error.__traceback__, path)
            traceback.print_exception(type(error), error, frames)
    _leave(failure, start, reporter, has_peers=runtime is not None and runtime.met())


def _train(
    start: Start,
    reporter: Reporter,
    runtime: runtimes.Loaded,
    program: script.Program | None,
    path: Path | None,
) -> None:
    config = start.config
    strategy = runtime.strategy()
    from kubefit_trainer.callbacks.inspection import NOTHING, asked

    inspection = asked(config) if runtime.is_chief() else NOTHING
    runtime.report_progress(reporter, workers=config.workers, inspection=inspection)
    versions = {"kubefit": __version__, **runtime.versions()}
    reporter.phase(TrainerPhase.STARTING, versions=versions)
    fits = runtime.keep_snapshots(config, reporter) if runtime.keep_snapshots else None
    if program is not None and path is not None and config.script is not None:
        if restarts.is_one() and runtime.is_chief() and not (fits and fits.go_on):
            print(f"kubefit: {runtime.anew}", file=sys.stderr, flush=True)
        which_keras.refuse_imports(config.runtime, path)
        os.environ[Env.JOB_DIR] = config.job_dir
        _run_program(strategy, program, path, config.script.args)
        if fits and fits.initial.pending:
            raise ConfigurationError(
                "spec.initialWeights: the program has called no fit of a model, so that nothing"
                " has got these weights; load them in the program, and leave them out here"
            )
    else:
        from kubefit_trainer import recipe as recipes

        found = fits.found if fits else {}
        initial = fits.initial.give if fits else lambda model: None
        recipes.run(
            config, start.rank, strategy, tell=reporter.update, found=found, initial=initial
        )
    if fits:
        with reporter.keeping():
            fits.keeper.flush()
    reporter.phase(TrainerPhase.DONE)
    runtime.finish(_LAST_BARRIER_SECONDS)
    if runtime.is_chief() and config.workers > 1:
        # The chief serves the barrier: its answers to the others must get out before it goes.
        time.sleep(_LINGER_SECONDS)


def _end_together(failure: Failure, runtime: runtimes.Loaded) -> None:
    """Workers that stop at the same step wait for each other: none is lost to another."""
    if failure.exit_code == ExitCode.PREEMPTED and runtime.met():
        with contextlib.suppress(Exception):
            runtime.stop(_STOP_SECONDS)


def _run_program(strategy: Any, program: script.Program, path: Path, args: list[str]) -> None:
    """A program that ends by `sys.exit(0)` waits for the others like any that succeeds."""
    with strategy.scope():
        try:
            script.run(program.source, path, args)
        except SystemExit as error:
            if error.code not in (None, 0):
                raise


def _worth_a_traceback(error: BaseException, failure: Failure) -> bool:
    """That of a lost peer shows where this worker waited, which is nobody's fault."""
    quiet = (ExitCode.PEER_LOST, ExitCode.PREEMPTED)
    return not isinstance(error, SystemExit) and failure.exit_code not in quiet


def _tell_peers(failure: Failure) -> None:
    """Makes the others fail now: without a word they would wait for this worker's heartbeat."""
    import tensorflow as tf
    from tensorflow.python.eager import context

    if failure.exit_code not in (ExitCode.PEER_LOST, ExitCode.PREEMPTED):
        # All may fail at once, and then some know of it already.
        with contextlib.suppress(tf.errors.FailedPreconditionError):
            context.context().report_error_to_cluster(int(tf.errors.ABORTED), failure.message)


def _leave(failure: Failure | None, start: Start, reporter: Reporter, *, has_peers: bool) -> None:
    """Ends the process even if threads of TensorFlow or of the program do not want to."""
    if failure is not None:
        report.write(start.failure_file, failure)
        reporter.phase(reporter.report.phase)
        if has_peers:
            _tell_peers(failure)
    code = failure.exit_code if failure else 0
    if failure is None:
        late = threading.Timer(_EXIT_SECONDS, os._exit, args=(code,))
        late.daemon = True
        late.start()
        atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
