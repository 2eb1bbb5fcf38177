"""What a worker is told by its environment: the run configuration and its rank."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from kubefit.api.contract import CONFIG_KEY, RunConfig
from kubefit.api.errors import explain
from kubefit.api.log_lines import LogFormat
from kubefit.api.names import CONFIG_DIR, TOKEN_DIR, TOKEN_KEY, Env
from kubefit_trainer.failure import ConfigurationError

_COMPLETION_INDEX = "JOB_COMPLETION_INDEX"
"""Set by Kubernetes in the pods of an Indexed Job."""
TERMINATION_LOG = "/dev/termination-log"


class NotAMemberError(ConfigurationError):
    """The job has fewer workers than this rank needs, as far as the configuration tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that an agent knows before it starts."""

    config: RunConfig
    config_file: Path
    rank: int


def read(environment: Mapping[str, str]) -> Settings:
    """Reads the run configuration and the rank.

    Raises:
        NotAMemberError: the rank is not below the number of workers.
        ConfigurationError: one of them is missing or cannot be used.

    """
    file = Path(environment.get(Env.RUN_CONFIG) or f"{CONFIG_DIR}/{CONFIG_KEY}")
    config = _config(file)
    rank = rank_of(environment)
    if rank >= config.workers:
        raise NotAMemberError(
            f"rank {rank} is not one of the {config.workers} workers of {file}, which count from 0"
        )
    return Settings(config=config, config_file=file, rank=rank)


def log_format(environment: Mapping[str, str]) -> LogFormat:
    """What lines of the log look like: text, unless `KUBEFIT_LOG_FORMAT` says otherwise.

    Raises:
        ConfigurationError: there is no such format.

    """
    text = environment.get(Env.LOG_FORMAT) or LogFormat.TEXT
    try:
        return LogFormat(text)
    except ValueError as error:
        formats = " or ".join(LogFormat)
        raise ConfigurationError(f"{Env.LOG_FORMAT}: {text!r} is not {formats}") from error


def token(environment: Mapping[str, str], config: RunConfig) -> str:
    """What the agents of this job show each other.

    Raises:
        ConfigurationError: it cannot be read, or is empty.

    """
    file = Path(environment.get(Env.TOKEN_FILE) or f"{TOKEN_DIR}/{TOKEN_KEY}")
    try:
        read = file.read_text().strip()
    except OSError as error:
        if config.workers == 1:
            # Nobody is to be met.
            return secrets.token_hex()
        raise ConfigurationError(
            f"{Env.TOKEN_FILE}: the token of this job, {file}, cannot be read: {error.strerror}"
        ) from error
    if not read:
        # Anybody can prove that he knows it.
        raise ConfigurationError(
            f"{Env.TOKEN_FILE}: the token of this job, {file}, is empty: delete its Secret, and"
            " the operator makes another one"
        )
    return read


def reread(file: Path, before: RunConfig) -> RunConfig:
    """The run configuration as it is now; the one before where it cannot be read."""
    try:
        return _config(file)
    except ConfigurationError:
        return before


def _config(file: Path) -> RunConfig:
    try:
        return RunConfig.model_validate_json(file.read_bytes())
    except OSError as error:
        raise ConfigurationError(
            f"{Env.RUN_CONFIG}: the run configuration {file} cannot be read: {error.strerror}"
        ) from error
    except ValidationError as error:
        raise ConfigurationError(f"{file}: {explain(error)[0]}") from error


def rank_of(environment: Mapping[str, str]) -> int:
    """Rank of this worker: `KUBEFIT_RANK`, else the completion index of its pod.

    Raises:
        ConfigurationError: neither is a whole number from 0.

    """
    for name in (Env.RANK, _COMPLETION_INDEX):
        text = environment.get(name)
        if text is None:
            continue
        if not text.isdecimal():
            raise ConfigurationError(f"{name}: {text!r} is not a rank, a whole number from 0")
        return int(text)
    raise ConfigurationError(
        f"neither {Env.RANK} nor {_COMPLETION_INDEX} is set: this worker does not know its rank"
    )


def outcome_file(environment: Mapping[str, str]) -> Path:
    """Where the last words go; Kubernetes reads them from the termination log."""
    return Path(environment.get(Env.OUTCOME_FILE) or TERMINATION_LOG)
