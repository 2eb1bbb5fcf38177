"""Every bad job is refused by `validate` and by `run` in one sentence, before TensorFlow starts."""

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from kubefit.cli import app

TABLE = yaml.safe_load((Path(__file__).parents[2] / "bad_input.yaml").read_text())["cases"]
CASES = [
    pytest.param(case, id=case["case"]) for case in TABLE if case["found"] in ("schema", "data")
]
IMAGE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)


def _write(case: dict[str, Any], folder: Path) -> tuple[Path, Path]:
    """Manifest and volume of a case."""
    volume = folder / "volume"
    volume.mkdir()
    for name, content in case.get("files", {}).items():
        file = volume / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(IMAGE if content == "image" else content.encode())
    document = {
        "apiVersion": "kubefit.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": case.get("name", "bad")},
        "spec": case["spec"],
    }
    manifest = folder / "job.yaml"
    manifest.write_text(yaml.safe_dump(document))
    return manifest, volume


def _sentence(result: Result, manifest: Path) -> str:
    """The one error that was printed, without the name of the file."""
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, result.output
    return errors[0].removeprefix(f"error: {manifest}: ")


@pytest.mark.parametrize("case", CASES)
def test_validate_names_the_field_and_the_fault(case: dict[str, Any], tmp_path: Path) -> None:
    manifest, volume = _write(case, tmp_path)
    result = CliRunner().invoke(app, ["validate", str(manifest), "--volume", str(volume)])
    assert result.exit_code == 2, result.output
    sentence = _sentence(result, manifest)
    assert sentence.startswith(f"{case['field']}: ")
    for word in case["words"]:
        assert word in sentence


@pytest.mark.parametrize("case", CASES)
def test_run_says_the_same_and_starts_nothing(case: dict[str, Any], tmp_path: Path) -> None:
    manifest, volume = _write(case, tmp_path)
    runs = tmp_path / "runs"
    runner = CliRunner()
    validated = runner.invoke(app, ["validate", str(manifest), "--volume", str(volume)])
    arguments = ["run", str(manifest), "--volume", str(volume), "--runs-dir", str(runs)]
    result = runner.invoke(app, arguments)
    assert result.exit_code == 2
    assert result.stderr == validated.stderr
    assert not runs.exists()
