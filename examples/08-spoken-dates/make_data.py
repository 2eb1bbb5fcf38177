"""Writes spoken dates, as a telephone exchange says them, with their transcripts.

    python make_data.py FOLDER PACKAGE

The package is Debian's `asterisk-core-sounds-en-wav`, whose recordings are single words of one
speaker: days, months, numbers. Like the exchange, this strings them together, such as "monday march
twenty third", each date with pauses, speed and loudness of its own. No date of the test is among
those of the training; its words are. The same files come out every time.
"""

import csv
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import soxr

RATE = 8000
TRAINING, TEST = 320, 60
DAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]
MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
ORDINALS = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
    "twentieth",
]
WORDS = {
    **{f"day-{number}": word for number, word in enumerate(DAYS)},
    **{f"mon-{number}": word for number, word in enumerate(MONTHS)},
    **{f"h-{number}": word for number, word in enumerate(ORDINALS, start=1)},
    **{"20": "twenty", "30": "thirty", "h-30": "thirtieth"},
}
"""What is said in each file of the package."""


def main(folder: Path, package: Path) -> None:
    sounds = recorded(package)
    dates = [(day, month, n) for day in range(7) for month in range(12) for n in range(1, 32)]
    random.Random(1).shuffle(dates)
    parts = {"train": dates[:TRAINING], "test": dates[TRAINING : TRAINING + TEST]}
    for part, chosen in parts.items():
        (folder / part).mkdir(parents=True, exist_ok=True)
        rows = []
        for number, date in enumerate(chosen):
            said = names(*date)
            name = f"{part}/{number:04}.wav"
            soundfile.write(folder / name, strung([sounds[one] for one in said], name), RATE)
            rows.append((name, " ".join(WORDS[one] for one in said)))
        with (folder / f"{part}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("path", "transcript"), *rows])
    print(f"{TRAINING + TEST} spoken dates in {folder}")


def recorded(package: Path) -> dict[str, np.ndarray]:
    """The recordings by name, without the silence around them."""
    with tempfile.TemporaryDirectory() as unpacked:
        subprocess.run(["dpkg-deb", "--extract", str(package), unpacked], check=True)
        (digits,) = Path(unpacked).rglob("digits")
        return {name: trimmed(soundfile.read(digits / f"{name}.wav")[0]) for name in WORDS}


def trimmed(sound: np.ndarray) -> np.ndarray:
    loud = np.flatnonzero(np.abs(sound) > 0.02)
    return sound[max(0, loud[0] - RATE // 40) : loud[-1] + RATE // 20]


def names(day: int, month: int, number: int) -> list[str]:
    """Names of the recordings that say a date."""
    if number <= 20 or number == 30:
        ordinal = [f"h-{number}"]
    else:
        ordinal = [f"{number // 10 * 10}", f"h-{number % 10}"]
    return [f"day-{day}", f"mon-{month}", *ordinal]


def strung(sounds: list[np.ndarray], seed: str) -> np.ndarray:
    """One sound with pauses of up to 0.1 s, up to a tenth faster or slower, and not as loud."""
    drawn = random.Random(seed)
    parts = [part for one in sounds for part in (one, np.zeros(drawn.randrange(RATE // 10)))]
    speed = drawn.uniform(0.9, 1.1)
    return soxr.resample(np.concatenate(parts), RATE * speed, RATE) * drawn.uniform(0.5, 0.9)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: make_data.py FOLDER PACKAGE")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
