"""Whether image files can be read: looks at their headers, within a limit of time."""

import time
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from kubefit_trainer.failure import ConfigurationError

_FORMATS = ("PNG", "JPEG", "BMP", "GIF")


def check(files: Sequence[str], *, field: str, seconds: float) -> None:
    """Opens each file's header until the time is up; training finds what is left.

    Raises:
        ConfigurationError: naming the first file that is not an image.

    """
    deadline = time.monotonic() + seconds
    for file in files:
        if time.monotonic() > deadline:
            return
        try:
            with Image.open(file, formats=_FORMATS):
                pass
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
            raise unreadable(file, field=field, reason=_reason(file, error)) from error


def unreadable(file: str | Path, *, field: str, reason: str) -> ConfigurationError:
    """The error that names an image which cannot be read."""
    return ConfigurationError(
        f"{field}: image {file} cannot be read ({reason}); replace it or take it out"
    )


def _reason(file: str, error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        empty = Path(file).stat().st_size == 0
        return "the file is empty" if empty else f"not {', '.join(_FORMATS[:-1])} or GIF"
    return str(error)
