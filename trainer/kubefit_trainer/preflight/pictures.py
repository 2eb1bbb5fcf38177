"""Whether encoded images can be read: looks at where they begin and end, within a limit of time.

An image that does not end as its format does is decoded: most such break off, but some only have
something behind them.
"""

import time
import warnings
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

from PIL import Image, UnidentifiedImageError

from kubefit_trainer.failure import ConfigurationError

if TYPE_CHECKING:
    from kubefit_trainer.preflight.indexing import Encoded

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
_NAMED = 10
"""Images that are named when many cannot be read."""
_THREADS = 8
"""Storage on a network answers late, but many at once."""
_AT_ONCE = 512
_TAIL = 64
_ENDS = {"PNG": b"IEND", "JPEG": b"\xff\xd9", "GIF": b";"}
_DECLARED = {"WEBP": (4, 8), "BMP": (2, 0)}
"""Where the length in bytes is written, and what it does not count."""

# Large images are read; Pillow refuses those of twice the size that it warns of.
warnings.simplefilter("ignore", Image.DecompressionBombWarning)


class UnreadableError(ConfigurationError):
    """Samples cannot be read; `reasons` tells why by the name of each."""

    def __init__(self, reasons: Mapping[str, str], *, field: str, what: str = "image") -> None:
        """Names the first of them in its sentence; `what` is what people call one."""
        named = [f"{name} cannot be read ({why})" for name, why in islice(reasons.items(), _NAMED)]
        more = f", and {len(reasons) - _NAMED} more" if len(reasons) > _NAMED else ""
        them = "it" if len(reasons) == 1 else "them"
        super().__init__(
            f"{field}: {what} {', '.join(named)}{more}; replace {them} or take {them} out"
        )
        self.reasons = reasons


def check(encoded: "Encoded", samples: Iterable[int], *, field: str, seconds: float) -> None:
    """Looks at the samples until the time is up; decoding finds what is left.

    Raises:
        UnreadableError: naming the images that cannot be read.

    """
    deadline = time.monotonic() + seconds
    rest = iter(samples)
    found: dict[str, str] = {}
    with ThreadPoolExecutor(_THREADS) as pool:
        while time.monotonic() < deadline and (some := list(islice(rest, _AT_ONCE))):
            for sample, why in zip(some, pool.map(partial(_fault, encoded), some), strict=True):
                if why:
                    found[encoded.name(sample)] = why
    if found:
        raise UnreadableError(found, field=field)


def reason(error: Exception, *, empty: bool) -> str:
    """Why Pillow could not open an image, in a few words."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if empty:
        return "the file is empty"
    if isinstance(error, UnidentifiedImageError):
        return f"not {', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
    if isinstance(error, Image.DecompressionBombError):
        return "more than 178 million pixels"
    return str(error)


def _fault(encoded: "Encoded", sample: int) -> str:
    """Why the image cannot be read; empty if it seems that it can."""
    try:
        with encoded.open(sample) as file:
            return _fault_of(file)
    except OSError as error:
        return error.strerror or str(error)


def _fault_of(file: BinaryIO) -> str:
    try:
        with Image.open(file, formats=FORMATS) as image:
            if not _ends(file, str(image.format)):
                image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return reason(error, empty=file.seek(0, 2) == 0)
    return ""


def _ends(file: BinaryIO, kind: str) -> bool:
    """Whether the data end as images of that format do; leaves the file where it was."""
    place = file.tell()
    length = file.seek(0, 2)
    if kind in _ENDS:
        file.seek(max(0, length - _TAIL))
        whole = _ENDS[kind] in file.read()
    else:
        offset, uncounted = _DECLARED[kind]
        file.seek(offset)
        whole = int.from_bytes(file.read(4), "little") + uncounted <= length
    file.seek(place)
    return whole
