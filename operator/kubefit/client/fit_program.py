"""The program that trains a function's model: text of Python, made of texts.

Pure functions. It runs in every worker like any program; nothing of it needs a notebook.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from kubefit.client.errors import NotShippableError
from kubefit.client.shipping import Shipped

HISTORY = "kubefit-history "
"""What the line with the history begins with, in the output of every worker."""

RESERVED = frozenset(
    [
        "_HISTORY",
        "_arrays",
        "_examples",
        "_fit",
        "base64",
        "io",
        "json",
        "os",
        "Path",
        "keras",
        "numpy",
        "EpochLog",
    ]
)
"""Names that the text below gives to something else."""

_HEAD = '''\
"""Trains what fit_remote was given."""

from __future__ import annotations

import base64
import io
import json
import os
from pathlib import Path

import keras
import numpy

from kubefit_trainer.recipe.epoch_log import EpochLog
'''

_TAIL = '''

def _arrays(source):
    """The arrays of an .npz file, or of the text of one, as arguments of fit."""
    file = source if isinstance(source, str) else io.BytesIO(base64.b64decode(source))
    with numpy.load(file) as found:
        names = [name for name in ("x", "y", "sample_weight") if name in found.files]
        return tuple(found[name] for name in names)


def _examples(data):
    return len(data[0]) if isinstance(data, tuple) else 0


def _fit(build, arguments, train, validation, options, seed):
    keras.utils.set_random_seed(seed)
    model = build(**arguments)
    if not isinstance(model, keras.Model):
        raise TypeError(f"{build.__name__} gave {type(model).__name__}, which is no keras.Model")
    if not model.compiled:
        raise ValueError(f"{build.__name__} gave a model without model.compile(...)")
    data = train if isinstance(train, tuple) else (train,)
    named = dict(zip(("x", "y", "sample_weight"), data))
    log = EpochLog(epochs=options["epochs"], examples_per_epoch=_examples(train))
    history = model.fit(
        **named, **options, validation_data=validation, verbose=0, callbacks=[log]
    ).history
    folder = Path(os.environ["KUBEFIT_JOB_DIR"]) / "export"
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / "model.keras")
    curves = {
        name: [numpy.asarray(value).tolist() for value in values]
        for name, values in history.items()
    }
    print(_HISTORY + json.dumps(curves), flush=True)

'''


def program(
    build: Shipped,
    *,
    loaders: Sequence[Shipped],
    arguments: Mapping[str, Any],
    train: str,
    validation: str,
    options: Mapping[str, Any],
    seed: int,
) -> str:
    """The text of the program.

    Args:
        build: Makes the model.
        loaders: Functions that `train` and `validation` call.
        arguments: Of `build`; what JSON can hold.
        train: Expression for what is trained on.
        validation: Expression for what is validated on, or `None`.
        options: Further arguments of `fit`.
        seed: Of Keras, NumPy and Python.

    Raises:
        NotShippableError: two functions of one name, or one that the program needs itself.

    """
    functions = _by_name((build, *loaders))
    imports = sorted({line for one in functions for line in one.imports})
    body = "\n\n".join(one.source.rstrip() for one in functions)
    call = (
        f"_fit(\n    {build.name},\n    json.loads({json.dumps(dict(arguments))!r}),\n"
        f"    {train},\n    {validation},\n    json.loads({json.dumps(dict(options))!r}),\n"
        f"    {seed},\n)\n"
    )
    constant = f"_HISTORY = {HISTORY!r}\n"
    return "\n".join([_HEAD, *imports, constant, "", body, _TAIL, call])


def _by_name(functions: Sequence[Shipped]) -> list[Shipped]:
    """Each function once."""
    found: dict[str, Shipped] = {}
    for one in functions:
        if one.name in RESERVED:
            raise NotShippableError(
                f"{one.name}: the program around it uses this name itself; call it something else"
            )
        if found.setdefault(one.name, one).source != one.source:
            raise NotShippableError(
                f"{one.name}: two different functions have this name; rename one of them"
            )
    return list(found.values())


def file_of(path: str) -> str:
    """The expression for arrays in a file."""
    return f"_arrays({path!r})"


def text_of(encoded: str) -> str:
    """The expression for arrays that go along as base64."""
    return f"_arrays(b{encoded!r})"


def call_of(loader: Shipped) -> str:
    """The expression for what a function gives."""
    return f"{loader.name}()"


def history_in(lines: Sequence[str]) -> dict[str, list[Any]] | None:
    """The history that a worker has printed last."""
    for line in reversed(lines):
        if line.startswith(HISTORY):
            found: dict[str, list[Any]] = json.loads(line.removeprefix(HISTORY))
            return found
    return None
