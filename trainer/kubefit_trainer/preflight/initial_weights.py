"""Which file `spec.initialWeights` means, and whether it can be read; no Keras, no NumPy."""

import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from kubefit.api.contract import JobFiles, RunConfig
from kubefit.api.initial_weights import InitialWeights
from kubefit_trainer.checkpoints import store
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.preflight import keras_files

CHECKPOINT = ".npz"
_ENDINGS = (CHECKPOINT, ".keras", ".weights.h5")

Warn = Callable[[str], None]


def check(config: RunConfig) -> None:
    """Looks for the weights to start from, unless the job has checkpoints of its own.

    Raises:
        ConfigurationError: they are missing, or cannot be read.

    """
    own = Path(JobFiles(PurePosixPath(config.job_dir)).checkpoints)
    if config.initial_weights is not None and not store.found(own):
        find(config.initial_weights, config)


def field_of(spec: InitialWeights) -> str:
    """Path of the field that says where they are."""
    return f"spec.initialWeights.{'job' if spec.job else 'path'}"


def find(spec: InitialWeights, config: RunConfig, *, warn: Warn = lambda text: None) -> Path:
    """The file to start from; as far as its checksums tell, it is as it was written.

    Of a folder that is its newest checkpoint, or else the model that was exported; `warn` is told
    of those that cannot be read.

    Raises:
        ConfigurationError: there is none.

    """
    field = field_of(spec)
    if spec.job:
        path, wanted = Path(config.job_dir).parent / spec.job, "a job that trained on this volume"
    else:
        path, wanted = Path(config.volume_dir) / str(spec.path), "a file or folder on a volume"
    try:
        if not path.exists():
            raise ConfigurationError(f"{field}: {path} does not exist; name {wanted}")
        if path.is_dir():
            return _newest(path, field=field, warn=warn)
        _verify(path, field=field)
    except OSError as error:
        raise ConfigurationError(
            f"{field}: {error.filename or path} cannot be read: {error.strerror}"
        ) from error
    return path


def _newest(folder: Path, *, field: str, warn: Warn) -> Path:
    files = JobFiles(PurePosixPath(folder))
    # To tell a folder that cannot be read from one that has nothing.
    next(folder.iterdir(), None)
    found = [saved.path for saved in store.found(folder) or store.found(Path(files.checkpoints))]
    found += [path for path in [Path(files.model)] if path.is_file()]
    faults = []
    for path in found:
        try:
            _verify(path, field=field)
        except (ConfigurationError, OSError) as error:
            faults.append(str(error))
            warn(f"{error}; the next older weights are used")
        else:
            return path
    if faults:
        others = f"; nor can the other files of {folder}" if len(faults) > 1 else ""
        raise ConfigurationError(f"{faults[0]}{others}")
    raise ConfigurationError(
        f"{field}: {folder} has neither checkpoints nor an exported model; name another job or file"
    )


def _verify(path: Path, *, field: str) -> None:
    if not path.name.endswith(_ENDINGS):
        raise ConfigurationError(
            f"{field}: {path} is none of {', '.join(_ENDINGS)}; write one with"
            " model.save_weights('x.weights.h5')"
        )
    with path.open("rb"):
        # To be told in the words of the system where that cannot be done.
        pass
    if path.suffix == CHECKPOINT:
        try:
            store.verify(path)
        except store.DamagedError as error:
            raise ConfigurationError(f"{field}: {error}") from error
        return
    keras_files.check(path, field=field)
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            bad = archive.testzip()
        if bad is not None:
            raise ConfigurationError(
                f"{field}: {path} is damaged: {bad} has another checksum; copy it anew"
            )
