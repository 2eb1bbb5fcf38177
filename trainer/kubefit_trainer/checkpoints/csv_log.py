"""CSV files that Keras' CSVLogger writes: each epoch has one row, also after a restart."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
from keras.src import tree

from kubefit_trainer.keras_multiworker import cluster


@contextlib.contextmanager
def going_on(callbacks: Any, epoch: int, *, first: int) -> Iterator[None]:
    """Has every CSVLogger append to its file, which has rows of the epochs before `epoch` alone.

    Args:
        callbacks: What `fit` was given.
        epoch: The epoch to go on with.
        first: The epoch that this call of `fit` began with.

    """
    given = tree.flatten(getattr(callbacks, "callbacks", callbacks) or [])
    loggers = [one for one in given if isinstance(one, keras.callbacks.CSVLogger)]
    if epoch == first:
        # One that appends may have rows of such an epoch from a training before this one.
        loggers = [one for one in loggers if not one.append]
    appended = [logger.append for logger in loggers]
    for logger in loggers:
        if cluster.member().chief:
            cut(Path(logger.filename), epoch, separator=logger.sep)
        logger.append = True
    try:
        yield
    finally:
        for logger, before in zip(loggers, appended, strict=True):
            logger.append = before


def cut(file: Path, epoch: int, *, separator: str = ",") -> None:
    """Takes the last rows out of a file: those of that epoch or later, and one that breaks off."""
    if not file.exists():
        return
    lines = file.read_text().splitlines(keepends=True)
    kept = list(lines)
    while kept and _epoch(kept[-1], separator) >= epoch:
        kept.pop()
    if kept != lines:
        file.write_text("".join(kept))


def _epoch(line: str, separator: str) -> int:
    if not line.endswith("\n"):
        return sys.maxsize
    number = line.partition(separator)[0]
    return int(number) if number.isdecimal() else -1
