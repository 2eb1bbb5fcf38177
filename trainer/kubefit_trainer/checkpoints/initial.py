"""Weights of an earlier training, which the first model that is trained starts from.

The chief alone reads them, the others get them from it. Optimizer, metrics and random numbers stay
as they are.
"""

import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import h5py
import keras

from kubefit.api.contract import RunConfig
from kubefit_trainer import keras_multiworker
from kubefit_trainer.checkpoints import snapshot, store
from kubefit_trainer.checkpoints.restoring import say
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.keras_multiworker import model_state
from kubefit_trainer.keras_multiworker.model_state import OtherModelError
from kubefit_trainer.preflight import initial_weights

_WEIGHTS = "model.weights.h5"


class Initial:
    """Gives them once; `given` is called then."""

    def __init__(self, config: RunConfig | None, *, given: Callable[[], None]) -> None:
        self._config = config if config is not None and config.initial_weights else None
        self._given = given

    @property
    def pending(self) -> bool:
        """Whether no model has had them yet."""
        return self._config is not None

    def give(self, model: Any) -> None:
        """Gives a built model its weights, if none had them before; all workers must call it.

        Raises:
            ConfigurationError: they cannot be read, or are those of another model.

        """
        config, self._config = self._config, None
        if config is None or config.initial_weights is None:
            return
        spec, said = config.initial_weights, ""
        if keras_multiworker.is_chief():
            path = initial_weights.find(spec, config, warn=say)
            said = f"initial_weights={path} "
            with _explained(path, field=initial_weights.field_of(spec)):
                _load(model, path)
        digest = keras_multiworker.weights_from_chief(model)
        print(f"{said}weights_sha256={digest}", flush=True)
        self._given()


@contextmanager
def _explained(path: Path, *, field: str) -> Iterator[None]:
    try:
        with keras_multiworker.outside_strategy():
            yield
    except OtherModelError as error:
        raise ConfigurationError(f"{field}: {path} does not fit: {error}") from error
    except (store.DamagedError, OSError, ValueError) as error:
        first_line, _, _ = str(error).partition("\n")
        raise ConfigurationError(f"{field}: {path} cannot be loaded: {first_line}") from error


def _load(model: Any, path: Path) -> None:
    if path.suffix == initial_weights.CHECKPOINT:
        found = snapshot.read(path)
        model_state.check_weights(model, found.arrays, found.names)
        model_state.restore_weights(model, found.arrays)
        return
    with _weights_file(path) as file:
        _compare(model, file)
        with _all_else_kept(model), warnings.catch_warnings():
            # The optimizer of the file has other variables than one that was not used yet.
            warnings.simplefilter("ignore")
            model.load_weights(file)


@contextmanager
def _weights_file(path: Path) -> Iterator[Path]:
    """The file of weights in a `.keras` file."""
    if path.suffix != ".keras":
        yield path
        return
    with TemporaryDirectory() as folder, zipfile.ZipFile(path) as archive:
        yield Path(archive.extract(_WEIGHTS, folder))


def _compare(model: Any, path: Path) -> None:
    """Compares a file with the one that this model would write.

    Keras itself tells of the first weight only that it misses, and of none that is too much.
    """
    with TemporaryDirectory() as folder:
        own = Path(folder) / _WEIGHTS
        model.save_weights(own)
        apart = {"optimizer", *(name for name, _ in _optimizers(model))}
        mine, theirs = _shapes(own, apart), _shapes(path, apart)
    for key, (what, here) in mine.items():
        if key not in theirs:
            raise OtherModelError(f"it has no {what}, which this model has")
        other, there = theirs[key]
        if here != there:
            raise OtherModelError(
                f"its {other} has the shape {there}, and {what} of this model has {here}"
            )
    for key, (other, _) in theirs.items():
        if key not in mine:
            raise OtherModelError(f"its {other} has no place in this model")


def _shapes(path: Path, apart: set[str]) -> dict[str, tuple[str, tuple[int, ...]]]:
    """What each weight is, for people, and its shape, by its place in the file."""
    found = {}

    def look(key: str, item: Any) -> None:
        parts = key.split("/")
        if not isinstance(item, h5py.Dataset) or parts[0] in apart or "seed_generator" in key:
            return
        layer = item.parent.attrs.get("name", "/".join(parts[:-2]))
        found[key] = f"weight {parts[-1]} of the layer {layer!r}", tuple(item.shape)

    with h5py.File(path, "r") as file:
        file.visititems(look)
    return found


@contextmanager
def _all_else_kept(model: Any) -> Iterator[None]:
    weights = {id(weight) for weight in model.weights}
    others = [variable for variable in model.variables if id(variable) not in weights]
    others += [variable for _, one in _optimizers(model) for variable in one.variables]
    before = [variable.numpy() for variable in others]
    yield
    for variable, value in zip(others, before, strict=True):
        variable.assign(value)


def _optimizers(model: Any) -> list[tuple[str, Any]]:
    """Those of the model, by the names of their attributes; a program may have some of its own."""
    named = {"optimizer": getattr(model, "optimizer", None), **vars(model)}
    return [(n, one) for n, one in named.items() if isinstance(one, keras.optimizers.Optimizer)]
