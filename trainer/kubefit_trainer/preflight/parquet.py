"""Rows of a Parquet file; the library for it is optional, and imported for such a file only."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kubefit_trainer.failure import ConfigurationError

_KNOWN = ("path", "split", "weight")


def read(
    path: Path, label_columns: list[str], *, field: str
) -> tuple[list[str], Iterator[tuple[str, dict[str, object]]]]:
    """Names of all columns, and place and cells of each row; only columns with a meaning are read.

    Raises:
        ConfigurationError: the file cannot be read, or not here.

    """
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise ConfigurationError(
            f"{field}: {path} is a Parquet file, which cannot be read here; pip install"
            " 'kubefit[parquet]', or write it as CSV"
        ) from error
    try:
        file = parquet.ParquetFile(path)
        columns = [str(name) for name in file.schema_arrow.names]
    except (OSError, ArrowException) as error:
        why = str(error).splitlines()[0]
        raise ConfigurationError(f"{field}: {path} cannot be read as Parquet: {why}") from error
    wanted = [name for name in columns if name in (*_KNOWN, *label_columns)]
    return columns, _rows(file, wanted)


def _rows(file: Any, columns: list[str]) -> Iterator[tuple[str, dict[str, object]]]:
    row = 0
    for batch in file.iter_batches(columns=columns):
        for cells in batch.to_pylist():
            yield f"row {row}", cells
            row += 1
