"""The first container of a worker's pod: carries out `spec.fetch`, or waits for the chief."""

import os
import signal
import sys
import time
from pathlib import Path, PurePosixPath

from kubefit.api.contract import ExitCode, Failure, JobFiles
from kubefit.api.names import SECRETS_DIR, Env
from kubefit_trainer import fetch
from kubefit_trainer.agent import outcome, settings
from kubefit_trainer.agent.lines import LINES
from kubefit_trainer.agent.settings import Settings
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.fetch import turns


def main() -> int:
    """Runs to the end; returns the exit code, and leaves a word on a failure."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(ExitCode.PREEMPTED))
    rank = 0
    try:
        LINES.format = settings.log_format(os.environ)
        given = settings.read(os.environ)
        LINES.namespace, LINES.job = given.config.namespace, given.config.name
        rank = LINES.rank = given.rank
        _take_turn(given)
    except ConfigurationError as error:
        return _fail(rank, ExitCode.CONFIGURATION_ERROR, str(error))
    except fetch.FetchError as error:
        permanent = error.permanent
        code = ExitCode.CONFIGURATION_ERROR if permanent else ExitCode.FETCH_FAILED
        return _fail(rank, code, str(error))
    except turns.ChiefLostError as error:
        return _fail(rank, ExitCode.PEER_LOST, str(error))
    except OSError as error:
        words = f"spec.storage: {error.filename or 'the volume'} cannot be used: {error.strerror}"
        return _fail(rank, ExitCode.FETCH_FAILED, words)
    return ExitCode.SUCCESS


def _take_turn(given: Settings) -> None:
    config = given.config
    file = Path(JobFiles(PurePosixPath(config.job_dir)).fetched)
    run = os.environ.get(Env.RUN, "")
    if given.rank > 0:
        turns.wait(file, run=run, patience=config.peer_timeout_seconds)
        return
    # Data do not change under a run: workers that start later find what the first ones found.
    if turns.is_done(file, run=run):
        return
    with turns.at_work(file, run=run):
        fetch.carry_out(
            config.fetch, volume=Path(config.volume_dir), tell=_say, secrets=Path(SECRETS_DIR)
        )


def _say(message: str, *, level: str = "info") -> None:
    print(LINES.of_agent(message, level=level), flush=True)


def _fail(rank: int, code: ExitCode, message: str) -> int:
    _say(message, level="error")
    failure = Failure(exit_code=code, message=message)
    last = outcome.outcome_of(rank, failure=failure, ended=time.time(), report=None)
    outcome.write(settings.outcome_file(os.environ), last)
    return code


if __name__ == "__main__":
    sys.exit(main())
