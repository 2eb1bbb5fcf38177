"""Writes dates as people write them and as machines read them, as `train.csv` and `test.csv`.

    python make_data.py FOLDER [COUNT]

`3 March 1987`, `March 3, 1987` and `Tuesday, 3 March 1987` all become `1987-03-03`. Every tenth
date is for the test; no day of the test is among those of training. The same files come out every
time.
"""

import csv
import datetime
import random
import sys
from pathlib import Path

FORMS = ("%d %B %Y", "%B %d, %Y", "%A, %d %B %Y", "%d %b %Y", "%d/%m/%Y")
FIRST, DAYS = datetime.date(1900, 1, 1), 73000


def main(folder: Path, count: int) -> None:
    drawn = random.Random(1)
    days = drawn.sample(range(DAYS), count)
    rows = []
    for day in days:
        date = FIRST + datetime.timedelta(days=day)
        rows.append((date.strftime(drawn.choice(FORMS)), date.isoformat()))
    folder.mkdir(parents=True, exist_ok=True)
    parts = {"test": rows[::10], "train": [row for i, row in enumerate(rows) if i % 10]}
    for name, part in parts.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("date", "iso"), *part])
    print(f"{len(rows)} dates in {folder}")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: make_data.py FOLDER [COUNT]")
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) == 3 else 10000)
