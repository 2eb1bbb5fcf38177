"""Whether a file is one that Keras 3 has saved, and whole; told without Keras."""

import struct
import zipfile
from pathlib import Path

from kubefit_trainer.failure import ConfigurationError

_PARTS = ("config.json", "model.weights.h5")
_HDF5 = b"\x89HDF\r\n\x1a\n"
_END_OF_FILE = {0: 40, 1: 44, 2: 28, 3: 28}
"""Where the superblock of each version has the size of the file, in eight bytes."""


def check(path: Path, *, field: str) -> None:
    """Looks at the beginning and the end of a `.keras` or `.h5` file.

    Raises:
        ConfigurationError: it is of another kind or breaks off.

    """
    if path.suffix == ".keras":
        _check_keras(path, field=field)
    elif path.suffix == ".h5":
        _check_hdf5(path, field=field)


def _check_keras(path: Path, *, field: str) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            missing = sorted(set(_PARTS) - set(archive.namelist()))
    except (OSError, zipfile.BadZipFile) as error:
        raise ConfigurationError(
            f"{field}: {path} is no model that Keras 3 saved as .keras ({error}); save or copy it"
            " anew"
        ) from error
    if missing:
        raise ConfigurationError(
            f"{field}: {path} is no model that Keras 3 saved as .keras, it has no {missing[0]};"
            " save it with model.save"
        )


def _check_hdf5(path: Path, *, field: str) -> None:
    with path.open("rb") as file:
        begins = file.read(64)
        size = file.seek(0, 2)
    if not begins.startswith(_HDF5):
        what = "is empty" if not begins else "is no HDF5 file"
        raise ConfigurationError(
            f"{field}: {path} {what}; write it with model.save_weights('x.weights.h5')"
        )
    place = _END_OF_FILE.get(begins[len(_HDF5)], len(begins)) if len(begins) > 8 else 0
    if len(begins) < place + 8:
        return
    (whole,) = struct.unpack_from("<Q", begins, place)
    if size < whole:
        raise ConfigurationError(
            f"{field}: {path} breaks off after {size} of {whole} bytes; copy it anew"
        )
