"""What an agent says: to people while it runs, to Kubernetes and to the volume at its end."""

import os
import sys

from kubefit.api.contract import JobFiles, Outcome, Result
from kubefit_trainer.agent import outcome, results, settings
from kubefit_trainer.agent.lines import LINES


def say(message: str, *, level: str = "info") -> None:
    """Writes one line to the log of the pod."""
    try:
        print(LINES.of_agent(message, level=level), file=sys.stderr, flush=True)
    except BrokenPipeError:
        # The launcher that read this is gone; files still tell.
        return


def write_outcome(last: Outcome) -> None:
    """Leaves the outcome where Kubernetes, or the launcher, reads it."""
    file = settings.outcome_file(os.environ)
    try:
        outcome.write(file, last)
    except OSError as error:
        say(f"cannot write the outcome to {file}: {error.strerror}", level="warning")


def write_result(files: JobFiles, result: Result) -> None:
    """Leaves the result of the job on its volume."""
    try:
        results.write(files, result)
    except OSError as error:
        say(f"cannot write {files.result}: {error.strerror}", level="warning")
