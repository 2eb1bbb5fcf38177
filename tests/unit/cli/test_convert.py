"""`kubefit convert`: files, documents and streams; what becomes of a manifest is tested apart."""

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from kubefit.api.errors import read_job
from kubefit.cli import app

GOOD = """\
apiVersion: kubeflow.org/v1
kind: TFJob
metadata: {name: good}
spec:
  tfReplicaSpecs:
    Worker:
      template: {spec: {containers: [{name: tensorflow, command: [python, /train.py]}]}}
"""
BAD = GOOD.replace("good", "bad").replace("[python, /train.py]", "[./run.sh]")
OTHER = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n"


def _convert(text: str, folder: Path, *options: str) -> Result:
    file = folder / "jobs.yaml"
    file.write_text(text)
    return CliRunner().invoke(app, ["convert", str(file), *options])


def _names(done: Result) -> list[str]:
    return [read_job(one).metadata.name for one in yaml.safe_load_all(done.stdout)]


def test_jobs_go_to_stdout_and_notes_to_stderr_with_file_and_field(tmp_path: Path) -> None:
    done = _convert(GOOD, tmp_path)
    assert (done.exit_code, _names(done)) == (0, ["good"])
    assert all(line.startswith(f"{tmp_path}/jobs.yaml: TFJob good: ") for line in _lines(done))


def test_one_that_cannot_be_converted_keeps_no_other_from_it(tmp_path: Path) -> None:
    done = _convert("---\n".join([GOOD, BAD, GOOD.replace("good", "fine")]), tmp_path)
    assert (done.exit_code, _names(done)) == (2, ["good", "fine"])
    faults = [line for line in _lines(done) if line.startswith("error: ")]
    assert len(faults) == 1
    assert (
        "jobs.yaml: TFJob bad: spec.tfReplicaSpecs.Worker.template.spec.containers[0]" in faults[0]
    )


def test_other_kinds_are_passed_over_with_a_note(tmp_path: Path) -> None:
    done = _convert(f"{OTHER}---\n{GOOD}---\njust a text\n", tmp_path)
    assert (done.exit_code, _names(done)) == (0, ["good"])
    assert "ConfigMap settings: is passed over" in done.stderr
    assert "jobs.yaml: a document: is passed over" in done.stderr


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (OTHER, "no TFJob or TrainJob is in there"),
        ("", "no TFJob or TrainJob is in there"),
        ("a: [", "line 1, column 5"),
        ("a: 1\na: 2\n", "'a' is given twice"),
    ],
)
def test_a_file_without_jobs_is_an_error(text: str, sentence: str, tmp_path: Path) -> None:
    done = _convert(text, tmp_path)
    assert (done.exit_code, done.stdout) == (2, "")
    assert sentence in done.stderr


def test_a_file_that_cannot_be_read_keeps_no_other_from_it(tmp_path: Path) -> None:
    done = _convert(GOOD, tmp_path, str(tmp_path / "missing.yaml"))
    assert (done.exit_code, _names(done)) == (2, ["good"])
    assert "missing.yaml: does not exist" in done.stderr


def test_stdin_is_read_for_a_dash_and_lists_are_taken_apart() -> None:
    listed = yaml.safe_dump({"kind": "List", "items": [yaml.safe_load(GOOD)]})
    done = CliRunner().invoke(app, ["convert", "-"], input=listed)
    assert (done.exit_code, _names(done)) == (0, ["good"])


def test_jobs_go_to_the_file_that_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "converted.yaml"
    done = _convert(GOOD, tmp_path, "--output", str(file))
    assert (done.exit_code, done.stdout) == (0, "")
    assert read_job(yaml.safe_load(file.read_text())).metadata.name == "good"
    refused = _convert(GOOD, tmp_path, "--output", str(tmp_path))
    assert refused.exit_code == 2
    assert f"--output: {tmp_path} cannot be written" in refused.stderr


def test_what_a_manifest_does_not_tell_can_be_given_and_then_needs_no_note(tmp_path: Path) -> None:
    options = ["--claim", "c", "--image", "i", "--runtime", "tf-keras", "--script", "/opt/a.py"]
    done = _convert(BAD, tmp_path, *options)
    spec = yaml.safe_load(done.stdout)["spec"]
    assert (spec["image"], spec["storage"]) == ("i", {"claim": "c"})
    assert spec["script"] == {"path": "/opt/a.py", "runtime": "tf-keras"}
    assert not [line for line in _lines(done) if "image" in line or "spec.storage" in line]


def test_what_comes_out_is_accepted_by_validate(tmp_path: Path) -> None:
    file = tmp_path / "converted.yaml"
    _convert(GOOD, tmp_path, "--output", str(file))
    done = CliRunner().invoke(app, ["validate", str(file)])
    assert (done.exit_code, "good is a valid TrainingJob" in done.stdout) == (0, True)


def _lines(done: Result) -> list[str]:
    return done.stderr.splitlines()
