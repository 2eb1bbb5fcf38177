"""`kubefit validate`: faults of the file itself, and what it says of a good one."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kubefit.cli import app
from kubefit.cli.manifest import name_from

ROOT = Path(__file__).parents[3]
GOOD = """\
apiVersion: kubefit.dev/v1alpha1
kind: TrainingJob
metadata: {name: good}
spec:
  storage: {claim: training}
  script: {inline: "print(1)"}
"""


def _validate(text: str, folder: Path, *options: str) -> tuple[int, str, str]:
    file = folder / "job.yaml"
    file.write_text(text)
    result = CliRunner().invoke(app, ["validate", str(file), *options])
    return result.exit_code, result.stdout, result.stderr.replace(str(file), "FILE")


def test_a_good_job_is_named_with_what_it_is(tmp_path: Path) -> None:
    code, stdout, stderr = _validate(GOOD, tmp_path)
    assert (code, stderr) == (0, "")
    assert "good is a valid TrainingJob (script, 1 worker)" in stdout


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("spec:\n  workers: [1,\n", "error: FILE: line 3, column 1: "),
        ("spec:\n\tworkers: 1\n", "error: FILE: line 2, column 1: "),
        (GOOD + "  workers: 1\n  workers: 2\n", "error: FILE: line 8, column 3: 'workers' is"),
        (GOOD + "---\n" + GOOD, "error: FILE: holds 2 documents; a file has one TrainingJob"),
        ("", "error: FILE: holds no documents; a file has one TrainingJob"),
        ("- a\n- b\n", "error: FILE: a list is not a mapping"),
        ("&a [*a]\n", "error: FILE: "),
        ("kind: Pod\n", "error: FILE: kind: 'Pod' is not one of TrainingJob"),
    ],
)
def test_a_file_that_holds_no_job_is_refused_with_its_line(
    text: str, sentence: str, tmp_path: Path
) -> None:
    code, stdout, stderr = _validate(text, tmp_path)
    assert (code, stdout) == (2, "")
    assert stderr.startswith(sentence)
    assert "Traceback" not in stderr


def test_every_fault_of_the_schema_has_its_line(tmp_path: Path) -> None:
    text = GOOD.replace("script:", "workers: 0\n  colour: red\n  script:")
    code, _, stderr = _validate(text, tmp_path)
    assert code == 2
    assert stderr.splitlines() == [
        "error: FILE: spec.workers: 0 is less than 1",
        "error: FILE: spec.colour: unknown field",
    ]


def test_data_are_not_looked_at_without_a_volume_and_that_is_said(tmp_path: Path) -> None:
    text = (ROOT / "examples/01-digits/job.yaml").read_text()
    code, stdout, _ = _validate(text, tmp_path)
    assert code == 0
    assert "the data were not looked at: --volume DIR" in stdout


def test_absolute_paths_that_exist_here_are_looked_at_without_a_volume(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("def f(:\n")
    code, _, stderr = _validate(GOOD.replace('inline: "print(1)"', f"path: {script}"), tmp_path)
    assert code == 2
    assert "spec.script.path: train.py: line 1" in stderr


def test_a_program_for_keras_2_is_valid_with_its_runtime_only(tmp_path: Path) -> None:
    text = GOOD.replace("print(1)", "import tf_keras")
    code, _, stderr = _validate(text, tmp_path)
    assert code == 2
    assert stderr.startswith(
        "error: FILE: spec.script.inline: line 1: import tf_keras is for Keras 2"
    )
    assert "kubefit run --runtime tf-keras" in stderr
    code, stdout, _ = _validate(text, tmp_path, "--runtime", "tf-keras")
    assert (code, "(script on tf-keras, 1 worker)" in stdout) == (0, True)
    given = text.replace('tf_keras"', 'tf_keras", runtime: tf-keras')
    assert _validate(given, tmp_path)[0] == 0


def test_a_runtime_that_there_is_not_is_refused_with_those_there_are(tmp_path: Path) -> None:
    text = GOOD.replace('(1)"', '(1)", runtime: torch')
    code, _, stderr = _validate(text, tmp_path)
    assert code == 2
    assert stderr.startswith(
        "error: FILE: spec.script.runtime: 'torch' is not one of keras, tf-keras"
    )


def test_a_volume_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    code, _, stderr = _validate(GOOD, tmp_path, "--volume", str(tmp_path / "nowhere"))
    assert code == 2
    assert stderr.startswith("error: --volume: ")


def test_a_file_that_is_missing_or_binary_is_refused(tmp_path: Path) -> None:
    missing = CliRunner().invoke(app, ["validate", str(tmp_path / "none.yaml")])
    assert (missing.exit_code, missing.stderr.rstrip()) == (
        2,
        f"error: {tmp_path / 'none.yaml'}: does not exist",
    )
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    refused = CliRunner().invoke(app, ["validate", str(binary)])
    assert refused.exit_code == 2
    assert "is not UTF-8 text" in refused.stderr


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("train", "train"),
        ("Train_v2.final", "train-v2-final"),
        ("01_digits", "digits"),
        ("42", "script"),
        ("_", "script"),
        ("x" * 80, "x" * 51),
    ],
)
def test_the_name_of_a_job_comes_from_the_file(stem: str, name: str) -> None:
    assert name_from(stem) == name


def test_no_command_line_imports_tensorflow_or_the_kubernetes_client() -> None:
    program = (
        "import sys; from kubefit.cli import app; from typer.testing import CliRunner\n"
        f"CliRunner().invoke(app, ['validate', {str(ROOT / 'examples/02-script/job.yaml')!r}])\n"
        "print(sorted({'tensorflow', 'keras', 'kubernetes', 'kopf', 'aiohttp'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
