"""Rows of CSV, read strictly: a quote that is left open would swallow the lines after it."""

import csv
import sys
from collections.abc import Iterator
from typing import TextIO

from kubefit_trainer.failure import ConfigurationError


def read(stream: TextIO, where: str) -> Iterator[tuple[int, list[str]]]:
    """Cells of each row, that of the columns first, and the line where it ends.

    The stream is opened with `newline=""`; `where` names field and file for people. Lines without
    anything are rows without cells.

    Raises:
        ConfigurationError: a quote does not end, or ends within a cell.

    """
    csv.field_size_limit(sys.maxsize)
    reader, first = csv.reader(stream, strict=True), 1
    try:
        for row in reader:
            yield reader.line_num, row
            first = reader.line_num + 1
    except csv.Error as error:
        raise ConfigurationError(
            f"{where}: line {first} has a quote that does not end, or ends within a text ({error});"
            " a text in quotes needs one at its end, and two for each quote within"
        ) from error
