"""What a model was trained on, as a digest that tells whether two trainings had the same data."""

import hashlib
import json
import os
from pathlib import Path

from kubefit.api.recipe import Documents, Images, Recordings
from kubefit_trainer.recipe.labelled import Chosen

_SIZES = 100_000
"""Files whose sizes are asked for at most: each is a question to the volume."""


def of(chosen: Chosen, given: Images | Documents | Recordings, volume: Path) -> str:
    """SHA-256 of the names and labels of the chosen samples, in hexadecimal.

    With the sizes of up to 100,000 files, of the samples or of archives; not of their contents. It
    does not depend on the order of the samples or on where the volume is mounted.
    """
    source, lines = chosen.source, []
    truth = source.truth(chosen.samples).tolist()
    sized = len(chosen.samples) <= _SIZES
    for sample, label in zip(chosen.samples.tolist(), truth, strict=True):
        name = source.name(sample)
        size = _size(name) if sized else None
        lines.append(_line(name.replace(f"{volume}/", ""), size, label))
    for value in given.model_dump(mode="json", exclude_none=True).values():
        for path in value.values() if isinstance(value, dict) else [value]:
            lines.append(_line(path, _size(str(volume / str(path))), None))
    digest = hashlib.sha256()
    for line in [_line("classes", None, source.classes), *sorted(lines)]:
        digest.update(line.encode())
    return digest.hexdigest()


def _line(name: object, size: int | None, label: object) -> str:
    return json.dumps([name, size, label]) + "\n"


def _size(name: str) -> int | None:
    """Bytes of a file; None for what is none."""
    try:
        return os.stat(name).st_size if os.path.isfile(name) else None  # noqa: PTH113, PTH116
    except OSError:
        return None
