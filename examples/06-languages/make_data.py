"""Writes announcements of a telephone exchange, in three languages, as class folders.

    python make_data.py FOLDER PACKAGE...

The packages are Debian's `asterisk-core-sounds-en-wav`, `-es-wav` and `-fr-wav`. Every fifth
recording of a second or more is for the test. The same files come out every time.
"""

import subprocess
import sys
import tempfile
import wave
from pathlib import Path

SECONDS = 1.0


def main(folder: Path, packages: list[Path]) -> None:
    total = 0
    for package in packages:
        language = package.name.removeprefix("asterisk-core-sounds-")[:2]
        with tempfile.TemporaryDirectory() as unpacked:
            subprocess.run(["dpkg-deb", "--extract", str(package), unpacked], check=True)
            found = [path for path in sorted(Path(unpacked).rglob("*.wav")) if spoken(path)]
            for i, path in enumerate(found):
                target = folder / ("test" if i % 5 == 0 else "train") / language
                target.mkdir(parents=True, exist_ok=True)
                (target / f"{i:04}.wav").write_bytes(path.read_bytes())
        total += len(found)
    print(f"{total} recordings of {len(packages)} languages in {folder}")


def spoken(path: Path) -> bool:
    """Whether it is long enough, and neither silence nor a tone."""
    with wave.open(str(path)) as file:
        seconds = file.getnframes() / file.getframerate()
    return seconds >= SECONDS and "silence" not in path.parts and "tone" not in path.stem


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit("usage: make_data.py FOLDER PACKAGE...")
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
