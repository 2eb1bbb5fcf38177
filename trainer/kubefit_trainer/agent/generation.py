"""Starts this worker's trainer of one generation."""

import os
from pathlib import Path, PurePosixPath

from kubefit.api.contract import JobFiles, RunConfig
from kubefit.api.names import Env
from kubefit_trainer import report as files
from kubefit_trainer.agent import cgroup, child, environment, last_words
from kubefit_trainer.agent.member import Member
from kubefit_trainer.agent.messages import Directive
from kubefit_trainer.checkpoints import store
from kubefit_trainer.failure import ConfigurationError


def start(member: Member, directive: Directive, config: RunConfig, *, restore: str) -> None:
    """Starts the trainer that the directive asks for.

    Args:
        member: This worker; its last trainer has ended.
        directive: Asks for a generation of which it is a member.
        config: The run.
        restore: Path of the snapshot to go on from, or nothing.

    Raises:
        ConfigurationError: the log cannot be written.

    """
    number, size = directive.generation, len(directive.members)
    rank = directive.members.index(member.rank)
    paths = member.paths
    files.write(paths.config, config.model_copy(update={"workers": size}))
    given = {name: value for name, value in os.environ.items() if name != Env.TOKEN_FILE}
    variables = {
        **environment.of_trainer(
            config, rank, addresses=directive.addresses, cpus=cgroup.cpus(), given=given
        ),
        Env.RUN_CONFIG: str(paths.config),
        Env.RANK: str(rank),
        Env.ATTEMPT: str(number),
        Env.PROGRESS_FILE: str(paths.progress),
        Env.FAILURE_FILE: str(paths.failure),
        Env.SNAPSHOT_DIR: str(member.held.folder),
        Env.RESTORE: restore,
        Env.REACHED: str(directive.reached),
    }
    origin = store.parse(Path(restore)) if restore else None
    first_step = origin.step if origin else 0
    member.held.drop_after(first_step)
    log = open_log(config, number, member.rank, first=directive.cause is None)
    member.start(number, variables, log=log, size=size, first_step=first_step)


def open_log(config: RunConfig, attempt: int, rank: int, *, first: bool = True) -> child.Log:
    """Makes the log of an attempt of this worker on the volume.

    Later attempts than the `first` go on where the volume is full meanwhile: the output of the pod
    remains.

    Raises:
        ConfigurationError: it cannot be written.

    """
    path = Path(JobFiles(PurePosixPath(config.job_dir)).log(attempt, rank))
    try:
        return child.open_log(path)
    except OSError as error:
        message = f"spec.storage: {path} cannot be written: {error.strerror}"
        if first:
            raise ConfigurationError(
                f"{message}; the volume must have free space and be writable for user {os.getuid()}"
            ) from error
        last_words.say(f"{message}; training goes on")
        return Path(os.devnull).open("wb")
