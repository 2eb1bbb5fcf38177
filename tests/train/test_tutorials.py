"""The tutorials, done as they say, from the first block to the last."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.train

FOLDER = Path(__file__).parents[2] / "docs" / "tutorials"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SAVED = re.compile(r"`([\w-]+\.(?:py|yaml))`[^`]*\Z")
"""The name before a block of what is to be saved under it, and nothing quoted in between."""
EXPECTED = {
    "your-own-program": [r"accuracy ([\d.]+) \1$", r"job.yaml: classifier is a valid TrainingJob"],
    "survive-preemption": [
        r"survivor: succeeded in",
        r"^1 0 \d+ .*killed by SIGKILL",
        r"^2 [1-9]\d* 160 ended well$",
    ],
    "fine-tune-your-images": [r"Succeeded \['roof', 'sky'\]"],
    "monitor": [r"^worker-1 \|", r'"phase": "Succeeded"', r"events.out"],
}


def _done(page: Path, folder: Path) -> str:
    """All that is printed when somebody does what the page says, in the folder."""
    text, printed = page.read_text(), ""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    for block in _BLOCK.finditer(text):
        kind, content = block[1], block[2]
        named = _SAVED.search(text[: block.start()])
        if named:
            (folder / named[1]).write_text(content)
            continue
        command = (
            [sys.executable, "-c", content] if kind == "python" else ["sh", "-e", "-c", content]
        )
        ended = subprocess.run(
            command, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        printed += ended.stdout + ended.stderr
    return printed


@pytest.mark.parametrize("page", sorted(FOLDER.glob("*.md")), ids=lambda page: page.stem)
def test_every_step_of_a_tutorial_works(page: Path, tmp_path: Path) -> None:
    printed = _done(page, tmp_path)
    for pattern in EXPECTED[page.stem]:
        assert re.search(pattern, printed, re.MULTILINE), f"{pattern} is not in\n{printed}"
