"""The user's program before TensorFlow, and how it runs."""

import subprocess
import sys
from pathlib import Path

import pytest

from kubefit.api.contract import ExitCode, RunConfig
from kubefit.api.v1alpha1 import Script
from kubefit_trainer import script


def config(volume: Path, given: Script) -> RunConfig:
    return RunConfig(
        namespace="ml",
        name="job",
        workers=1,
        hosts="h",
        volume_dir=str(volume),
        job_dir=str(volume / "job"),
        script=given,
    )


def test_a_good_program_passes(tmp_path: Path):
    assert script.check(config(tmp_path, Script(inline="print(1)"))) is None


@pytest.mark.parametrize(
    ("given", "code", "sentence"),
    [
        (
            Script(inline="a = 1\n\nif a\n"),
            ExitCode.USER_ERROR,
            "spec.script.inline: line 3: expected ':'",
        ),
        (
            Script(volume_path="bad.py"),
            ExitCode.USER_ERROR,
            "spec.script.volumePath: bad.py: line 2: ",
        ),
        (
            Script(volume_path="none.py"),
            ExitCode.CONFIGURATION_ERROR,
            "spec.script.volumePath: {volume}/none.py does not exist",
        ),
        (
            Script(volume_path="folder"),
            ExitCode.CONFIGURATION_ERROR,
            "spec.script.volumePath: {volume}/folder is not a file",
        ),
        (
            Script(path="/nowhere/train.py"),
            ExitCode.CONFIGURATION_ERROR,
            "spec.script.path: /nowhere/train.py does not exist",
        ),
    ],
)
def test_a_bad_program_is_named_with_its_field(
    tmp_path: Path, given: Script, code: ExitCode, sentence: str
):
    (tmp_path / "folder").mkdir()
    (tmp_path / "bad.py").write_text("x = 1\ny = (\n")
    failure = script.check(config(tmp_path, given))
    assert failure is not None
    assert failure.exit_code == code
    assert failure.message.startswith(sentence.format(volume=tmp_path))


def test_a_program_runs_as_python_runs_it(tmp_path: Path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "beside.py").write_text("WORD = 'beside'")
    program = tmp_path / "lib" / "train.py"
    program.write_text(
        "import sys, pickle, beside\n"
        "class Mine: pass\n"
        "assert pickle.loads(pickle.dumps(Mine())).__class__ is Mine\n"
        "print(__name__, __file__, sys.argv, sys.path[0], beside.WORD)\n"
    )
    code = (
        "import sys; from pathlib import Path; from kubefit_trainer import script;"
        f"p = Path({str(program)!r}); script.run(p.read_bytes(), p, ['--epochs', '3'])"
    )
    ours = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    plain = subprocess.run(
        [sys.executable, str(program), "--epochs", "3"], capture_output=True, text=True, check=True
    )
    assert ours.stdout == plain.stdout
