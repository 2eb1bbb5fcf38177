"""The tutorial, done as it says, from the first command to the last."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.train

PAGE = Path(__file__).parents[3] / "docs" / "tutorial.md"
COMMANDS = Path(sys.executable).parent


def done(kind: str, text: str, folder: Path) -> str:
    """What a block of the page prints when somebody does what it says in the folder."""
    if kind == "yaml":
        (folder / "pictures.yaml").write_text(text)
        return ""
    command = [sys.executable, "-c", text] if kind == "python" else ["sh", "-e", "-c", text]
    path = os.pathsep.join([str(COMMANDS), os.environ["PATH"]])
    ended = subprocess.run(
        command, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_every_step_works_and_the_model_knows_pictures_it_has_not_seen(tmp_path: Path) -> None:
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    said = [done(kind, text, tmp_path) for kind, text in blocks]
    assert "120 images in 2 classes" in said[1]
    predictions = re.findall(r"^new-(\w+)\.jpg: (\w+) ", said[-1], re.MULTILINE)
    assert predictions == [("flower", "flower"), ("temple", "temple")]


def test_the_job_has_ten_lines() -> None:
    (text,) = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert yaml.safe_load(text)["kind"] == "TrainingJob"
    assert len(text.splitlines()) == 10
