"""Writes sentences of film reviews, each positive or negative, as `train.csv` and `test.csv`.

    python make_data.py ARCHIVE FOLDER

ARCHIVE is the source package of vaderSentiment 3.3.2, whose authors had people rate each sentence
from -4 to 4. Those of less than 1 either way are left out; every fifth of the others is for the
test. The same files come out every time.
"""

import csv
import io
import sys
import tarfile
from pathlib import Path

PACKAGE = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
RATINGS = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"
CLEAR = 1.0


def main(archive: Path, folder: Path) -> None:
    rows = []
    with (
        tarfile.open(archive) as package,
        tarfile.open(fileobj=package.extractfile(PACKAGE)) as data,
    ):
        for line in io.TextIOWrapper(data.extractfile(RATINGS), encoding="utf-8"):
            _, rating, text = line.rstrip("\n").split("\t", 2)
            if abs(float(rating)) >= CLEAR:
                rows.append((text, "positive" if float(rating) > 0 else "negative"))
    folder.mkdir(parents=True, exist_ok=True)
    parts = {"test": rows[::5], "train": [row for i, row in enumerate(rows) if i % 5]}
    for name, part in parts.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("text", "label"), *part])
    print(f"{len(rows)} sentences of 2 classes in {folder}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: make_data.py ARCHIVE FOLDER")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
