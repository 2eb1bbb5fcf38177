"""Headers and labels of a NumPy archive, read without NumPy; the images stay untouched."""

import ast
import struct
import sys
import zipfile
import zlib
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from kubefit.api.recipe import Images
from kubefit_trainer.failure import ConfigurationError

_MAGIC = b"\x93NUMPY"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayHeader:
    """Shape and element type of an array, e.g. `(1797, 8, 8)` and `|u1`."""

    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """What is known of an archive of labelled images without reading the images."""

    images: ArrayHeader
    labels: list[int]


def read(path: Path, spec: Images, *, field: str) -> Archive:
    """Checks the archive; `field` is the path of the field `npz` that names it.

    Raises:
        ConfigurationError: file or arrays are missing, or are not labelled images.

    """
    if not path.is_file():
        what = "is not a file" if path.exists() else "does not exist"
        raise ConfigurationError(f"{field}: {path} {what}")
    try:
        with zipfile.ZipFile(path) as archive:
            images = _images(archive, path, key=spec.images_key, field=field)
            labels = _labels(archive, path, key=spec.labels_key, field=field)
    except (zipfile.BadZipFile, zlib.error, EOFError, struct.error, SyntaxError) as error:
        raise ConfigurationError(f"{field}: {path} is not a NumPy archive: {error}") from error
    if len(labels) != images.shape[0]:
        raise ConfigurationError(
            f"{field}: {path} has {images.shape[0]} images in {spec.images_key!r} but"
            f" {len(labels)} labels in {spec.labels_key!r}"
        )
    if not labels:
        raise ConfigurationError(f"{field}: {path} has no images")
    if min(labels) < 0:
        raise ConfigurationError(
            f"{field}: labels {spec.labels_key!r} of {path} must be 0 to classes - 1, not"
            f" {min(labels)}"
        )
    return Archive(images=images, labels=labels)


def class_names(labels: list[int], *, known: list[str] | None, field: str) -> list[str]:
    """Names of the classes 0 to the largest label, or those already `known`.

    Raises:
        ConfigurationError: a label is not among the known classes.

    """
    largest = max(labels)
    if known is None:
        return [str(i) for i in range(largest + 1)]
    if largest >= len(known):
        raise ConfigurationError(
            f"{field}: label {largest} is not among the {len(known)} classes of the training images"
        )
    return known


def _images(archive: zipfile.ZipFile, path: Path, *, key: str, field: str) -> ArrayHeader:
    with _member(archive, path, key=key, field=field) as stream:
        header = _header(stream)
    colours = header.shape[3] if len(header.shape) == 4 else 1
    if len(header.shape) not in (3, 4) or colours not in (1, 3) or header.dtype != "|u1":
        raise ConfigurationError(
            f"{field}: array {key!r} of {path} must be uint8 of shape (images, height, width) or"
            f" (images, height, width, 1 or 3), not {header.dtype} of {header.shape}"
        )
    return header


def _labels(archive: zipfile.ZipFile, path: Path, *, key: str, field: str) -> list[int]:
    with _member(archive, path, key=key, field=field) as stream:
        header = _header(stream)
        if len(header.shape) != 1 or header.dtype[1] not in "iu":
            raise ConfigurationError(
                f"{field}: labels {key!r} of {path} must be integers of shape (images,), not"
                f" {header.dtype} of {header.shape}"
            )
        return _integers(stream.read(), header.dtype)


def _member(archive: zipfile.ZipFile, path: Path, *, key: str, field: str) -> IO[bytes]:
    names = archive.namelist()
    if f"{key}.npy" not in names:
        present = ", ".join(sorted(name.removesuffix(".npy") for name in names)) or "nothing"
        raise ConfigurationError(f"{field}: {path} has no array {key!r}, only {present}")
    return archive.open(f"{key}.npy")


def _header(stream: IO[bytes]) -> ArrayHeader:
    """Reads the header of a `.npy` stream (format of `numpy.lib.format`, versions 1 to 3)."""
    if stream.read(6) != _MAGIC:
        raise zipfile.BadZipFile("a member is not in npy format")
    major = stream.read(2)[0]
    width, code = (2, "<H") if major == 1 else (4, "<I")
    (length,) = struct.unpack(code, stream.read(width))
    fields = ast.literal_eval(stream.read(length).decode("utf-8"))
    dtype = fields["descr"]
    return ArrayHeader(shape=fields["shape"], dtype=dtype if isinstance(dtype, str) else "record")


def _integers(data: bytes, dtype: str) -> list[int]:
    """Elements of raw integer data, e.g. of `<i8`."""
    codes = {"i1": "b", "i2": "h", "i4": "i", "i8": "q"}
    code = codes[f"i{dtype[2:]}"]
    values = array(code.upper() if dtype[1] == "u" else code, data)
    if dtype[0] == (">" if sys.byteorder == "little" else "<"):
        values.byteswap()
    return values.tolist()
