"""Files that others read while they are written: replaced atomically, never half read.

Imports nothing heavy.
"""

import os
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

_Model = TypeVar("_Model", bound=BaseModel)


def write(path: Path, model: BaseModel, *, indent: int | None = None) -> None:
    """Replaces the file as a whole."""
    write_text(path, model.model_dump_json(by_alias=True, indent=indent) + "\n")


def write_text(path: Path, text: str) -> None:
    """Replaces the file as a whole, whatever it is for."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def read(path: Path, kind: type[_Model]) -> _Model | None:
    """What the file holds; None if there is none, or if its writer is not ours."""
    try:
        return kind.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
