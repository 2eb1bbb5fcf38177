"""The page on moving from Kubeflow shows what its commands do."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kubefit.cli import app

PAGE = (Path(__file__).parents[2] / "docs/how-to/migrate-from-kubeflow.md").read_text()


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_commands_of_the_page_give_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tfjob, job = _blocks("yaml")
    Path("tfjob.yaml").write_text(tfjob)
    commands, printed = _blocks("sh"), ""
    for line in "".join(commands).splitlines():
        kubefit, *words = shlex.split(line)
        done = CliRunner().invoke(app, words)
        assert (kubefit, done.exit_code) == ("kubefit", 0), done.stderr
        printed += done.stderr + done.stdout
    assert Path("job.yaml").read_text() == job
    assert [printed] == _blocks("text")
