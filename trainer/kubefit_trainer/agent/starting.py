"""The beginning and the end of an agent's process: signals, settings, folders."""

import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

from kubefit.api.contract import ExitCode, Failure
from kubefit.api.names import MEMORY_DIR, Env
from kubefit_trainer import lifeline
from kubefit_trainer.agent import last_words, outcome, settings
from kubefit_trainer.agent.lines import LINES
from kubefit_trainer.agent.run import Agent, Stop
from kubefit_trainer.agent.settings import Settings
from kubefit_trainer.failure import ConfigurationError

_CONFIGURATION_SECONDS = 180.0
"""A kubelet looks at mounted ConfigMaps about once a minute."""


def main() -> int:
    """Runs one worker to its end; returns its exit code."""
    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.request())
    lifeline.watch(stop.request)
    try:
        LINES.format = settings.log_format(os.environ)
        given = _settings(stop)
    except ConfigurationError as error:
        return _refuse(str(error))
    LINES.namespace, LINES.job = given.config.namespace, given.config.name
    LINES.rank = given.rank
    folder = Path(tempfile.mkdtemp(prefix="kubefit-agent-"))
    memory = _memory(folder)
    try:
        return Agent(given, folder, memory, stop).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(memory, ignore_errors=True)


def _settings(stop: Stop) -> Settings:
    """A job that grows makes pods a moment before all nodes have its new configuration."""
    deadline = time.monotonic() + _CONFIGURATION_SECONDS
    while True:
        try:
            return settings.read(os.environ)
        except settings.NotAMemberError:
            if stop.requested or time.monotonic() > deadline or Env.RANK in os.environ:
                raise
            stop.event.wait(1.0)


def _memory(folder: Path) -> Path:
    """A folder for snapshots; where there is no file system in memory, on the disk of the pod."""
    try:
        return Path(tempfile.mkdtemp(prefix="kubefit-snapshots-", dir=MEMORY_DIR))
    except OSError:
        made = folder / "snapshots"
        made.mkdir()
        return made


def _refuse(message: str) -> int:
    """Ends a worker that does not even know who it is."""
    failure = Failure(exit_code=ExitCode.CONFIGURATION_ERROR, message=message)
    last_words.say(failure.message, level="error")
    last = outcome.outcome_of(_rank_or_zero(), failure=failure, ended=time.time(), report=None)
    last_words.write_outcome(last)
    return failure.exit_code


def _rank_or_zero() -> int:
    try:
        return settings.rank_of(os.environ)
    except ConfigurationError:
        return 0
