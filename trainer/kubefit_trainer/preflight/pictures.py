"""Whether image files can be read: looks at their headers, within a limit of time."""

import time
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from kubefit_trainer.failure import ConfigurationError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
_NAMED = 10
"""Images that are named when many cannot be read."""

# Large images are read; Pillow refuses those of twice the size that it warns of.
warnings.simplefilter("ignore", Image.DecompressionBombWarning)


def check(files: Iterable[str], *, field: str, seconds: float) -> None:
    """Opens each file's header until the time is up; training finds what is left.

    Raises:
        ConfigurationError: naming the files that are not images.

    """
    deadline = time.monotonic() + seconds
    found: dict[str, str] = {}
    for file in files:
        if time.monotonic() > deadline:
            break
        try:
            with Image.open(file, formats=FORMATS):
                pass
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            found[file] = reason(error, empty=_is_empty(file))
    if found:
        raise unreadable(found, field=field)


def unreadable(reasons: Mapping[str, str], *, field: str) -> ConfigurationError:
    """The error that names images which cannot be read, each with the reason."""
    named = [f"{file} cannot be read ({why})" for file, why in list(reasons.items())[:_NAMED]]
    more = f", and {len(reasons) - _NAMED} more" if len(reasons) > _NAMED else ""
    return ConfigurationError(
        f"{field}: image {', '.join(named)}{more}; replace"
        f" {'it or take it' if len(reasons) == 1 else 'them or take them'} out"
    )


def reason(error: Exception, *, empty: bool) -> str:
    """Why Pillow could not open an image, in a few words."""
    if empty:
        return "the file is empty"
    if isinstance(error, UnidentifiedImageError):
        return f"not {', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
    if isinstance(error, Image.DecompressionBombError):
        return "more than 178 million pixels"
    return str(error)


def _is_empty(file: str) -> bool:
    path = Path(file)
    return path.is_file() and path.stat().st_size == 0
