"""The whole state of training between two steps, and how it is written and read."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from kubefit.api.version import __version__
from kubefit_trainer.checkpoints import store

Arrays = dict[str, NDArray[Any]]
_ARRAYS = "arrays"
_META = ("run", "names", "callbacks", "histories", "logs", "random", "random_before", "found")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in a program training is."""

    fit: int
    """Number of the call of `fit`, from 0; trials are not counted."""
    model: int
    """Number of the model among those that were fitted, in the order of their first fits."""
    epoch: int
    """Epoch under way, or the next one between two, from 0 as Keras counts."""
    step: int
    """Steps done in all epochs of all fits together."""
    examples: int = 0
    """Samples that the worker trained on before the epoch under way."""
    epoch_step: int = 0
    """Steps done in the epoch under way."""
    passes: int = 0
    """Passes over the training data that this fit has ended."""
    drawn: int = 0
    """Steps drawn of the pass under way."""
    over: bool = False
    """Whether the steps of the epoch under way are done, and only its validation is left."""
    validations: int = 0
    """Passes over the validation data that this fit has ended."""
    ended: bool = False
    """Whether the fit is over."""
    stopped: bool = False
    """Whether it has been told to end before its last epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """State of training at a place; equal on all workers."""

    place: Place
    run: str = ""
    """`RunConfig.run` of the job that made it."""
    names: Mapping[str, str] = field(default_factory=dict)
    """What each array of the model is, for people."""
    callbacks: list[dict[str, Any]] = field(default_factory=list)
    """State of every callback; see `callback_state`."""
    histories: list[Mapping[str, Any]] = field(default_factory=list)
    """What is left of every fit up to this one, as plain data; see `fits`."""
    logs: Mapping[str, Any] = field(default_factory=dict)
    """Results of the steps of the epoch, as plain data, where only its validation is left."""
    random: Mapping[str, Any] = field(default_factory=dict)
    """States of random numbers; see `random_state`."""
    random_before: Mapping[str, Any] = field(default_factory=dict)
    """The same when this fit began."""
    found: Mapping[str, Any] = field(default_factory=dict)
    """What was found out before training and is not to be searched again."""
    arrays: Arrays = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of its file."""
        place = self.place
        return store.name_of(place.step, ended_model=place.model if place.ended else None)

    @property
    def size(self) -> int:
        """Bytes of its arrays."""
        return sum(array.nbytes for array in self.arrays.values())


def write(snapshot: Snapshot, folder: Path) -> Path:
    """Writes it below its name.

    Raises:
        OSError: the folder cannot be written, or is full.

    """
    path = folder / snapshot.name
    meta = asdict(replace(snapshot, arrays={}))
    meta[_ARRAYS] = list(snapshot.arrays)
    meta["kubefit"] = __version__
    members = {_member(i): partial(_put, a) for i, a in enumerate(snapshot.arrays.values())}
    store.write(path, meta, members)
    return path


def _member(index: int) -> str:
    return f"array-{index:05d}"


def _put(array: NDArray[Any], file: IO[bytes]) -> None:
    np.lib.format.write_array(file, np.asarray(array, order="C"), allow_pickle=False)


def read(path: Path) -> Snapshot:
    """Reads a snapshot, checksums and all.

    Raises:
        DamagedError: it is not as it was written, or of another format.

    """
    meta = store.meta_of(path)
    with store.damage_explained(path):
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[_member(i)] for i, key in enumerate(meta[_ARRAYS])}
        return Snapshot(
            place=Place(**meta["place"]),
            arrays=arrays,
            **{name: meta[name] for name in _META if name in meta},
        )
