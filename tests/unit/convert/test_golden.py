"""What becomes of manifests like those people have; notes stand above the TrainingJob."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from kubefit.cli import app

MANIFESTS = Path(__file__).parent / "manifests"
GOLDEN = Path(__file__).parents[2] / "golden/convert"
OPTIONS = {
    "workers": ["--script", "/opt/train.py"],
    "live": ["--claim", "results", "--image", "example.com/live:2", "--runtime", "keras"],
}


@pytest.mark.parametrize("name", sorted(file.stem for file in MANIFESTS.glob("*.yaml")))
def test_a_manifest_becomes_what_was_reviewed(
    name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(MANIFESTS)
    done = CliRunner().invoke(app, ["convert", f"{name}.yaml", *OPTIONS.get(name, [])])
    assert done.exit_code == 0, done.stderr
    notes = "".join(f"# {line}\n" for line in done.stderr.splitlines())
    text = notes + done.stdout
    file = GOLDEN / f"{name}.yaml"
    if request.config.getoption("--update-golden"):
        file.write_text(text)
    assert file.read_text() == text, "run pytest --update-golden and review the diff"
