"""Seconds and megabytes that a set of very many small files takes before training starts.

    python bench/index.py [--files 1000000]

Makes class folders of tiny files (links to one image), then measures in a process each: `preflight`
(the agent's checks, which read headers for at most five seconds) and `open` (the trainer's index).
Prints one JSON object per case; `megabytes` is what the process grew by.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CLASSES = 100
CASES = {
    "preflight": """
from kubefit_trainer.preflight import folders, pictures
def act(folder):
    names = folders.class_names(folder, field="x")
    found = folders.index(folder, names, field="x")
    pictures.check(found.files, range(len(found.files)), field="x", seconds=10.0)
    return found
""",
    "open": """
from kubefit.api.recipe import Data
from kubefit_trainer.recipe.sources import open_source
def act(folder):
    data = Data.model_validate({"train": {"folder": str(folder)}, "imageSize": [8, 8]})
    return open_source(data.train, data, volume=folder, field="x")
""",
}
MEASURE = """
import json, resource, sys, time
from pathlib import Path
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before, begun = peak(), time.perf_counter()
kept = act(Path(sys.argv[1]))
print(json.dumps({"seconds": round(time.perf_counter() - begun, 2),
                  "megabytes": round(peak() - before)}))
"""


def main() -> None:
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("--files", type=int, default=1_000_000)
    files = made.parse_args().files
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder), files)
        path = os.pathsep.join([str(ROOT / "trainer"), str(ROOT / "operator")])
        for case, program in CASES.items():
            answer = subprocess.run(
                [sys.executable, "-c", program + MEASURE, folder],
                env={**os.environ, "PYTHONPATH": path},
                check=True,
                capture_output=True,
                text=True,
            )
            found = json.loads(answer.stdout)
            print(json.dumps({"bench": "index", "case": case, "files": files, **found}))


def write_files(folder: Path, count: int) -> None:
    """Hard links to one file a class, as a file system allows only so many links to a file."""
    from PIL import Image

    for label in range(CLASSES):
        target = folder / f"class-{label:03}"
        target.mkdir()
        first = target / "image-0000000.png"
        Image.new("L", (8, 8), label).save(first)
        for i in range(1, count // CLASSES):
            os.link(first, target / f"image-{i:07}.png")


if __name__ == "__main__":
    main()
